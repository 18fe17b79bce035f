"""Maintenance: rows are retired as their marts say, small files joined, and files removed that nobody needs.

Everything that is done to a table is done under its lease, which is never waited for: a table that somebody
writes is left for the next time. Each step may be killed at any moment, and run again.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs import starting
from mart_platform.runs.compacting import compact
from mart_platform.runs.leasing import at_once
from mart_platform.runs.reporting import MartReport
from mart_platform.runs.retaining import retain
from mart_platform.runs.vacuuming import Vacuumed, vacuum
from mart_platform.runs.worked import STEPS, Step, Worked
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Event, Storage
from mart_platform.stages.maintaining.measuring_storage import measured
from mart_platform.stages.maintaining.vacuuming import Folder, folders

PLATFORM = "platform"
"""The subject of what is recorded about all tables together."""


@dataclass(frozen=True)
class Maintained:
    """What a maintenance did, in the order in which it was done.

    ``tables`` are those that changed, or that could not be looked after. ``files`` and ``bytes`` are what the
    lake held before and after; ``swept`` counts the bytes of logs and of half-made work that were removed,
    ``forgotten`` the rows of the ledger and the entries of the audit log.
    """

    run: str
    tables: tuple[Worked, ...]
    marts: tuple[MartReport, ...]
    storage: tuple[Storage, ...]
    files: tuple[int, int]
    bytes: tuple[int, int]
    swept: int
    forgotten: int
    seconds: float

    @property
    def succeeded(self) -> bool:
        return not any(table.problem for table in self.tables)


def maintain(
    platform: Platform,
    plan: Plan,
    run: str,
    *,
    cause: str = "mart maintain",
    only: Collection[Step] = STEPS,
    dry_run: bool = False,
) -> Maintained:
    """Do what is due and return what was done, or with ``dry_run`` what would be.

    A table that fails stops no other one. Raises UserError when another maintenance is under way.
    """
    with _alone(platform, run):
        starting.abandon_dead_runs(platform)
        if dry_run:
            return _done(platform, plan, run, cause, only, dry_run=True)
        starting.begin(platform, plan, run, cause, plan.marts)
        succeeded = False
        try:
            maintained = _done(platform, plan, run, cause, only, dry_run=False)
            _record(platform, maintained)
            succeeded = maintained.succeeded
        finally:
            starting.end(platform, run, succeeded=succeeded)
        return maintained


@contextmanager
def _alone(platform: Platform, run: str) -> Iterator[None]:
    with at_once(platform, "maintenance", run) as lease:
        if lease is None:
            other = platform.ledger.lease("maintenance")
            by = other.holder if other else "another process"
            raise UserError(f"Maintenance is under way already, by {by}; this one steps aside.")
        yield


def _done(
    platform: Platform, plan: Plan, run: str, cause: str, only: Collection[Step], *, dry_run: bool
) -> Maintained:
    began, before = time.monotonic(), list(folders(platform))
    tables, marts, vacuumed = list[Worked](), list[MartReport](), Vacuumed((), 0, 0)
    if "retention" in only:
        for report in retain(platform, plan, run, cause, dry_run=dry_run):
            if isinstance(report, MartReport):
                marts.append(report)
            else:
                tables.append(report)
    if "compact" in only:
        tables += compact(platform, plan, run, dry_run=dry_run)
    if "vacuum" in only:
        vacuumed = vacuum(platform, plan, run, dry_run=dry_run)
        tables += vacuumed.tables
    after = list(folders(platform))
    return Maintained(
        run="" if dry_run else run,
        tables=tuple(tables),
        marts=tuple(marts),
        storage=tuple(measured(platform, plan, after)),
        files=(_files(before), _files(after)),
        bytes=(_bytes(before), _bytes(after)),
        swept=vacuumed.swept,
        forgotten=vacuumed.forgotten,
        seconds=time.monotonic() - began,
    )


def _record(platform: Platform, maintained: Maintained) -> None:
    """Tell the ledger what everything takes now, and what was done."""
    for storage in maintained.storage:
        platform.ledger.record_storage(storage)
    facts = {
        "run": maintained.run,
        "files_before": maintained.files[0],
        "files_after": maintained.files[1],
        "bytes_before": maintained.bytes[0],
        "bytes_after": maintained.bytes[1],
        "seconds": maintained.seconds,
    }
    problems = {table.table: table.problem for table in maintained.tables if table.problem}
    details = {**facts, "problems": problems}
    platform.ledger.add_event(
        Event(at=platform.clock.wall(), kind="maintained", subject=PLATFORM, details=details)
    )
    platform.telemetry.record("maintenance", **facts)


def _files(found: list[Folder]) -> int:
    return sum(len(folder.files) for folder in found)


def _bytes(found: list[Folder]) -> int:
    return sum(folder.bytes for folder in found)
