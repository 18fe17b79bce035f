"""What readers may have seen and is otherwise now: counted when it is built, to explain a KPI that moved."""

from datetime import UTC, datetime

from mart_platform.planning.grains import end_of
from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import EngineSession, Platform
from mart_platform.runs.relations import named, of_files, rows_of
from mart_platform.spec.records import Build, Restatement, RestatementCause, Version
from mart_platform.stages.restating import AFTER, BEFORE, Difference, differences


def restated(
    platform: Platform,
    session: EngineSession,
    plan: Plan,
    table: PlannedTable,
    before: Version | None,
    after: Version,
    present: Build | None,
    run: str,
) -> tuple[Restatement, ...]:
    """Return what differs between two versions of a mart's table, in each interval that was there before.

    The first version of its logic has none ``before`` it, and is compared with the live one.
    """
    if plan.mart_of(table.name) is None:
        return ()
    earlier = before or _live(platform, plan, table)
    if earlier is None or earlier.view or not set(table.key) <= set(earlier.columns):
        return ()
    same_logic = earlier.fingerprint == after.fingerprint
    keys = [
        key
        for key, interval in earlier.intervals.items()
        if interval.rows and (not same_logic or after.intervals.get(key) != interval)
    ]
    shared = [column for column in after.columns if column in earlier.columns]
    interval = table.interval if same_logic or _cut_alike(earlier, after) else None
    if not keys:
        return ()
    session.define(rows_of(platform, BEFORE, earlier, keys))
    new = after.files_of(keys) if interval or same_logic else after.files
    session.define(of_files(platform, AFTER, after.columns, new))
    found = differences(session, interval, table.key, shared)
    at = platform.clock.wall()
    return tuple(
        Restatement(
            table=table.name,
            interval=key,
            added=difference.added,
            removed=difference.removed,
            changed=difference.changed,
            cause=_cause(table, key, difference, present) if same_logic else "logic",
            run=run,
            at=at,
        )
        for key, difference in sorted(found.items())
        if difference.added or difference.removed or difference.changed
    )


def _live(platform: Platform, plan: Plan, table: PlannedTable) -> Version | None:
    mart = plan.mart_of(table.name)
    live = platform.ledger.live(mart.spec.mart) if mart else None
    if live is None or table.name not in live.tables:
        return None
    return named(platform, table.name, live.tables[table.name].version_name)


def _cut_alike(earlier: Version, after: Version) -> bool:
    return bool(earlier.intervals.keys() & after.intervals.keys())


def _cause(table: PlannedTable, key: str, difference: Difference, present: Build | None) -> RestatementCause:
    if difference.removed or difference.changed:
        return "corrected"
    complete = present.watermark if present else None
    if complete and table.partition:
        start = datetime.fromisoformat(key).replace(tzinfo=UTC)
        return "late" if end_of(start, table.partition.grain) <= complete else "growing"
    return "growing"
