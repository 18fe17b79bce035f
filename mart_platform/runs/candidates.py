"""A candidate: new files of some intervals, beside those of the version that it is meant to follow."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from mart_platform.planning.plan import PlannedTable
from mart_platform.ports import Platform
from mart_platform.runs.relations import gone
from mart_platform.spec.records import DataFile, Interval, Version, digest_of, same_rows


@dataclass(frozen=True)
class Candidate:
    """What a table would be: the files that were ``written``, and of ``base`` what they leave as it is.

    ``intervals`` are those that were built, None for all that are not before ``floor``; ``owing`` are those
    that its inputs lead to and that nobody had built before.
    """

    table: PlannedTable
    base: Version | None
    floor: str
    intervals: frozenset[str] | None
    written: tuple[DataFile, ...]
    owing: frozenset[str] = frozenset()

    @property
    def files(self) -> tuple[DataFile, ...]:
        """What was written, but for files of retired intervals, which a Python model yields as well."""
        return tuple(file for file in self.written if not self._is_retired(file))

    @property
    def looked_at(self) -> frozenset[str]:
        """The intervals that were built, whatever came out."""
        if self.intervals is not None:
            return self.intervals
        written = {key for file in self.files for key in file.intervals}
        known = {key for key in self._before() if key >= self.floor}
        return frozenset(written | known)

    @property
    def standing(self) -> dict[str, Interval]:
        """The intervals of the base that were not built again."""
        looked_at = self.looked_at
        return {key: interval for key, interval in self._before().items() if key not in looked_at}

    @property
    def owed(self) -> tuple[str, ...]:
        """The intervals that are still to be built."""
        return tuple(sorted(self.owing - self.looked_at))

    def all_files(self) -> tuple[DataFile, ...]:
        """Return the files of the table as it would be."""
        return (*(self.base.files_of(self.standing) if self.base else ()), *self.files)

    def changed(self, platform: Platform, intervals: Mapping[str, Interval]) -> frozenset[str]:
        """Return those of the judged intervals that hold other rows than before, or whose files were lost."""
        if self.base is None:
            return frozenset(intervals)
        lost = {key for file in gone(platform, self.base) for key in file.intervals}
        return frozenset(
            key
            for key in self.looked_at
            if key in lost or not same_rows(self.base.intervals.get(key), intervals.get(key))
        )

    def version(
        self,
        intervals: Mapping[str, Interval],
        changed: Collection[str],
        content: str,
        number: int,
        now: datetime,
    ) -> Version:
        """Return the version that it makes: new files of what changed, the old ones of everything else."""
        kept = [key for key in self._before() if key not in changed]
        new = [file for file in self.files if not frozenset(changed).isdisjoint(file.intervals)]
        files = (*(self.base.files_of(kept) if self.base else ()), *new)
        return Version(
            table=self.table.name,
            fingerprint=self.table.fingerprint,
            id=digest_of(file.path for file in files),
            number=number,
            columns=self.table.types,
            files=files,
            intervals=dict(intervals),
            floor=self.floor,
            owed=self.owed,
            content=content,
            created_at=now,
        )

    def discard(self, platform: Platform, *, but: Version | None = None) -> None:
        """Remove the files that were written and that no version holds: neither the base nor another one."""
        kept = {file.path for version in (self.base, but) if version for file in version.files}
        platform.lake.delete(file.path for file in self.written if file.path not in kept)

    def _before(self) -> Mapping[str, Interval]:
        return self.base.intervals if self.base else {}

    def _is_retired(self, file: DataFile) -> bool:
        return bool(self.floor and file.intervals and max(file.intervals) < self.floor)
