"""Retention: what a mart keeps no longer is dropped, archived or made coarser; archived rows come back."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from mart_platform.planning.plan import CHANGED_ROWS, Plan, PlannedTable
from mart_platform.ports import CommitConflict, Platform
from mart_platform.runs.building import TableStep, build_table, check_table, newest, pins_of
from mart_platform.runs.committing import commit
from mart_platform.runs.deciding import shows, unjudged_checks, verdicts_on
from mart_platform.runs.leasing import holding
from mart_platform.runs.publishing import publish_mart
from mart_platform.runs.relations import of_files, version_of
from mart_platform.runs.reporting import ChecksFailed, MartReport
from mart_platform.runs.starting import read_by
from mart_platform.runs.worked import Worked, worked_alone
from mart_platform.spec.marts import Retention
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import (
    Build,
    Cause,
    DataFile,
    Event,
    Interval,
    Lease,
    LegalHold,
    Version,
    digest_of,
)
from mart_platform.stages.checking import Standing
from mart_platform.stages.maintaining import archiving, retiring
from mart_platform.stages.maintaining.downsampling import downsample
from mart_platform.stages.maintaining.retiring import Due

_DONE = {"drop": "dropped", "archive": "archived", "downsample": "downsampled"}


def retain(
    platform: Platform, plan: Plan, run: str, cause: str, *, dry_run: bool = False
) -> Iterator[Worked | MartReport]:
    """Retire what is due in the tables of each mart, and publish the marts whose readers see it still.

    What is made from a retained table stays as it is. A table whose blocking checks would fail without the
    rows stays as well, and so does then the publication of its mart.
    """
    for mart in plan.marts:
        refused = False
        for table in _tables_of(plan, mart):
            worked = _foreseen(platform, plan, table) if dry_run else _retained(platform, plan, run, table)
            refused = refused or bool(worked and worked.problem)
            if worked:
                yield worked
        if not dry_run and not refused and _is_to_be_shown(platform, plan, mart):
            yield _shown(platform, plan, run, mart, cause)


def publish_retained(platform: Platform, plan: Plan, run: str, mart: str, by: str) -> MartReport:
    """Bring the tables of a mart to what its retained ones hold now, and publish it.

    Nothing is computed for it but the checks that look at other tables.
    """
    for name in plan.marts[mart].tables:
        build_table(platform, plan, run, name)
        table = plan.tables[name]
        build = platform.ledger.latest_build(name, table.fingerprint)
        pins = read_by(platform, plan, run, name)
        if build is not None and unjudged_checks(table, build, pins, platform.ledger):
            check_table(platform, plan, run, name)
    return publish_mart(platform, plan, run, mart, by=by)


@dataclass(frozen=True)
class Restored:
    """What was brought back; ``hold`` is the legal hold that keeps it, until somebody releases it."""

    table: str
    intervals: tuple[str, ...]
    rows: int
    hold: str
    mart: MartReport


def restore(
    platform: Platform, plan: Plan, run: str, name: str, first: date | None, last: date | None, by: str
) -> Restored:
    """Bring the archived intervals of a table between two days back, both included, and publish its mart.

    They are put under a legal hold, for else the next maintenance would archive them again. Intervals that
    are there are left alone. Raises UserError when nothing is archived between the days, or what is there is
    damaged.
    """
    table, mart = plan.tables[name], plan.mart_of(name)
    if mart is None:
        raise UserError(f"{name} belongs to no mart, so that nothing of it is archived.")
    folder = archive_folder(platform, mart.spec.retention)
    span = LegalHold(
        name="-".join(["restored", name, *(str(day) for day in (first, last) if day)]),
        mart=mart.spec.mart,
        table=name,
        since=first,
        until=last,
        reason="brought back from the archive",
        by=by,
        at=platform.clock.wall(),
    )
    places = {
        key: place
        for key, place in archiving.archived(folder, name).items()
        if retiring.is_held(span, key, retiring.grain_of(table))
    }
    if not places:
        raise UserError(f"Nothing of {name} is archived in {folder} between these days.")
    with holding(platform, f"table {name}", run) as lease:
        is_new = span.name not in {hold.name for hold in platform.ledger.legal_holds()}
        if is_new:
            platform.ledger.add_legal_hold(span)
        keys, rows = _Retention(platform, plan, run, table, lease).bring_back(places)
        if is_new and not keys:
            platform.ledger.release_legal_hold(span.name)
            raise UserError(f"All rows of {name} that are archived between these days are there already.")
    report = publish_retained(platform, plan, run, mart.spec.mart, by)
    details = {"intervals": len(keys), "rows": rows, "by": by, "hold": span.name}
    platform.ledger.add_event(Event(at=platform.clock.wall(), kind="restored", subject=name, details=details))
    return Restored(name, keys, rows, span.name, report)


def archive_folder(platform: Platform, retention: Retention) -> Path:
    """Return the folder that a mart archives to."""
    return platform.data.root / (retention.to or archiving.DEFAULT_FOLDER)


def _tables_of(plan: Plan, mart: str) -> list[PlannedTable]:
    retention = plan.marts[mart].spec.retention
    tables = (plan.tables[name] for name in plan.marts[mart].tables)
    return [table for table in tables if retiring.is_due(table, retention)]


def _retained(platform: Platform, plan: Plan, run: str, table: PlannedTable) -> Worked | None:
    def retire(lease: Lease) -> Worked | None:
        return _Retention(platform, plan, run, table, lease).retire()

    return worked_alone(platform, run, "retention", table.name, retire)


def _foreseen(platform: Platform, plan: Plan, table: PlannedTable) -> Worked | None:
    build = platform.ledger.latest_build(table.name, table.fingerprint)
    if build is None:
        return None
    version, retention = version_of(platform, build), _retention_of(plan, table)
    due = _due(platform, plan, table, version)
    if not due.intervals:
        return None
    after = retiring.without(version, due.intervals, due.floor)
    told = f"{_counted(due.intervals)} would be {_DONE[retention.then]}"
    return Worked.between("retention", told, version, after, 0.0)


def _due(platform: Platform, plan: Plan, table: PlannedTable, version: Version) -> Due:
    mart, retention = table.schema_name, _retention_of(plan, table)
    holds = [h for h in platform.ledger.legal_holds() if h.mart == mart and h.table in (None, table.name)]
    coarsened = set[str]()
    if retention.then == "downsample":
        built = platform.ledger.intervals(table.name, table.fingerprint)
        coarsened = {key for key, interval in built.items() if interval.cause == "retention"}
    return retiring.due(table, version, retention, platform.clock.now(), holds, coarsened)


def _retention_of(plan: Plan, table: PlannedTable) -> Retention:
    return plan.marts[table.schema_name].spec.retention


def _is_to_be_shown(platform: Platform, plan: Plan, mart: str) -> bool:
    """Return whether readers do not see yet what retention has done, now or in a run that was killed."""
    live = platform.ledger.live(mart)
    tables = (plan.tables[name] for name in plan.marts[mart].tables)
    builds = [platform.ledger.latest_build(table.name, table.fingerprint) for table in tables]
    return live is not None and any(b.cause == "retention" and not shows(live, b) for b in builds if b)


def _shown(platform: Platform, plan: Plan, run: str, mart: str, by: str) -> Worked | MartReport:
    try:
        return publish_retained(platform, plan, run, mart, by)
    except (UserError, CommitConflict) as error:
        return Worked("retention", mart, "could not be published", problem=str(error))


class _Retention:
    """What retention does to one table, under its lease."""

    def __init__(self, platform: Platform, plan: Plan, run: str, table: PlannedTable, lease: Lease) -> None:
        self.platform, self.plan, self.run, self.table, self.lease = platform, plan, run, table, lease
        self.began = time.monotonic()
        self.retention = _retention_of(plan, table)

    def retire(self) -> Worked | None:
        """Do with the intervals that are due what the mart says."""
        present, number = newest(self.platform, self.table)
        if present is None:
            return None
        before = version_of(self.platform, present)
        due = _due(self.platform, self.plan, self.table, before)
        if not due.intervals:
            return self._held(before, due) if due.held else None
        if self.retention.then == "archive":
            self._archive(before, due)
        coarse: tuple[DataFile, ...] = ()
        if self.retention.then == "downsample":
            coarse = downsample(self.platform, self.table, before, due.intervals)
        rest = retiring.without(before, due.intervals, due.floor)
        told = f"{_counted(due.intervals)} before {due.floor} {_DONE[self.retention.then]}"
        after = self._commit(present, before, rest, coarse, number, due.intervals, "retention", told)
        return Worked.between("retention", told, before, after, time.monotonic() - self.began)

    def bring_back(self, places: dict[str, Path]) -> tuple[tuple[str, ...], int]:
        """Add archived intervals that are not there, and return them with the number of their rows."""
        present, number = newest(self.platform, self.table)
        if present is None:
            raise UserError(f"{self.table.name} was never built; run `mart build {self.table.name}` first.")
        before = version_of(self.platform, present)
        files, found = tuple[DataFile, ...](), dict[str, Interval]()
        try:
            for key, place in places.items():
                if key not in before.intervals:
                    manifest, written = archiving.restore(self.platform, self.table, place)
                    files, found[key] = (*files, *written), manifest.held
        except BaseException:
            self.platform.lake.delete(file.path for file in files)
            raise
        if found:
            told = f"{_counted(list(found))} restored"
            self._commit(present, before, before, files, number, tuple(found), "restore", told)
        return tuple(found), sum(interval.rows for interval in found.values())

    def _archive(self, version: Version, due: Due) -> None:
        folder = archive_folder(self.platform, self.retention)
        archiving.clear(folder, self.table.name)
        with self.platform.engine.session([]) as session:
            for key in due.intervals:
                manifest = archiving.archive(self.platform, session, folder, version, key)
                self.platform.progress.advances(self.table.name, manifest.rows)

    def _held(self, version: Version, due: Due) -> Worked:
        told = f"{_counted(due.held)} under a legal hold"
        return Worked.between("retention", told, version, version, time.monotonic() - self.began)

    def _commit(
        self,
        present: Build,
        before: Version,
        rest: Version,
        new: Sequence[DataFile],
        number: int,
        looked_at: Sequence[str],
        cause: Cause,
        reason: str,
    ) -> Version:
        """Judge the table as it would be, and commit it; of what it consumed, nothing is changed."""
        try:
            intervals, content = self._judged(present, before, rest, new, reason)
            files = (*rest.files, *new)
            after = rest.model_copy(
                update={
                    "id": digest_of(file.path for file in files),
                    "number": number,
                    "files": files,
                    "intervals": intervals,
                    "content": content,
                    "created_at": self.platform.clock.wall(),
                }
            )
            build = present.model_copy(
                update={
                    "version": after.id,
                    "content": content,
                    "rebuilt": tuple(sorted({*looked_at, *(key for file in new for key in file.intervals)})),
                    "cause": cause,
                    "run": self.run,
                    "reason": reason,
                    "seconds": time.monotonic() - self.began,
                    "at": self.platform.clock.wall(),
                }
            )
            commit(self.platform, self.table, build, after, before, self.lease)
        except (ChecksFailed, CommitConflict):  # after any other failure the lake may list them already
            self.platform.lake.delete(file.path for file in new)
            raise
        return after

    def _judged(
        self, present: Build, before: Version, rest: Version, new: Sequence[DataFile], reason: str
    ) -> tuple[dict[str, Interval], str]:
        """Return the intervals and the content of the table as it would be. Raises ChecksFailed."""
        platform, table = self.platform, self.table
        pins = pins_of(platform, self.plan, self.run, table)
        step = TableStep(platform, self.plan, table, self.run, pins, reason, self.began, "retention")
        judged = verdicts_on(table, present, pins, platform.ledger)
        row_checks = (check.check.name for check in table.checks if check.predicate is not None)
        changed = {key for file in new for key in file.intervals}
        standing = {key: part for key, part in rest.intervals.items() if key not in changed}
        with platform.engine.session([]) as session:
            session.define(of_files(platform, table.name, before.columns, (*rest.files, *new)))
            session.define(of_files(platform, CHANGED_ROWS, before.columns, new))
            step.define_checked_against(session)
            known = Standing(standing, frozenset()) if judged.keys() >= set(row_checks) else None
            checked = step.checked(session, known)
        return checked.intervals, checked.content


def _counted(intervals: Sequence[str]) -> str:
    return f"{len(intervals):,} {'interval' if len(intervals) == 1 else 'intervals'}"
