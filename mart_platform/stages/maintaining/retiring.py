"""Retiring: which intervals of a table are older than its mart keeps, and may go."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mart_platform.planning.grains import end_of, start_of
from mart_platform.planning.plan import PlannedTable
from mart_platform.spec.marts import Retention
from mart_platform.spec.records import LegalHold, Version
from mart_platform.spec.tables import Grain
from mart_platform.spec.words import timedelta_of


@dataclass(frozen=True)
class Due:
    """What retention asks of a table: these intervals go, and none before ``floor`` is built again.

    ``held`` would go too, but for a legal hold.
    """

    floor: str
    intervals: tuple[str, ...]
    held: tuple[str, ...] = ()


def due(
    table: PlannedTable,
    version: Version,
    retention: Retention,
    now: datetime,
    holds: Iterable[LegalHold],
    coarsened: Collection[str] = (),
) -> Due:
    """Return what has to go of a table at a moment of the business clock.

    ``holds`` are the legal holds on it. Rows are made coarser only by whole intervals of the coarser grain;
    those that are ``coarsened`` already stay.
    """
    grain = _grain_of_retention(table, retention)
    cutoff = start_of(now.astimezone(UTC).replace(tzinfo=None) - timedelta_of(retention.keep), grain)
    floor = max(version.floor, key_of(cutoff, grain_of(table)))
    groups: dict[datetime, list[str]] = {}
    for key in sorted(_with_rows(version)):
        if key < floor:
            groups.setdefault(start_of(datetime.fromisoformat(key), grain), []).append(key)
    going, staying = list[str](), list[str]()
    for keys in groups.values():
        held = any(is_held(hold, key, grain_of(table)) for hold in holds for key in keys)
        if retention.then == "downsample" and set(keys) <= set(coarsened):
            continue
        (staying if held else going).extend(keys)
    return Due(floor, tuple(going), tuple(staying))


def is_due(table: PlannedTable, retention: Retention) -> bool:
    """Return whether the retention of its mart has anything to do with a table."""
    if table.kind != "incremental" or table.interval is None or retention.then == "keep":
        return False
    return retention.then != "downsample" or table.downsample is not None


def is_held(hold: LegalHold, key: str, grain: Grain | None = None) -> bool:
    """Return whether an interval may hold rows that are under a legal hold on its table.

    One that tells no time is; where its grain is not known, it is taken to be as long as the longest.
    """
    try:
        start = datetime.fromisoformat(key)
    except ValueError:
        return True
    last = (end_of(start, grain or "year") - timedelta(microseconds=1)).date()
    return (hold.until is None or start.date() <= hold.until) and (hold.since is None or hold.since <= last)


def grain_of(table: PlannedTable | None) -> Grain | None:
    """Return the grain of a table's intervals; None where they tell no time, or nothing is known of it."""
    return table.partition.grain if table and table.kind == "incremental" and table.partition else None


def key_of(start: datetime, grain: Grain | None) -> str:
    """Return the key of the interval of a table that begins at a moment."""
    return start.isoformat(sep=" ") if grain == "hour" else start.date().isoformat()


def without(version: Version, intervals: Collection[str], floor: str) -> Version:
    """Return the version without the files of intervals, which are retired with all before ``floor``."""
    gone = set(intervals)
    for file in version.files:
        if gone.intersection(file.intervals) and not gone.issuperset(file.intervals):
            raise ValueError(f"{file.path} holds intervals that stay beside others that go")
    return version.model_copy(
        update={
            "files": tuple(file for file in version.files if gone.isdisjoint(file.intervals)),
            "intervals": {key: part for key, part in version.intervals.items() if key not in gone},
            "floor": floor,
        }
    )


def _with_rows(version: Version) -> Iterable[str]:
    """Return the intervals that hold rows; one whose rows were never dated is none that could be due."""
    return (key for key, interval in version.intervals.items() if key and interval.rows)


def _grain_of_retention(table: PlannedTable, retention: Retention) -> Grain:
    """Return the grain by whose whole intervals rows are retired, which the planner knows to hold theirs."""
    grain = grain_of(table)
    if grain is None:
        raise ValueError(f"{table.name} has no intervals that tell a time")
    return table.downsample.grain if retention.then == "downsample" and table.downsample else grain
