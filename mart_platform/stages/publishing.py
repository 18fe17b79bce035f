"""Publishing for readers without a server: a folder of Parquet and DuckDB files, derived from the ledger.

``data/published/<mart>/current`` points to a numbered folder: for each table a folder with hard links to the
files of its live version, ``<mart>.duckdb`` with a view on each, and a manifest. A numbered folder is never
changed; the pointer moves in one step to one that is whole. Whoever has opened a folder reads on in it: it
stays for an hour after another took its place.
"""

import errno
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from mart_platform.durable import sync
from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.planning.quoting import literal, quoted
from mart_platform.ports import Platform, Relation
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Publication, Record, Version

if TYPE_CHECKING:
    import duckdb

KEPT_FOR = timedelta(hours=1)
"""How long a folder stays after another took its place."""

WITHHELD = "withheld"
"""The only column of a published table whose own columns are all sensitive: its rows can be counted."""

_CURRENT, _MANIFEST, _COPIES = "current", "manifest.json", ".copies"
_READ_ONLY = 0o444  # the files are shared with the lake, or belong to all readers


class PublishedFile(Record):
    """A file; ``path`` is relative to the numbered folder."""

    path: str
    bytes: int


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


def derive(
    platform: Platform, plan: Plan, publication: Publication, versions: Mapping[str, Version]
) -> str | None:
    """Make the published folder of a mart show its live publication; return what was wrong with it.

    ``versions`` has the version of each table. Columns that the plan labels, or does not know, are left out.
    Folders that were replaced an hour ago are removed. One process at a time. Changes nothing else, and
    returns None, when nothing was wrong.
    """
    mart = platform.data.published / publication.mart
    wrong = _disagreement(platform, plan, publication)
    if wrong is not None:
        place = _new_folder(mart, publication.number)
        try:
            _Filling(platform, plan, publication, versions, place).fill()
            _sync_below(place)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        _point_to(mart, place)
    _remove_old(mart, platform.clock.wall())
    return wrong


def derived_state(platform: Platform, plan: Plan, mart: str) -> str | None:
    """Return what is wrong with the published folder of a mart; None when it shows what is live."""
    live = platform.ledger.live(mart)
    return None if live is None else _disagreement(platform, plan, live)


def published_columns(table: PlannedTable | None, present: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that may leave the lake: those that the plan knows, and knows to have no label."""
    known = {column.name for column in table.columns} - table.labelled if table else set()
    return tuple(column for column in present if column in known)


class _Filling:
    """Fills one numbered folder."""

    def __init__(
        self,
        platform: Platform,
        plan: Plan,
        publication: Publication,
        versions: Mapping[str, Version],
        place: Path,
    ) -> None:
        self.platform, self.plan, self.publication, self.versions = platform, plan, publication, versions
        self.place = place
        self.last_place = _current(place.parent)
        self.last = _manifest(self.last_place)

    def fill(self) -> None:
        """Write all tables, the database that reads them, and last the manifest."""
        import duckdb  # noqa: PLC0415 (0.1 s, which a look at what is there need not pay)

        database = self.place / f"{self.publication.mart}.duckdb"
        with duckdb.connect(str(database)) as connection:
            tables = {name: self._publish(connection, name) for name in self.publication.tables}
            self._define_views(connection, tables)
        shutil.rmtree(self.place / _COPIES, ignore_errors=True)
        manifest = Manifest(
            mart=self.publication.mart,
            number=self.publication.number,
            published_at=self.publication.at,
            watermark=self.publication.watermark,
            derived_at=self.platform.clock.wall(),
            folder=str(self.place.absolute()),
            database=PublishedFile(path=database.name, bytes=database.stat().st_size),
            tables=tables,
        )
        (self.place / _MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")

    def _publish(self, connection: "duckdb.DuckDBPyConnection", name: str) -> PublishedFiles:
        """Fill the folder of one table: links where all columns are shown, else links to a copy."""
        version = self.versions[name]
        sources = [self.platform.data.absolute(file.path) for file in version.files]
        present = version.columns
        shown = published_columns(self.plan.tables.get(name), tuple(present))
        left_out = tuple(column for column in present if column not in shown)
        if left_out:
            sources = self._copied_before(name, version, left_out) or self._copy(
                name, sources, present, shown
            )
        folder = self.place / _short(name)
        folder.mkdir()
        files = [_link(source, folder / f"part-{n}.parquet") for n, source in enumerate(sources)]
        return PublishedFiles(
            fingerprint=version.fingerprint,
            version=version.id,
            rows=version.rows,
            columns=shown or (WITHHELD,),
            left_out=left_out,
            files=tuple(
                PublishedFile(path=file.relative_to(self.place).as_posix(), bytes=file.stat().st_size)
                for file in files
            ),
        )

    def _copied_before(self, name: str, version: Version, left_out: tuple[str, ...]) -> list[Path]:
        """Return the copy in the folder that is current, where it has the same rows and columns."""
        last = self.last.tables.get(name) if self.last else None
        if last is None or _torn(self.last_place, last.files):
            return []
        same = (last.fingerprint, last.version, last.left_out) == (version.fingerprint, version.id, left_out)
        return [self.last_place / file.path for file in last.files] if same else []

    def _copy(
        self, name: str, sources: Sequence[Path], present: Mapping[str, str], shown: Sequence[str]
    ) -> list[Path]:
        """Write the rows of a table without the columns that are left out."""
        relation = Relation(name, present, tuple(sources))
        columns = {column: present[column] for column in shown} or {WITHHELD: "boolean"}
        selected = ", ".join(map(quoted, shown)) or f"true AS {WITHHELD}"
        with self.platform.engine.session([relation]) as session:
            sql = f"SELECT {selected} FROM {quoted(name)}"
            written = session.write(sql, columns, self.place / _COPIES)
        return [self.platform.data.absolute(file.path) for file in written]

    def _define_views(
        self, connection: "duckdb.DuckDBPyConnection", tables: Mapping[str, PublishedFiles]
    ) -> None:
        """Define views by absolute path, so that they can be read from any working directory.

        They stand in ``main``: the name of the file makes ``<mart>.<table>`` a name of theirs too.
        """
        connection.execute(f"CREATE VIEW _publication AS {_provenance(self.publication)}")
        for name, published in tables.items():
            files = ", ".join(literal(str((self.place / file.path).absolute())) for file in published.files)
            parquet = f"read_parquet([{files}], hive_partitioning = false)"
            view = quoted(_short(name))
            connection.execute(f"CREATE VIEW {view} AS SELECT * FROM {parquet}")
            self._describe(connection, view, self.plan.tables.get(name), published.columns)

    def _describe(
        self,
        connection: "duckdb.DuckDBPyConnection",
        view: str,
        table: PlannedTable | None,
        columns: Sequence[str],
    ) -> None:
        """Put the meaning of a table and of its columns where a reader's tools show them."""
        if table is None:
            return
        connection.execute(f"COMMENT ON VIEW {view} IS {literal(table.description.strip())}")
        for column in table.columns:
            if column.name in columns and column.meaning:
                place = f"{view}.{quoted(column.name)}"
                connection.execute(f"COMMENT ON COLUMN {place} IS {literal(column.meaning)}")


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
    for name, table in manifest.tables.items():
        shown = published_columns(plan.tables.get(name), (*table.columns, *table.left_out))
        if set(shown or (WITHHELD,)) != set(table.columns):
            return f"{name} shows other columns than it may"
        if torn := _torn(place, table.files):
            return f"{torn} is missing or torn"
    if torn := _torn(place, [manifest.database]):
        return f"{torn} is missing or torn"
    return None


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
            if (place / file.path).stat().st_size != file.bytes:
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


def _link(source: Path, target: Path) -> Path:
    """Link a file, or copy it where the file system cannot link."""
    try:
        target.hardlink_to(source)
    except FileNotFoundError as error:
        raise UserError(
            f"the published file {source} is gone from the lake. Put it back from a backup, or start with an "
            "empty data folder."
        ) from error
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(source, target)
    return target


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
    others = [entry for entry in mart.iterdir() if entry.is_dir() and not entry.is_symlink()]
    derived = {place: manifest.derived_at for place in others if (manifest := _manifest(place))}
    for place in others:
        later = [at for other, at in derived.items() if place in derived and at > derived[place]]
        if place != current and (place not in derived or (later and now - min(later) > KEPT_FOR)):
            shutil.rmtree(place, ignore_errors=True)
    for leftover in mart.glob(f".{_CURRENT}-*"):
        leftover.unlink(missing_ok=True)


def _sync_below(place: Path) -> None:
    for path in sorted(place.rglob("*"), reverse=True):
        if path.is_file():
            path.chmod(_READ_ONLY)
        sync(path)
    sync(place)
    sync(place.parent)
