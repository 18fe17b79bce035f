"""Archiving: an interval's files in a cold folder, with all that is needed to read or restore them alone.

``<folder>/<schema>/<table>/<interval>/<content>/`` holds Parquet files and ``manifest.json``. It appears at
once and whole, after it was read back, and is never changed: the same rows archived again are found there,
other rows of the same interval lie in a folder of their own.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from mart_platform.durable import sync
from mart_platform.planning.plan import PlannedTable
from mart_platform.ports import EngineSession, Platform, Relation
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import DataFile, Interval, Record, Version, digest_of
from mart_platform.stages.maintaining.contents import Contents, Rows

DEFAULT_FOLDER = "archive"
"""Where intervals are archived to when the mart names no folder; below the data folder."""

_MANIFEST, _HALF = "manifest.json", ".half-"


class ArchivedFile(Record):
    """A file beside the manifest."""

    name: str
    rows: int
    bytes: int
    sha256: str


class Manifest(Record):
    """What an archived interval is. ``held`` is what the ledger knew of it, to be known again."""

    table: str
    fingerprint: str
    version: str
    interval: str
    held: Interval
    columns: dict[str, str]
    rows: int
    bytes: int
    files: tuple[ArchivedFile, ...]
    archived_at: datetime


def archive(
    platform: Platform, session: EngineSession, folder: Path, version: Version, interval: str
) -> Manifest:
    """Copy the files of an interval into the archive, unless the same rows lie there already.

    The session serves to compare them, and defines the table as it is needed. Returns when the copy was read
    back and is on the disk. Raises UserError when it cannot be written, holds other rows than the lake, or
    when what lies there already is damaged.
    """
    place = _place(folder, version, interval)
    if (place / _MANIFEST).exists():
        return verified(place)
    with _reported(place), _half_written(place) as half:
        manifest = _copied(platform, session, version, interval, half)
        (half / _MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        for path in (*half.iterdir(), half):
            sync(path)
        _put(half, place)
    return verified(place)


def archived(folder: Path, table: str) -> dict[str, Path]:
    """Return the intervals of a table that lie in the archive, each with its newest folder."""
    found: dict[str, tuple[datetime, Path]] = {}
    for file in (folder / table.replace(".", "/")).glob(f"*/*/{_MANIFEST}"):
        manifest = _read(file)
        if manifest.interval not in found or found[manifest.interval][0] < manifest.archived_at:
            found[manifest.interval] = (manifest.archived_at, file.parent)
    return {interval: place for interval, (_, place) in sorted(found.items())}


def verified(place: Path) -> Manifest:
    """Return the manifest of an archived interval. Raises UserError when a file is not what it says."""
    manifest = _read(place / _MANIFEST)
    for file in manifest.files:
        path = place / file.name
        if not path.exists() or path.stat().st_size != file.bytes or _sha256(path) != file.sha256:
            raise UserError(
                f"The archived file {path} is missing or damaged: its checksum is not that of the manifest. "
                "Put it back from a backup; until then the interval can be neither restored nor dropped."
            )
    return manifest


def restore(platform: Platform, table: PlannedTable, place: Path) -> tuple[Manifest, tuple[DataFile, ...]]:
    """Write the rows of an archived interval as new files of the table, which nobody reads yet.

    Raises UserError when a file is damaged, or holds other columns than the table has now.
    """
    manifest = verified(place)
    if manifest.columns != table.types:
        raise UserError(
            f"{table.name}: {manifest.interval} was archived with other columns than the table has now. Its "
            f"files can be read as they are: {place}/*.parquet"
        )
    rows = Rows(table.name, manifest.columns)
    with platform.engine.session([_relation(manifest, place)]) as session:
        before = rows.contents(session)
        written = session.write(rows.selected, rows.columns, platform.data.lake / table.path)
        rows.define(session, platform, written)
        if rows.contents(session) != before:
            platform.lake.delete(file.path for file in written)
            raise UserError(
                f"{table.name}: {manifest.interval} was read otherwise than it was restored. Nothing was "
                "changed; look at the disk, and run it again."
            )
    return manifest, tuple(
        file.model_copy(update={"intervals": (manifest.interval,)}) for file in written if file.rows
    )


def clear(folder: Path, table: str) -> None:
    """Remove what killed processes left half written of a table; nobody else archives it meanwhile."""
    for half in (folder / table.replace(".", "/")).glob(f"*/{_HALF}*"):
        shutil.rmtree(half, ignore_errors=True)


def _copied(
    platform: Platform, session: EngineSession, version: Version, interval: str, half: Path
) -> Manifest:
    """Copy the files, and return their manifest once both hold the same rows."""
    sources = version.files_of([interval])
    files = tuple(_copy(platform.data.absolute(f.path), half, f.rows, n) for n, f in enumerate(sources))
    manifest = Manifest(
        table=version.table,
        fingerprint=version.fingerprint,
        version=version.id,
        interval=interval,
        held=version.intervals[interval],
        columns=version.columns,
        rows=sum(file.rows for file in files),
        bytes=sum(file.bytes for file in files),
        files=files,
        archived_at=platform.clock.wall(),
    )
    rows = Rows(version.table, version.columns)
    rows.define(session, platform, sources)
    before = rows.contents(session)
    session.define(_relation(manifest, half))
    if rows.contents(session) != before or _counted(before) != version.intervals[interval].rows:
        raise UserError(
            f"{version.table}: the archived copy of {interval} does not hold the rows of the lake. "
            "Nothing was dropped; look at the disk, and run it again."
        )
    return manifest


def _copy(source: Path, into: Path, rows: int, number: int) -> ArchivedFile:
    copy = into / f"part-{number}.parquet"
    shutil.copyfile(source, copy)
    if _sha256(source) != (digest := _sha256(copy)):
        raise UserError(f"{copy} is no true copy of {source}; look at the disk, and run it again.")
    return ArchivedFile(name=copy.name, rows=rows, bytes=copy.stat().st_size, sha256=digest)


def _relation(manifest: Manifest, place: Path) -> Relation:
    return Relation(manifest.table, manifest.columns, tuple(place / file.name for file in manifest.files))


def _counted(contents: Contents) -> int:
    return sum(rows for rows, _ in contents.values())


def _place(folder: Path, version: Version, interval: str) -> Path:
    content = digest_of([version.fingerprint, version.intervals[interval].content])
    named = interval.replace(" ", "T").replace(":", "")
    return folder / version.table.replace(".", "/") / named / content


@contextmanager
def _half_written(place: Path) -> Iterator[Path]:
    """Give a folder beside the place, and remove it if it is still there in the end."""
    half = place.with_name(f"{_HALF}{uuid4().hex}")
    half.mkdir(parents=True)
    try:
        yield half
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _put(half: Path, place: Path) -> None:
    """Move a folder into its place, and make the way to it durable; who came first has put the same there."""
    try:
        half.rename(place)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    for parent in list(place.parents)[:4]:
        sync(parent)


@contextmanager
def _reported(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(f"{error.filename or place} cannot be archived to: {reason}.") from error


def _read(file: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read. Put it back from a backup.") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
