"""Locked-down instances of DuckDB, each with the publications that a query reads and nothing else."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mart_platform.adapters.queries.adbc import Connection, Database, Failed
from mart_platform.adapters.queries.metering import Meter
from mart_platform.adapters.queries.publications import Held
from mart_platform.adapters.queries.shapes import Shapes
from mart_platform.planning.quoting import identifier, literal

_SPILLED = 10
"""How many times its memory an instance may spill, so that no query fills the disk of the ledger."""


@dataclass(frozen=True)
class Limits:
    """What an instance may take of the machine: bytes of memory, threads, and a folder for what does not fit.

    Without the folder a query that needs more memory ends.
    """

    memory: int
    threads: int
    spill: Path | None = None


class Instance:
    """DuckDB with some publications, read-only, and no way out of them.

    The main database is an empty file, opened read-only: one in memory could be written. ``allowed_paths``
    are the Parquet files that views read; DuckDB itself adds the attached databases, and the folder for
    spilling, which therefore holds nothing else. No extension but the built-in ones can be loaded.
    Raises Failed.
    """

    def __init__(self, held: Iterable[Held], limits: Limits, empty: Path) -> None:
        self.shapes = Shapes()
        with Meter.of_new_instance() as self.meter:
            self._database = Database(_options(limits, empty))
        try:
            with self.connect() as connection:
                for statement in _locking(held):
                    connection.execute(statement)
        except Failed:
            self.close()
            raise

    def connect(self) -> Connection:
        """Return a connection for one query, so that nothing that it leaves behind is met by another."""
        return self._database.connect()

    def close(self) -> None:
        self.shapes.close()
        self._database.close()


class Instances:
    """Instances by what is in them; some that nobody uses are kept for the next query.

    Each may take the whole memory of the limits. Safe for many threads.
    """

    def __init__(self, limits: Limits, empty: Path, kept: int) -> None:
        self._limits, self._empty, self._kept = limits, empty, kept
        self._open: OrderedDict[object, _Open] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def using(self, held: frozenset[Held], memory: int | None = None) -> Iterator[Instance]:
        """Give an instance with these publications, which stays open in the block.

        ``memory`` is what it may take, where that is less than the limit. Raises Failed.
        """
        taken = self._take(held, min(memory or self._limits.memory, self._limits.memory))
        try:
            yield taken.instance
        finally:
            self._give_back(taken)

    def forget(self, is_kept: Callable[[Held], bool]) -> None:
        """Close the instances that hold anything else, as soon as no query uses them."""
        with self._lock:
            for name, opened in list(self._open.items()):
                if not all(map(is_kept, opened.held)):
                    opened.is_last = True
                    del self._open[name]
                    opened.close_if_unused()

    def _take(self, held: frozenset[Held], memory: int) -> "_Open":
        name = held, memory
        with self._lock:
            if name not in self._open:
                limits = replace(self._limits, memory=memory)
                self._open[name] = _Open(Instance(held, limits, self._empty), held)
            self._open.move_to_end(name)
            self._open[name].users += 1
            return self._open[name]

    def _give_back(self, opened: "_Open") -> None:
        with self._lock:
            opened.users -= 1
            opened.close_if_unused()
            unused = [name for name, other in self._open.items() if not other.users]
            for name in unused[: max(0, len(self._open) - self._kept)]:
                self._open.pop(name).instance.close()


@dataclass
class _Open:
    instance: Instance
    held: frozenset[Held]
    users: int = 0
    is_last: bool = False

    def close_if_unused(self) -> None:
        if self.is_last and not self.users:
            self.instance.close()


def _options(limits: Limits, empty: Path) -> dict[str, str]:
    return {
        "path": str(empty),
        "access_mode": "READ_ONLY",
        "threads": str(limits.threads),
        "memory_limit": f"{limits.memory}B",
        "temp_directory": str(limits.spill or ""),
        "max_temp_directory_size": f"{_SPILLED * limits.memory if limits.spill else 0}B",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allow_unsigned_extensions": "false",
        "allow_persistent_secrets": "false",
    }


def _locking(held: Iterable[Held]) -> Iterator[str]:
    """Yield what is said before the first query, the lock at the end."""
    held = sorted(held, key=lambda each: each.catalog)
    for each in held:
        yield f"ATTACH {literal(str(each.database))} AS {identifier(each.catalog)} (READ_ONLY)"
    files = ", ".join(literal(str(file)) for each in held for file in each.files)
    yield f"SET GLOBAL allowed_paths = [{files}]"
    yield "SET GLOBAL TimeZone = 'UTC'"
    yield "SET GLOBAL parquet_metadata_cache = true"  # the files never change
    yield "SET GLOBAL enable_external_access = false"
    yield "SET GLOBAL lock_configuration = true"
