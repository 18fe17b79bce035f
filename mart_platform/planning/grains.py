"""Grains: which is coarser than which, and where an interval begins and ends."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from mart_platform.spec.tables import Grain

COARSER: Mapping[Grain, tuple[Grain, ...]] = {
    "hour": ("day", "week", "month", "year"),
    "day": ("week", "month", "year"),
    "week": (),  # a week may lie in two months, and in two years
    "month": ("year",),
    "year": (),
}
"""For each grain the coarser ones of which every interval holds whole intervals of it."""


def nests_in(grain: Grain, coarser: Grain) -> bool:
    """Return whether each interval of a grain lies in one interval of the other, as in one of its own.

    >>> nests_in("day", "month"), nests_in("week", "month")
    (True, False)
    """
    return coarser == grain or coarser in COARSER[grain]


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
