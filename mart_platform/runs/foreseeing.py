"""What a build would do, before it does anything: which intervals, how much it reads, how long it takes."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import EngineSession, Platform
from mart_platform.runs.changes import work_of
from mart_platform.runs.deciding import Todo, chosen, decide, what_to_do
from mart_platform.runs.relations import Pins, version_of
from mart_platform.runs.restricting import files_read
from mart_platform.runs.starting import seen_by, snapshot
from mart_platform.spec.records import Build
from mart_platform.stages.landing import pending

Action = Literal["land", "skip", "check", "intervals", "full", "open"]
"""``open``: it depends on what its inputs turn out to hold, and at most all is built."""


@dataclass(frozen=True)
class Foreseen:
    """What a build would do with one table: rows and bytes that it reads, and seconds by its history.

    ``intervals`` are those that are built; ``seconds`` is None where nothing like it was done before.
    """

    table: str
    action: Action
    reason: str
    intervals: tuple[str, ...] = ()
    rows: int = 0
    bytes: int = 0
    seconds: float | None = None


def foresee(
    platform: Platform, plan: Plan, targets: Iterable[str], todo: Todo | None = None
) -> list[Foreseen]:
    """Return for each table that the targets need what a build would do now. Reads only rows that changed."""
    targets = tuple(targets)
    todo = what_to_do(platform, plan, targets) if todo is None else todo
    pins = snapshot(platform, plan)
    with platform.engine.session([]) as session:
        return [
            _foreseen(platform, session, plan, plan.tables[name], pins, todo.tables)
            for name in plan.upstream_of(chosen(plan, targets)[1])
        ]


def reads(
    platform: Platform,
    session: EngineSession,
    plan: Plan,
    table: PlannedTable,
    pins: Pins,
    intervals: Collection[str] | None,
) -> tuple[int, int]:
    """Return the rows and bytes of the files that building these intervals opens; None for all."""
    files = [
        file
        for name in table.inputs
        if name in pins
        for file in files_read(platform, session, plan, table, name, pins, intervals)
    ]
    return sum(file.rows for file in files), sum(file.bytes for file in files)


def seconds_for(platform: Platform, table: PlannedTable, intervals: int | None) -> float | None:
    """Return how long so many intervals of a table take by its history (None for all); None without one."""
    builds = [build for build in platform.ledger.builds(table.name, limit=50) if build.rebuilt]
    if intervals is None:
        most = max((len(build.rebuilt) for build in builds), default=0)
        return _typical(build.seconds for build in builds if len(build.rebuilt) == most)
    typical = _typical(build.seconds / len(build.rebuilt) for build in builds)
    return None if typical is None else typical * intervals


def _typical(seconds: Iterable[float]) -> float | None:
    known = list(seconds)
    return median(known) if known else None


def _foreseen(
    platform: Platform,
    session: EngineSession,
    plan: Plan,
    table: PlannedTable,
    pins: Pins,
    due: Mapping[str, str],
) -> Foreseen:
    if table.name not in due:
        return Foreseen(table.name, "skip", "nothing that it reads has changed")
    reason = due[table.name]
    if table.layer == "landing":
        size = sum(delivery.size for delivery in pending(platform, plan, table))
        return Foreseen(
            table.name, "land", reason, bytes=size, seconds=_landing_seconds(platform, table, size)
        )
    seen, present = seen_by(plan, table.name, pins), pins.get(table.name)
    if present is None or any(name not in seen for name in table.inputs):
        return _full(platform, session, plan, table, seen, reason)
    if any(name in due for name in table.inputs):
        rows, size = reads(platform, session, plan, table, seen, None)
        seconds = seconds_for(platform, table, None)
        return Foreseen(table.name, "open", reason, rows=rows, bytes=size, seconds=seconds)
    return _decided(platform, session, plan, table, seen, present, reason)


def _decided(
    platform: Platform,
    session: EngineSession,
    plan: Plan,
    table: PlannedTable,
    pins: Pins,
    present: Build,
    reason: str,
) -> Foreseen:
    if decide(table, present, pins, platform.ledger).action in ("check", "move"):
        rows = version_of(platform, present).rows
        return Foreseen(table.name, "check", reason, rows=rows)
    work = work_of(platform, session, plan, table, present, pins)
    if work.is_nothing:
        return Foreseen(table.name, "skip", work.reason)
    if work.intervals is None:
        return _full(platform, session, plan, table, pins, work.reason)
    rows, size = reads(platform, session, plan, table, pins, work.intervals)
    seconds = seconds_for(platform, table, len(work.intervals))
    intervals = tuple(sorted(work.intervals))
    return Foreseen(table.name, "intervals", work.reason, intervals, rows, size, seconds)


def _full(
    platform: Platform, session: EngineSession, plan: Plan, table: PlannedTable, pins: Pins, reason: str
) -> Foreseen:
    rows, size = reads(platform, session, plan, table, pins, None)
    seconds = seconds_for(platform, table, None)
    return Foreseen(table.name, "full", reason, rows=rows, bytes=size, seconds=seconds)


def _landing_seconds(platform: Platform, table: PlannedTable, size: int) -> float | None:
    """Return how long landing so many bytes takes, by the batches that were landed and the time they took."""
    batches = {batch.run: batch.size for batch in platform.ledger.batches(table.name)}
    builds = [build for build in platform.ledger.builds(table.name) if batches.get(build.run)]
    typical = _typical(build.seconds / batches[build.run] for build in builds)
    return None if typical is None else typical * size
