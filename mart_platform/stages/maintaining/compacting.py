"""Compacting: files that are too small to be read quickly are joined, and no row changes.

Files of a landed table may hold many batches afterwards, for each row names its own. Files of a built table
are joined within one interval, never across two, so that a build goes on replacing whole files.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mart_platform.planning.plan import PlannedTable
from mart_platform.ports import Platform
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import DataFile, Version, digest_of
from mart_platform.spec.settings import CompactionSettings
from mart_platform.spec.sources import BATCH_COLUMN, HIDDEN_COLUMNS
from mart_platform.spec.words import bytes_of
from mart_platform.stages.maintaining.contents import Contents, Rows

_LARGE = 256 * 10**6
"""Bytes of a file that nobody wants any larger."""


@dataclass(frozen=True)
class Group:
    """Files that become one."""

    files: tuple[DataFile, ...]

    @property
    def saved(self) -> int:
        """How many files there are less afterwards."""
        return len(self.files) - 1

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True)
class Joined:
    """The files of a group, and those that hold the same rows."""

    before: tuple[DataFile, ...]
    after: tuple[DataFile, ...]


def groups(table: PlannedTable, version: Version, settings: CompactionSettings) -> tuple[Group, ...]:
    """Return what is worth joining in a version, what saves most files first."""
    if table.layer == "landing":
        found = _small(version.files, settings)
    else:
        found = [group for files in _by_interval(version).values() for group in _chunks(files)]
    return tuple(sorted(found, key=lambda group: -group.saved))


def within(groups: Iterable[Group], bytes_left: int) -> tuple[Group, ...]:
    """Return the groups that together hold no more than so many bytes, in their order."""
    chosen = []
    for group in groups:
        if group.bytes <= bytes_left:
            chosen.append(group)
            bytes_left -= group.bytes
    return tuple(chosen)


def join(platform: Platform, table: PlannedTable, version: Version, groups: Sequence[Group]) -> list[Joined]:
    """Write each group as a new file, which nobody reads yet.

    Raises UserError when one that was written does not hold what the files before it hold, part by part.
    Files are left behind only by a process that is killed.
    """
    landed = table.layer == "landing"
    columns = {**version.columns, **(HIDDEN_COLUMNS if landed else {})}
    rows = Rows(table.name, columns, BATCH_COLUMN if landed else None)
    joined: list[Joined] = []
    try:
        with platform.engine.session([]) as session:
            for group in groups:
                rows.define(session, platform, group.files)
                before = rows.contents(session)
                written = session.write(rows.selected, columns, platform.data.lake / table.path)
                joined.append(Joined(group.files, tuple(_of_the_same(group, file) for file in written)))
                rows.define(session, platform, written)
                _refuse_other_rows(table, group, before, rows.contents(session))
                platform.progress.advances(table.name, sum(file.rows for file in group.files))
    except BaseException:
        discard(platform, joined)
        raise
    return joined


def with_joined(version: Version, joined: Iterable[Joined]) -> Version:
    """Return the version with the joined files in the place of those that they hold."""
    instead = {each.before[0].path: each.after for each in joined}
    gone = {file.path for each in joined for file in each.before}
    files: list[DataFile] = []
    for file in version.files:
        if file.path in instead:
            files += instead[file.path]
        elif file.path not in gone:
            files.append(file)
    return version.model_copy(
        update={"files": tuple(files), "id": digest_of(file.path for file in files)},
    )


def discard(platform: Platform, joined: Iterable[Joined]) -> None:
    """Remove what was written, and is certain to be in no version."""
    platform.lake.delete(file.path for each in joined for file in each.after)


def _refuse_other_rows(table: PlannedTable, group: Group, before: Contents, after: Contents) -> None:
    if after != before:
        raise UserError(
            f"{table.name}: the copy of {len(group.files)} files, the first of them {group.files[0].path}, "
            "holds other rows than they do. Nothing was changed; look at the disk, and run it again."
        )


def _small(files: Iterable[DataFile], settings: CompactionSettings) -> list[Group]:
    small = [file for file in files if file.bytes < bytes_of(settings.below)]
    return _chunks(small) if len(small) > settings.files else []


def _by_interval(version: Version) -> dict[str, list[DataFile]]:
    """Return the files of each interval; one that holds several, or none, is left alone."""
    found: dict[str, list[DataFile]] = {}
    for file in version.files:
        if len(file.intervals) == 1:
            found.setdefault(file.intervals[0], []).append(file)
    return found


def _chunks(files: Iterable[DataFile]) -> list[Group]:
    """Return the files in groups of no more than needed to make a large one, in their order."""
    chunks: list[list[DataFile]] = [[]]
    for file in files:
        if file.bytes >= _LARGE:
            continue
        if sum(other.bytes for other in chunks[-1]) >= _LARGE:
            chunks.append([])
        chunks[-1].append(file)
    return [Group(tuple(chunk)) for chunk in chunks if len(chunk) > 1]


def _of_the_same(group: Group, file: DataFile) -> DataFile:
    intervals = dict.fromkeys(interval for before in group.files for interval in before.intervals)
    return file.model_copy(update={"intervals": tuple(intervals)})
