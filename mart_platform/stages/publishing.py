"""Publishing for readers without a server: a folder of Parquet and DuckDB files, derived from the ledger.

``data/published/<mart>/current`` points to a numbered folder: for each table a folder with hard links to the
files of its live version, ``<mart>.duckdb`` with a view on each, and a manifest. A view, which has no files,
is written there as a copy of its rows, and so is a table with columns that readers may not see. A numbered
folder is never changed; the pointer moves in one step to one that is whole. Whoever has opened a folder reads
on in it: it stays for an hour after another took its place.
"""

import errno
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from uuid import uuid4

from mart_platform.durable import sync
from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.planning.quoting import literal, quoted
from mart_platform.ports import Platform, Relation
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import DataFile, Publication, Record, Version


@dataclass(frozen=True)
class Source:
    """The version of a table that is published, and what gives it as the engine sees it."""

    version: Version
    relation: Callable[[], Relation]


Sources = Callable[[str], Source]
"""Gives the source of a table by its name."""

KEPT_FOR = timedelta(hours=1)
"""How long a folder stays after another took its place."""

WITHHELD = "withheld"
"""The only column of a published table whose own columns are all sensitive: its rows can be counted."""

_CURRENT, _MANIFEST, _COPIES = "current", "manifest.json", ".copies"
_READ_ONLY = 0o444  # the files are shared with the lake, or belong to all readers


class PublishedFile(Record):
    """A file: ``path`` is relative to the numbered folder, ``shows`` the file of the lake that it copies."""

    path: str
    bytes: int
    shows: str = ""


class PublishedFiles(Record):
    """One table as it is published: which version, with which columns, in which files."""

    fingerprint: str
    version: str
    rows: int
    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    files: tuple[PublishedFile, ...]


class Manifest(Record):
    """What a numbered folder holds; ``folder`` is the place that its views name."""

    mart: str
    number: int
    published_at: datetime
    watermark: datetime | None
    derived_at: datetime
    folder: str
    database: PublishedFile
    tables: dict[str, PublishedFiles]


def derive(platform: Platform, plan: Plan, publication: Publication, sources: Sources) -> str | None:
    """Make the published folder of a mart show its live publication; return what was wrong with it.

    One process at a time. Changes nothing, and returns None, when nothing was wrong.
    """
    wrong = _disagreement(platform, plan, publication)
    if wrong is None:
        _remove_old(platform.data.published / publication.mart, platform.clock.wall())
    else:
        show(platform, prepare(platform, plan, publication, sources))
    return wrong


def prepare(platform: Platform, plan: Plan, publication: Publication, sources: Sources) -> Path:
    """Fill a numbered folder with a publication, and return it; nobody is pointed to it yet.

    Columns that are withheld, or that the plan does not know, are left out. ``sources`` is asked only for
    what the current folder does not hold already. Raises UserError when a file of the lake is gone.
    """
    mart = platform.data.published / publication.mart
    place = _new_folder(mart, publication.number)
    try:
        _Filling(platform, plan, publication, sources, place).fill()
    except BaseException:
        discard(place)
        raise
    sync(mart)
    return place


def show(platform: Platform, place: Path) -> None:
    """Point readers to a folder that was prepared; folders that were replaced an hour ago are removed."""
    _point_to(place.parent, place)
    _remove_old(place.parent, platform.clock.wall())


def discard(place: Path) -> None:
    """Remove a folder that was prepared and is not wanted."""
    shutil.rmtree(place, ignore_errors=True)


def derived_state(platform: Platform, plan: Plan, mart: str) -> str | None:
    """Return what is wrong with the published folder of a mart; None when it shows what is live."""
    live = platform.ledger.live(mart)
    return None if live is None else _disagreement(platform, plan, live)


def published_columns(
    table: PlannedTable | None, present: Sequence[str], withheld: Collection[str]
) -> tuple[str, ...]:
    """Return the columns that may leave the lake: those that the plan knows, and that are not withheld."""
    known = {column.name for column in table.columns}.difference(withheld) if table else set()
    return tuple(column for column in present if column in known)


def _withheld(platform: Platform, plan: Plan, mart: str) -> dict[str, frozenset[str]]:
    """Return the columns of each table that the published files leave out.

    What the plan withholds is left out at once, and what was withheld is shown when that is approved.
    """
    approval = platform.directory.approval(mart)
    tables = [name for name, table in plan.tables.items() if table.schema_name == mart]
    return {
        name: plan.withheld(name).union(approval.rights.withheld(name) if approval else ()) for name in tables
    }


class _Filling:
    """Fills one numbered folder."""

    def __init__(
        self, platform: Platform, plan: Plan, publication: Publication, sources: Sources, place: Path
    ) -> None:
        self.platform, self.plan, self.publication = platform, plan, publication
        self.sources, self.place = sources, place
        self.withheld = _withheld(platform, plan, publication.mart)
        self.last_place = _current(place.parent)
        self.last = _manifest(self.last_place)

    def fill(self) -> None:
        """Write all tables, the database that reads them, and last the manifest."""
        tables = {name: self._publish(name) for name in self.publication.tables}
        shutil.rmtree(self.place / _COPIES, ignore_errors=True)
        derived_at = self.platform.clock.wall()
        manifest = Manifest(
            mart=self.publication.mart,
            number=self.publication.number,
            published_at=self.publication.at,
            watermark=self.publication.watermark,
            derived_at=derived_at,
            folder=str(self.place.absolute()),
            database=self._write_database(tables),
            tables=tables,
        )
        file = self.place / _MANIFEST
        file.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        _seal(file)
        os.utime(file, (derived_at.timestamp(), derived_at.timestamp()))
        sync(self.place)

    def _publish(self, name: str) -> PublishedFiles:
        """Fill the folder of one table: with the links of the folder before where they are still right."""
        folder = self.place / _short(name)
        folder.mkdir()
        published = self._linked_again(name) or self._linked(name, folder)
        sync(folder)
        return published

    def _linked_again(self, name: str) -> PublishedFiles | None:
        """Link the files of the folder before, if that shows the same version with the same columns."""
        last, wanted = self.last.tables.get(name) if self.last else None, self.publication.tables[name]
        if last is None or (last.fingerprint, last.version) != (wanted.fingerprint, wanted.version):
            return None
        if not _shows_what_it_may(self.plan, self.withheld, name, last) or _torn(self.last_place, last.files):
            return None
        for file in last.files:
            _link(f"{self.last_place}/{file.path}", f"{self.place}/{file.path}")
        return last

    def _linked(self, name: str, folder: Path) -> PublishedFiles:
        """Link the files of the lake, or of a copy where those are not what readers may see."""
        source = self.sources(name)
        version = source.version
        shown = published_columns(
            self.plan.tables.get(name), tuple(version.columns), self.withheld.get(name, ())
        )
        left_out = tuple(column for column in version.columns if column not in shown)
        if not version.files:
            copied = self._copied([source.relation()], shown)
            files = [(f"{self.platform.data.root}/{file.path}", "") for file in copied]
            rows = sum(file.rows for file in copied)
        else:
            files, rows = self._files_shown(version, shown, partly=bool(left_out)), version.rows
        width = len(str(len(files) - 1))
        linked = []
        for number, (file, shows) in enumerate(files):
            path = f"{folder.name}/part-{number:0{width}}.parquet"
            _link(file, f"{self.place}/{path}")
            size = _seal_linked(f"{self.place}/{path}")
            linked.append(PublishedFile(path=path, bytes=size, shows=shows))
        return PublishedFiles(
            fingerprint=version.fingerprint,
            version=version.id,
            rows=rows,
            columns=shown or (WITHHELD,),
            left_out=left_out,
            files=tuple(linked),
        )

    def _files_shown(self, version: Version, shown: Sequence[str], *, partly: bool) -> list[tuple[str, str]]:
        """Return what is linked, and the file of the lake that it shows: these files, or copies of each.

        A copy that the folder before has is taken from there, so that a new interval copies itself alone.
        """
        root = self.platform.data.root
        if not partly:
            return [(f"{root}/{file.path}", "") for file in version.files]
        copies = self._copies_before(version, shown)
        new = [file.path for file in version.files if file.path not in copies]
        relations = [
            Relation(version.table, version.columns, (self.platform.data.absolute(path),)) for path in new
        ]
        for path, copy in zip(new, self._copied(relations, shown), strict=True):
            copies[path] = f"{root}/{copy.path}"
        return [(copies[file.path], file.path) for file in version.files]

    def _copies_before(self, version: Version, shown: Sequence[str]) -> dict[str, str]:
        last = self.last.tables.get(version.table) if self.last else None
        if (
            last is None
            or last.columns != (tuple(shown) or (WITHHELD,))
            or _torn(self.last_place, last.files)
        ):
            return {}
        return {file.shows: f"{self.last_place}/{file.path}" for file in last.files if file.shows}

    def _copied(self, relations: Sequence[Relation], shown: Sequence[str]) -> tuple[DataFile, ...]:
        """Write the rows of each relation, of one name all, with those of its columns that are shown."""
        if not relations:
            return ()
        [first, *_] = relations
        columns = {column: first.columns[column] for column in shown} or {WITHHELD: "boolean"}
        selected = ", ".join(map(quoted, shown)) or f"true AS {WITHHELD}"
        files: list[DataFile] = []
        with self.platform.engine.session([]) as session:
            for relation in relations:
                session.define(relation)
                sql = f"SELECT {selected} FROM {quoted(relation.name)}"
                files += session.write(sql, columns, self.place / _COPIES)
        for file in files:
            sync(self.platform.data.absolute(file.path))
        return tuple(files)

    def _write_database(self, tables: Mapping[str, PublishedFiles]) -> PublishedFile:
        import duckdb  # noqa: PLC0415 (0.1 s, which a look at what is there need not pay)

        file = self.place / f"{self.publication.mart}.duckdb"
        with duckdb.connect(str(file)) as connection:
            connection.execute(";\n".join(["BEGIN", *self._definitions(tables), "COMMIT"]))
        return PublishedFile(path=file.name, bytes=_seal(file))

    def _definitions(self, tables: Mapping[str, PublishedFiles]) -> Iterator[str]:
        """Yield the statements that define views by absolute path, so that they work from any folder.

        They stand in ``main``: the name of the file makes ``<mart>.<table>`` a name of theirs too.
        """
        yield f"CREATE VIEW _publication AS {_provenance(self.publication)}"
        for name, published in tables.items():
            files = literal(f"{self.place.absolute()}/{_short(name)}/*.parquet")
            view = quoted(_short(name))
            yield f"CREATE VIEW {view} AS SELECT * FROM read_parquet({files}, hive_partitioning = false)"
            yield from self._comments(view, self.plan.tables.get(name), published.columns)

    def _comments(self, view: str, table: PlannedTable | None, columns: Sequence[str]) -> Iterator[str]:
        """Yield what puts the meaning of a table and of its columns where a reader's tools show them."""
        if table is None:
            return
        yield f"COMMENT ON VIEW {view} IS {literal(table.description.strip())}"
        for column in table.columns:
            if column.name in columns and column.meaning:
                yield f"COMMENT ON COLUMN {view}.{quoted(column.name)} IS {literal(column.meaning)}"


def _disagreement(platform: Platform, plan: Plan, live: Publication) -> str | None:
    place = _current(platform.data.published / live.mart)
    manifest = _manifest(place)
    if manifest is None or place.name == _CURRENT:
        return "there is no folder that could be read"
    if manifest.folder != str(place.absolute()):
        return f"its views look into {manifest.folder}"
    if manifest.number != live.number:
        return f"it shows publication {manifest.number}, live is {live.number}"
    if {n: (t.fingerprint, t.version) for n, t in manifest.tables.items()} != {
        n: (t.fingerprint, t.version) for n, t in live.tables.items()
    }:
        return f"it shows other versions than publication {live.number}"
    withheld = _withheld(platform, plan, live.mart)
    for name, table in manifest.tables.items():
        if not _shows_what_it_may(plan, withheld, name, table):
            return f"{name} shows other columns than it may"
        if torn := _torn(place, table.files):
            return f"{torn} is missing or torn"
    if torn := _torn(place, [manifest.database]):
        return f"{torn} is missing or torn"
    return None


def _shows_what_it_may(
    plan: Plan, withheld: Mapping[str, frozenset[str]], name: str, table: PublishedFiles
) -> bool:
    """Return whether a published table has exactly the columns that readers may see by now."""
    present = (*table.columns, *table.left_out)
    shown = published_columns(plan.tables.get(name), present, withheld.get(name, ()))
    return set(shown or (WITHHELD,)) == set(table.columns)


def _manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a folder; None where there is none that can be read."""
    try:
        return Manifest.model_validate_json((folder / _MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None


def _torn(place: Path, files: Sequence[PublishedFile]) -> str | None:
    """Return the first file that is not there in its full size."""
    for file in files:
        try:
            found = os.stat(f"{place}/{file.path}")  # noqa: PTH116 (they are many, and pathlib takes thrice as long)
            if found.st_size != file.bytes:
                return file.path
        except OSError:
            return file.path
    return None


def _provenance(publication: Publication) -> str:
    watermark = literal(publication.watermark.isoformat()) if publication.watermark else "NULL"
    return (
        f"SELECT {literal(publication.mart)} AS mart, {publication.number} AS number,"
        f" TIMESTAMPTZ {literal(publication.at.isoformat())} AS published_at,"
        f" {watermark}::TIMESTAMPTZ AS watermark"
    )


def _current(mart: Path) -> Path:
    """Return the numbered folder that the pointer points to."""
    pointer = mart / _CURRENT
    return mart / pointer.readlink() if pointer.is_symlink() else pointer


def _short(table: str) -> str:
    return table.split(".", 1)[1]


def _new_folder(mart: Path, number: int) -> Path:
    """Make an empty folder named by the number; one that is there already, torn or wrong, is left alone."""
    mart.mkdir(parents=True, exist_ok=True)
    for attempt in count():
        place = mart / (f"{number}.{attempt}" if attempt else str(number))
        try:
            place.mkdir()
        except FileExistsError:
            continue
        return place
    raise AssertionError("numbers do not end")


def _link(source: str, target: str) -> None:
    """Link a file, or copy it where the file system cannot link."""
    try:
        os.link(source, target)
    except FileNotFoundError as error:
        raise UserError(
            f"the published file {source} is gone from the lake. Put it back from a backup, or start with an "
            "empty data folder."
        ) from error
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(source, target)
        sync(Path(target))


def _seal_linked(file: str) -> int:
    """Make a file that is on the disk already read-only, for readers share it, and return its bytes."""
    found = os.stat(file)  # noqa: PTH116 (as in _torn)
    if found.st_mode & 0o777 != _READ_ONLY:
        Path(file).chmod(_READ_ONLY)
    return found.st_size


def _seal(file: Path) -> int:
    """Make a file that was written here read-only and lasting, and return its bytes."""
    file.chmod(_READ_ONLY)
    sync(file)
    return file.stat().st_size


def _point_to(mart: Path, place: Path) -> None:
    """Move the pointer, in one step."""
    link, current = mart / f".{_CURRENT}-{uuid4().hex}", mart / _CURRENT
    link.symlink_to(place.name)
    if current.is_dir() and not current.is_symlink():  # a copy of the folder that did not keep links
        shutil.rmtree(current)
    link.replace(current)
    sync(mart)


def _remove_old(mart: Path, now: datetime) -> None:
    """Remove the folders that were replaced an hour ago, and what killed processes left."""
    current = _current(mart)
    derived: dict[Path, datetime] = {}
    for place in (entry for entry in mart.iterdir() if entry.is_dir() and not entry.is_symlink()):
        if derived_at := _derived_at(place):
            derived[place] = derived_at
        elif place != current:
            shutil.rmtree(place, ignore_errors=True)
    in_order = sorted(derived, key=lambda place: derived[place])
    for place, later in pairwise(in_order):
        if place != current and now - derived[later] > KEPT_FOR:
            shutil.rmtree(place, ignore_errors=True)
    for leftover in mart.glob(f".{_CURRENT}-*"):
        leftover.unlink(missing_ok=True)


def _derived_at(place: Path) -> datetime | None:
    """Return when a numbered folder was filled, by the time of its manifest; None where that is missing."""
    try:
        return datetime.fromtimestamp((place / _MANIFEST).stat().st_mtime, UTC)
    except OSError:
        return None
