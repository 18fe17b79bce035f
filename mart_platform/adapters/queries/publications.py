"""Publications as DuckDB files: what is small as tables, what is large as views over its Parquet files."""

import hashlib
import json
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from uuid import uuid4

import duckdb

from mart_platform.adapters import disk
from mart_platform.adapters.engines.relations import Relations
from mart_platform.durable import sync
from mart_platform.planning.quoting import identifier, literal
from mart_platform.ports import Relation
from mart_platform.spec.problems import UserError

Name = tuple[str, int]
"""A mart and the number of its publication."""

_PART_OF_MEMORY = 8
"""A table is held in memory when it is no larger than this part of what all tables may take: one of 15 MB is
read as fast from Parquet (11 ms an aggregate, 15 from memory), takes 0.3 s to copy, and would push out ten
small ones, which answer in 1 ms instead of 3 to 11."""

_HALF_MADE = ".making"
_FORSAKEN = 3_600.0
"""Seconds after which a half-made file was left by a killed process."""


@dataclass(frozen=True)
class Held:
    """A publication that is ready: its database file, and the Parquet files that views in it read.

    ``copied`` are the lists of files of which tables in it are copies.
    """

    mart: str
    number: int
    database: Path
    files: tuple[Path, ...]
    copied: frozenset[tuple[Path, ...]] = frozenset()

    @property
    def catalog(self) -> str:
        """The name of its database in a query."""
        return f"{self.mart}@{self.number}"


class Publications:
    """The database files of publications in a folder, which processes may share. Safe for many threads."""

    def __init__(self, folder: Path, in_memory: int) -> None:
        self._folder, self._in_memory = folder, in_memory
        self._known: dict[Name, _Known] = {}
        self._making, self._lock = Lock(), Lock()

    def prepare(self, mart: str, number: int, relations: Sequence[Relation]) -> None:
        """Make the database file of a publication, unless it is there. Raises UserError."""
        leaves = list(_leaves(relations))
        copied = _smallest(leaves, self._in_memory)
        viewed = [leaf.files for leaf in leaves if leaf.files not in copied]
        held = Held(
            mart=mart,
            number=number,
            database=self._folder / f"{mart}@{number}-{_digest(relations, copied)}.duckdb",
            files=tuple(dict.fromkeys(file for files in viewed for file in files)),
            copied=copied,
        )
        known = _Known(held, tuple(relations))
        self._be_there(known)
        with self._lock:
            if (mart, number) not in self._known or self._known[mart, number].held != held:
                self._known[mart, number] = known

    @contextmanager
    def reading(self, names: Iterable[Name]) -> Iterator[frozenset[Held]]:
        """Give publications whose files stay in the block; one that somebody removed is made again.

        Raises LookupError when one was not prepared, or is forgotten.
        """
        read: list[_Known] = []
        with self._lock:
            for mart, number in names:
                if (mart, number) not in self._known:
                    raise LookupError(f"publication {number} of {mart} is not prepared")
                read.append(self._known[mart, number])
            for known in read:
                known.readers += 1
        try:
            for known in read:
                self._be_there(known)
            yield frozenset(known.held for known in read)
        finally:
            with self._lock:
                for known in read:
                    known.readers -= 1
                    known.remove_if_done()

    def relations(self, mart: str, number: int) -> tuple[Relation, ...]:
        """Return what a publication was prepared with. Raises LookupError when it was not."""
        return self._known[mart, number].relations

    def forget(self, kept: Collection[Name]) -> None:
        """Remove the files of all publications but these, each when its last reader has ended.

        Files that were left by a process before this one go too.
        """
        with self._lock:
            going = [self._known.pop(name) for name in self._known.keys() - set(kept)]
            for known in going:
                known.is_forgotten = True
            read = {known.held.database for known in going if known.readers}
            for file in self._folder.glob("*@*-*.duckdb"):
                if _name(file) not in kept and file not in read:
                    file.unlink(missing_ok=True)
            for file in self._folder.glob(f"*{_HALF_MADE}"):
                if file.stat().st_mtime < time.time() - _FORSAKEN:
                    file.unlink(missing_ok=True)

    def _be_there(self, known: "_Known") -> None:
        if not known.held.database.exists():
            with self._making:
                if not known.held.database.exists():
                    _make(known.held, known.relations)


@dataclass(eq=False)
class _Known:
    held: Held
    relations: tuple[Relation, ...]
    readers: int = 0
    is_forgotten: bool = False

    def remove_if_done(self) -> None:
        if self.is_forgotten and not self.readers:
            self.held.database.unlink(missing_ok=True)


def _name(database: Path) -> Name:
    mart, _, number = database.stem.rpartition("-")[0].rpartition("@")
    return mart, int(number)


def _leaves(relations: Iterable[Relation]) -> Iterator[Relation]:
    """Yield the relations that are files, also those below views."""
    for relation in relations:
        if relation.sql is None:
            yield relation
        else:
            yield from _leaves(relation.over)


def _smallest(leaves: Iterable[Relation], in_memory: int) -> frozenset[tuple[Path, ...]]:
    """Return the files of the relations that are held in memory, smallest first until no more fits."""
    # A file that is gone is no size; what wants to read it says so, and in a sentence.
    sizes = {leaf.files: sum(f.stat().st_size for f in leaf.files if f.exists()) for leaf in leaves}
    chosen, taken = set[tuple[Path, ...]](), 0
    for files, size in sorted(sizes.items(), key=lambda item: (item[1], item[0])):
        taken += size
        if size > in_memory / _PART_OF_MEMORY or taken > in_memory:
            break
        chosen.add(files)
    return frozenset(chosen)


def _digest(relations: Sequence[Relation], copied: Iterable[tuple[Path, ...]]) -> str:
    what = [duckdb.__version__, [asdict(relation) for relation in relations], sorted(copied)]
    return hashlib.sha256(json.dumps(what, default=str).encode()).hexdigest()[:16]


def _make(held: Held, relations: Iterable[Relation]) -> None:
    """Write the database file of a publication, which appears at once and whole. Raises UserError."""
    folder = held.database.parent
    half_made = folder / f"{uuid4().hex}{_HALF_MADE}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(half_made, held, relations)
        sync(half_made)
        half_made.replace(held.database)
    except OSError as error:
        if sentence := disk.refused(error, folder):
            raise sentence from error
        raise
    finally:
        half_made.unlink(missing_ok=True)
        half_made.with_name(f"{half_made.name}.wal").unlink(missing_ok=True)


def _write(file: Path, held: Held, relations: Iterable[Relation]) -> None:
    catalog = identifier(held.catalog)
    with closing(duckdb.connect(config={"autoinstall_known_extensions": False})) as connection:

        def execute(sql: str) -> duckdb.DuckDBPyConnection:
            try:
                return connection.execute(sql)
            except duckdb.Error as error:
                raise disk.refused(error, file.parent) or UserError(str(error).partition("\n")[0]) from error

        # A view says of which database its tables are: this one must be called as it is in queries.
        for statement in (
            "SET TimeZone = 'UTC'",
            f"ATTACH {literal(str(file))} AS {catalog}",
            f"USE {catalog}",
        ):
            execute(statement)
        defined = Relations(execute, lambda relation: relation.files in held.copied)
        for relation in relations:
            defined.define(relation, f"main.{relation.name.split('.', 1)[1]}")
        execute("USE memory")
        execute(f"DETACH {catalog}")  # which writes all of it into the file
