"""Retiring: which intervals of a table are older than its mart keeps, and may go."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mart_platform.planning.plan import PlannedTable
from mart_platform.spec.marts import Retention
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import LegalHold, Version
from mart_platform.spec.tables import Grain
from mart_platform.spec.words import timedelta_of

_NESTED: dict[Grain, tuple[Grain, ...]] = {
    "hour": ("day", "week", "month", "year"),
    "day": ("week", "month", "year"),
    "week": (),
    "month": ("year",),
    "year": (),
}
"""For each grain the coarser ones of which every interval holds whole intervals of it."""


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
    those that are ``coarsened`` already stay. Raises UserError when the grain is not made of whole intervals.
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


def start_of(moment: datetime, grain: Grain) -> datetime:
    """Return the start of the interval that a moment lies in.

    >>> start_of(datetime(2017, 5, 18, 13, 30), "week"), start_of(datetime(2017, 5, 18), "year")
    (datetime.datetime(2017, 5, 15, 0, 0), datetime.datetime(2017, 1, 1, 0, 0))
    """
    if grain == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if grain == "week":
        return day - timedelta(days=day.weekday())
    if grain == "month":
        return day.replace(day=1)
    return day.replace(month=1, day=1) if grain == "year" else day


def end_of(start: datetime, grain: Grain) -> datetime:
    """Return where the interval after it begins.

    >>> end_of(datetime(2016, 2, 1), "month")
    datetime.datetime(2016, 3, 1, 0, 0)
    """
    length = {"hour": 1, "day": 24, "week": 7 * 24, "month": 31 * 24, "year": 366 * 24}[grain]
    return start_of(start + timedelta(hours=length), grain)


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
    grain = grain_of(table)
    if grain is None:
        raise ValueError(f"{table.name} has no intervals that tell a time")
    if retention.then != "downsample" or table.downsample is None:
        return grain
    coarse = table.downsample.grain
    if coarse not in _NESTED[grain]:
        allowed = ", ".join(_NESTED[grain]) or "none"
        raise UserError(
            f"{table.file}: 'downsample: {{grain: {coarse}}}' is not made of whole intervals of one {grain}; "
            f"allowed: {allowed}."
        )
    return coarse
