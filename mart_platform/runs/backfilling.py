"""A range of intervals built in pieces, beside production: resumable, and published once, at the end."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from uuid import uuid4

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import EngineSession, Platform
from mart_platform.runs import starting
from mart_platform.runs.building import TableStep, build_table, newest, pins_of
from mart_platform.runs.changes import owed
from mart_platform.runs.deciding import chosen
from mart_platform.runs.foreseeing import reads, seconds_for
from mart_platform.runs.leasing import holding, this_process
from mart_platform.runs.publishing import publish_mart
from mart_platform.runs.relations import Pins, gone, input_of, version_of
from mart_platform.runs.reporting import MartReport, TableReport
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Backfill, BackfillPiece, Build, DataFile, Event, Interval
from mart_platform.stages import narrowing

BATCH = 32
"""Intervals that are built by one query, unless it is said otherwise."""


@dataclass(frozen=True)
class TableRange:
    """What a backfill builds of one table, and what that costs: ``seconds`` by its history, if it has any.

    ``intervals`` is None for a table of which an input is to be built first.
    """

    table: str
    intervals: tuple[str, ...] | None
    rows: int
    bytes: int
    seconds: float | None


@dataclass(frozen=True)
class BackfillReport:
    """How a backfill ended: its tables as they were committed, and the publications at its end.

    ``owing`` counts for each table the intervals that nobody has built yet; with any, nothing is published.
    """

    id: str
    tables: tuple[TableReport, ...]
    marts: tuple[MartReport, ...]
    owing: dict[str, int]
    seconds: float


@dataclass(frozen=True)
class Pace:
    """How far a backfill is: intervals done of all, and seconds since it began or was resumed."""

    table: str
    done: int
    of: int
    seconds: float


def foresee_backfill(platform: Platform, plan: Plan, target: str, first: str, last: str) -> list[TableRange]:
    """Return what a backfill of a mart or a table would build between two days, both included.

    Raises UserError when nothing of the target can be built by intervals of time.
    """
    pins = starting.snapshot(platform, plan)
    ranges: list[TableRange] = []
    with platform.engine.session([]) as session:
        for table in _tables_of(plan, target):
            seen = starting.seen_by(plan, table.name, pins)
            missing = {name for name in table.inputs if name not in seen}
            if missing and missing <= {found.table for found in ranges}:
                ranges.append(TableRange(table.name, None, 0, 0, None))
                continue
            if missing:
                raise UserError(f"{table.name} reads {min(missing)}, which was never built; build it first.")
            intervals = _intervals_between(platform, session, plan, table, seen, first, last)
            rows, size = reads(platform, session, plan, table, seen, intervals)
            seconds = seconds_for(platform, table, len(intervals))
            ranges.append(TableRange(table.name, intervals, rows, size, seconds))
    return ranges


def backfill(
    platform: Platform,
    plan: Plan,
    target: str,
    first: str,
    last: str,
    *,
    batch: int = BATCH,
    wait: Callable[[], None] = lambda: None,
    told: Callable[[Pace], None] = lambda pace: None,
    allow_wider: bool = False,
) -> BackfillReport:
    """Build a range of intervals of a mart or a table in pieces, then publish once.

    One that was interrupted is taken up where it stopped, by the same snapshot; no interval is written twice.
    ``wait`` is called before each piece, and returns when it may go on. Raises UserError when another process
    works on it, or when a blocking check fails.
    """
    began = time.monotonic()
    with holding(platform, f"backfill {target}", this_process()):
        work = _taken_up(platform, plan, target, first, last) or _begun(platform, plan, target, first, last)
        tables, pieces = [], _Pieces(platform, plan, batch, wait, told)
        try:
            for name in work.owed:
                work = _with_intervals(platform, plan, work, plan.tables[name])
                pieces.write(work, plan.tables[name])
                tables.append(_commit(platform, plan, work, plan.tables[name]))
            marts = _finish(platform, plan, work, target, allow_wider=allow_wider)
        except UserError:
            platform.ledger.record_backfill(work.model_copy(update={"state": "failed"}))
            raise
        platform.ledger.record_backfill(work.model_copy(update={"state": "done"}))
        starting.end(platform, work.pins, succeeded=True)
        _record_pace(platform, plan, work)
        owing = _owing(platform, plan, work)
    return BackfillReport(work.id, tuple(tables), marts, owing, time.monotonic() - began)


def _tables_of(plan: Plan, target: str) -> list[PlannedTable]:
    _, names = chosen(plan, [target])
    tables = [plan.tables[name] for name in plan.tables if name in names]
    able = [table for table in tables if table.partition and table.interval and table.bindings]
    if not able:
        why = "; ".join(sorted({reason for table in tables for reason in table.unbound.values()}))
        raise UserError(
            f"Nothing of {target} can be built by intervals of time{f': {why}' if why else ''}. "
            f"`mart build {target}` builds it as a whole."
        )
    return able


def _intervals_between(
    platform: Platform,
    session: EngineSession,
    plan: Plan,
    table: PlannedTable,
    pins: Pins,
    first: str,
    last: str,
) -> tuple[str, ...]:
    """Return the intervals to which the inputs lead, from that of the first day to that of the last."""
    reached = _all_reached(platform, session, plan, table, pins)
    lowest = narrowing.interval_at(session, table, f"{first} 00:00:00")
    highest = narrowing.interval_at(session, table, f"{last} 23:59:59")
    return tuple(sorted(key for key in reached if lowest <= key <= highest))


def _all_reached(
    platform: Platform, session: EngineSession, plan: Plan, table: PlannedTable, pins: Pins
) -> frozenset[str]:
    for name in table.bindings:
        session.define(input_of(platform, plan, table, name, pins))
    bindings = table.bindings.items()
    found = [narrowing.reached(session, binding, [name]) for name, binding in bindings]
    return frozenset[str]().union(*found) - {narrowing.NOWHERE}


def _begun(platform: Platform, plan: Plan, target: str, first: str, last: str) -> Backfill:
    ranges = foresee_backfill(platform, plan, target, first, last)
    run = uuid4().hex
    starting.begin(platform, plan, run, f"backfill {target} {first} to {last}", [target])
    work = Backfill(
        id=uuid4().hex,
        target=target,
        first=first,
        last=last,
        owed={found.table: found.intervals for found in ranges},
        pins=run,
        holder=this_process(),
        at=platform.clock.wall(),
    )
    platform.ledger.record_backfill(work)
    return work


def _taken_up(platform: Platform, plan: Plan, target: str, first: str, last: str) -> Backfill | None:
    """Return the backfill of this range that was not finished, if what it reads and wrote is still there."""
    asked = (target, first, last)
    for work in platform.ledger.backfills():
        if work.state not in ("running", "failed") or (work.target, work.first, work.last) != asked:
            continue
        tables = [plan.tables[name] for name in work.owed if name in plan.tables]
        if len(tables) < len(work.owed) or not _is_whole(platform, plan, work, tables):
            platform.ledger.record_backfill(work.model_copy(update={"state": "cancelled"}))
            continue
        taken = work.model_copy(update={"state": "running", "holder": this_process()})
        platform.ledger.record_backfill(taken)
        return taken
    return None


def _is_whole(platform: Platform, plan: Plan, work: Backfill, tables: Sequence[PlannedTable]) -> bool:
    for table in tables:
        pins = starting.read_by(platform, plan, work.pins, table.name)
        if any(gone(platform, version_of(platform, pins[name])) for name in table.inputs if name in pins):
            return False
    return all(
        piece.fingerprint == plan.tables[piece.table].fingerprint for piece in platform.ledger.pieces(work.id)
    )


class _Pieces:
    """Writes what is still owed of each table, some intervals at a time; nothing of it is committed."""

    def __init__(
        self,
        platform: Platform,
        plan: Plan,
        batch: int,
        wait: Callable[[], None],
        told: Callable[[Pace], None],
    ) -> None:
        self.platform, self.plan, self.batch = platform, plan, batch
        self.wait, self.told, self.began = wait, told, time.monotonic()

    def write(self, work: Backfill, table: PlannedTable) -> None:
        """Write the owed intervals of a table that no piece holds yet."""
        asked = work.owed[table.name] or ()
        written = _intervals_of(self.platform.ledger.pieces(work.id, table.name))
        left = [key for key in asked if key not in written]
        for intervals in _cut(left, self.batch):
            self.wait()
            self._write_piece(work, table, intervals)
            written = {**written, **dict.fromkeys(intervals)}
            seconds = time.monotonic() - self.began
            self.told(Pace(table.name, len(written), len(asked), seconds))

    def _write_piece(self, work: Backfill, table: PlannedTable, intervals: Sequence[str]) -> None:
        began, pins = time.monotonic(), pins_of(self.platform, self.plan, work.pins, table)
        step = TableStep(self.platform, self.plan, table, work.pins, pins, _reason(work), began)
        with self.platform.engine.session([]) as session:
            files = step.write(session, intervals, "")
        found = {key: Interval(content="", rows=_rows(files, key)) for key in intervals}
        piece = BackfillPiece(
            backfill=work.id,
            table=table.name,
            fingerprint=table.fingerprint,
            intervals=found,
            files=files,
            seconds=time.monotonic() - began,
            at=self.platform.clock.wall(),
        )
        self.platform.ledger.add_piece(piece)


def _commit(platform: Platform, plan: Plan, work: Backfill, table: PlannedTable) -> TableReport:
    """Put the pieces of a table in the place of its intervals, unless production built these meanwhile."""
    began = time.monotonic()
    with holding(platform, f"table {table.name}", work.pins) as lease:
        present, number = newest(platform, table)
        pins = _judged_against(platform, plan, work, table, present)
        step = TableStep(platform, plan, table, work.pins, pins, _reason(work), began, "backfill")
        intervals, files = _still_wanted(platform, work, table, present)
        if present and not intervals:
            return step.as_it_is(present)
        owing = frozenset[str]()
        if present is None:
            with platform.engine.session([]) as session:
                owing = _all_reached(platform, session, plan, table, pins).difference(intervals)
        return step.put(present, number, lease, intervals, files, owing)


def _with_intervals(platform: Platform, plan: Plan, work: Backfill, table: PlannedTable) -> Backfill:
    """Return the backfill with the intervals of a table, which may hang on one that it has just built."""
    if work.owed[table.name] is not None:
        return work
    pins = pins_of(platform, plan, work.pins, table)
    with platform.engine.session([]) as session:
        asked = _intervals_between(platform, session, plan, table, pins, work.first, work.last)
    known = work.model_copy(update={"owed": {**work.owed, table.name: asked}})
    platform.ledger.record_backfill(known)
    return known


def _judged_against(
    platform: Platform, plan: Plan, work: Backfill, table: PlannedTable, present: Build | None
) -> Pins:
    """Return what the table as a whole is made from: what production read last, else the own snapshot."""
    if present and present.run != work.pins:
        theirs = starting.read_by(platform, plan, present.run, table.name)
        if all(name in theirs for name in table.after):
            return theirs
    return pins_of(platform, plan, work.pins, table)


def _still_wanted(
    platform: Platform, work: Backfill, table: PlannedTable, present: Build | None
) -> tuple[tuple[str, ...], tuple[DataFile, ...]]:
    """Return the intervals that the backfill may put in place, and their files.

    Not those that production built since it began, nor those that it put in place before it was killed.
    """
    pieces = platform.ledger.pieces(work.id, table.name)
    built = platform.ledger.intervals(table.name, table.fingerprint) if present else {}
    settled = {key for key, interval in built.items() if interval.at > work.at or interval.run == work.pins}
    intervals = tuple(key for key in work.owed[table.name] or () if key not in settled)
    files = tuple(f for piece in pieces for f in piece.files if not settled.issuperset(f.intervals))
    return intervals, files


def _finish(
    platform: Platform, plan: Plan, work: Backfill, target: str, *, allow_wider: bool
) -> tuple[MartReport, ...]:
    """Bring what hangs on the tables up to date in a run of its own, and publish their mart.

    A table of which only a part was built is left as it is: the next build makes the rest, and publishes.
    """
    marts, tables = chosen(plan, [target])
    mart = marts[0] if marts else next((m.spec.mart for name in tables if (m := plan.mart_of(name))), None)
    if mart is None or _owing(platform, plan, work):
        return ()
    run = uuid4().hex
    starting.begin(platform, plan, run, f"the end of a backfill of {target}", [mart])
    succeeded = False
    try:
        for name in plan.marts[mart].tables:
            build_table(platform, plan, run, name)
        report = publish_mart(platform, plan, run, mart, by="backfill", allow_wider=allow_wider)
        succeeded = True
    finally:
        starting.end(platform, run, succeeded=succeeded)
    return (report,)


def _owing(platform: Platform, plan: Plan, work: Backfill) -> dict[str, int]:
    """Return how many intervals each table of the backfill still lacks, where it lacks any."""
    tables = {name: plan.tables[name] for name in work.owed}
    builds = {name: platform.ledger.latest_build(name, table.fingerprint) for name, table in tables.items()}
    left = {
        name: len(owed(platform, tables[name], version_of(platform, build)))
        for name, build in builds.items()
        if build
    }
    return {name: count for name, count in left.items() if count}


def _record_pace(platform: Platform, plan: Plan, work: Backfill) -> None:
    """Tell the ledger how many seconds a week of data took, for who plans the next one."""
    for name in work.owed:
        pieces = platform.ledger.pieces(work.id, name)
        days = sum(len(piece.intervals) for piece in pieces) * _days_of(plan.tables[name])
        seconds = sum(piece.seconds for piece in pieces)
        details = {"backfill": work.id, "seconds": seconds, "days": days}
        if days:
            details["seconds_a_week"] = seconds / days * 7
        platform.ledger.add_event(
            Event(at=platform.clock.wall(), kind="backfilled", subject=name, details=details)
        )


def _days_of(table: PlannedTable) -> float:
    grains = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 30.44, "year": 365.25}
    return grains[table.partition.grain] if table.partition else 0.0


def _reason(work: Backfill) -> str:
    return f"backfill from {work.first} to {work.last}"


def _rows(files: Sequence[DataFile], key: str) -> int:
    return sum(file.rows for file in files if key in file.intervals)


def _intervals_of(pieces: Sequence[BackfillPiece]) -> dict[str, None]:
    return {key: None for piece in pieces for key in piece.intervals}


def _cut(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))
