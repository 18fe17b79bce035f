"""Compaction: small files of a table joined under its lease, and committed as a change of no row."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import CommitConflict, Platform
from mart_platform.runs.building import newest
from mart_platform.runs.committing import BUILD, commit
from mart_platform.runs.leasing import refuse_taken_over
from mart_platform.runs.relations import version_of
from mart_platform.runs.worked import Worked, worked_alone
from mart_platform.spec.records import Batch, Build, Lease, Version
from mart_platform.spec.sources import HIDDEN_COLUMNS
from mart_platform.spec.words import bytes_of
from mart_platform.stages.landing.recording import batch_of
from mart_platform.stages.maintaining import compacting
from mart_platform.stages.maintaining.compacting import Group

VERSION = "mart_platform.version"
"""The key of a landed table's version in the log, for its batches only say which rows there are."""


def compact(platform: Platform, plan: Plan, run: str, *, dry_run: bool = False) -> Iterator[Worked]:
    """Join small files where that saves most, until as much was written anew as one run may.

    What is made from the tables, and who reads them, sees no change. Each table is committed by itself, so
    that a run that is killed has done what it has done.
    """
    left = bytes_of(plan.settings.maintenance.compact.rewrite)
    for candidate in sorted(_candidates(platform, plan), key=lambda found: -found.saved):
        chosen = compacting.within(candidate.groups, left)
        left -= sum(group.bytes for group in chosen)
        if not chosen:
            continue
        if dry_run:
            yield _foreseen(candidate, chosen)
        elif worked := _compacted(platform, plan, run, candidate.table, chosen):
            yield worked


@dataclass(frozen=True)
class _Candidate:
    """A table with files that are worth joining."""

    table: PlannedTable
    version: Version
    groups: tuple[Group, ...]

    @property
    def saved(self) -> int:
        return sum(group.saved for group in self.groups)


def _candidates(platform: Platform, plan: Plan) -> Iterator[_Candidate]:
    for table in plan.tables.values():
        build = platform.ledger.latest_build(table.name, table.fingerprint)
        if build is not None and table.kind != "view":
            version = version_of(platform, build)
            if found := compacting.groups(table, version, plan.settings.maintenance.compact):
                yield _Candidate(table, version, found)


def _compacted(
    platform: Platform, plan: Plan, run: str, table: PlannedTable, chosen: tuple[Group, ...]
) -> Worked | None:
    def join(lease: Lease) -> Worked | None:
        began = time.monotonic()
        step = _Landed if table.layer == "landing" else _Built
        return step(platform, table, run, lease, began).join(chosen)

    return worked_alone(platform, run, "compact", table.name, join)


class _Built:
    """The compaction of a table that is built."""

    def __init__(self, platform: Platform, table: PlannedTable, run: str, lease: Lease, began: float) -> None:
        self.platform, self.table, self.run, self.lease, self.began = platform, table, run, lease, began

    def join(self, chosen: tuple[Group, ...]) -> Worked | None:
        """Join those of the groups whose files the newest version still lists."""
        present, number = self.present()
        if present is None:
            return None
        version = version_of(self.platform, present)
        listed = {file.path for file in version.files}
        groups = [group for group in chosen if all(file.path in listed for file in group.files)]
        if not groups:
            return None
        joined = compacting.join(self.platform, self.table, version, groups)
        after = compacting.with_joined(version, joined).model_copy(
            update={"number": number, "created_at": self.platform.clock.wall()}
        )
        try:
            self.commit(self._build(present, version, after), after, version)
        except CommitConflict:  # after any other failure the lake may list them already
            compacting.discard(self.platform, joined)
            raise
        told = f"joined {_counted(groups)}"
        return Worked.between("compact", told, version, after, time.monotonic() - self.began)

    def present(self) -> tuple[Build | None, int]:
        """Return the newest build, and the number of the next version."""
        return newest(self.platform, self.table)

    def commit(self, build: Build, after: Version, before: Version) -> None:
        """Make the version the newest one."""
        commit(self.platform, self.table, build, after, before, self.lease)

    def _build(self, present: Build, before: Version, after: Version) -> Build:
        return present.model_copy(
            update={
                "version": after.id,
                "rebuilt": (),
                "cause": "compaction",
                "run": self.run,
                "reason": f"{len(before.files)} files joined to {len(after.files)}",
                "seconds": time.monotonic() - self.began,
                "at": self.platform.clock.wall(),
            }
        )


class _Landed(_Built):
    """The compaction of a landed table, whose log holds batches beside what is read of them."""

    def present(self) -> tuple[Build | None, int]:
        """Return the newest build, or None when a batch is committed that the ledger does not know yet."""
        head = self.platform.lake.head(self.table.path)
        build = self.platform.ledger.latest_build(self.table.name, self.table.fingerprint)
        if head is None or build is None:
            return None, 0
        known = {batch.id for batch in self._batches()}
        since = self.platform.lake.commits(self.table.path, version_of(self.platform, build).number)
        if any(batch.id not in known for entry in since if (batch := batch_of(entry))):
            return None, 0
        return build, head.number + 1

    def commit(self, build: Build, after: Version, before: Version) -> None:
        """Let the table list the version's files, and those of batches that are not read at present."""
        refuse_taken_over(self.platform, self.lease)
        unread = [batch for batch in self._batches() if batch.id not in after.intervals]
        recorded = after.model_copy(update={"files": tuple(file.committed() for file in after.files)})
        self.platform.lake.commit(
            self.table.path,
            {**after.columns, **HIDDEN_COLUMNS},
            [*after.files, *(file for batch in unread for file in batch.files)],
            base=after.number - 1,
            append=False,
            metadata={BUILD: build.model_dump_json(), VERSION: recorded.model_dump_json()},
            changes_data=False,
        )
        self.platform.ledger.record_build(build, recorded)

    def _batches(self) -> list[Batch]:
        return self.platform.ledger.batches(self.table.name, self.table.fingerprint)


def _foreseen(candidate: _Candidate, chosen: tuple[Group, ...]) -> Worked:
    """Return what joining would do; the bytes stay about what they are."""
    version, saved = candidate.version, sum(group.saved for group in chosen)
    files = (len(version.files), len(version.files) - saved)
    told = f"would join {_counted(chosen)}"
    return Worked("compact", candidate.table.name, told, files, (version.bytes, version.bytes))


def _counted(groups: Sequence[Group]) -> str:
    before = sum(len(group.files) for group in groups)
    return f"{before} files into {len(groups)}"
