"""What the audit log says of the queries: how many, how well, how fast, at what price."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mart_platform.ports import Platform
from mart_platform.spec.budgets import Lane
from mart_platform.spec.entries import ConnectEntry, QueryEntry, Sealed

OF_THE_ASKER = frozenset(
    {
        *("syntax", "not_allowed", "unknown_table", "unknown_column", "no_version"),
        *("ambiguous", "not_grouped", "many_rows", "types", "binding", "parameters"),
        *("conversion", "out_of_range", "invalid_input"),
        *("over_budget", "too_many_rows", "too_long", "out_of_memory", "cancelled"),
    }
)
"""Codes of what is the asker's own affair: mistakes in the query, limits of a budget, nobody who waits.

Every other code counts against us, one that is not known here too: that no place was free in time, that the
door was closing, that a key was missing, that the engine failed.
"""


@dataclass(frozen=True)
class Percentiles:
    """Of which 50, 95 and 99 in 100 values were no greater (nearest rank), in milliseconds."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class QueryFigures:
    """The queries on a mart in a lane; both are None where they were refused before that was known.

    A query on several marts counts for each. ``succeeded`` is the share of those with an answer among all but
    those that were refused for the asker's own reasons, ``cached`` the share of answers from the cache; both
    are None where there is nothing to divide by. ``milliseconds`` are those of answers. ``price`` is what all
    cost together, answered or not. ``estimates_off`` is by how much the estimated price of an answer differs
    from its price on average, as a share of it. ``refused`` counts what had no answer by its code.
    """

    mart: str | None
    lane: Lane | None
    queries: int
    succeeded: float | None
    cached: float | None
    milliseconds: Percentiles | None
    price: float
    mean_price: float
    estimates_off: float | None
    refused: Mapping[str, int]


@dataclass(frozen=True)
class ConnectFigures:
    """The tries to connect by whom we know: how many failed, and the time of those that succeeded.

    ``noise`` are tries that named nobody whom we know: a scanner's.
    """

    tries: int
    failed: int
    milliseconds: Percentiles | None
    noise: int


@dataclass(frozen=True)
class DoorFigures:
    """What happened at the door, from ``since`` on."""

    since: datetime
    queries: tuple[QueryFigures, ...]
    connects: ConnectFigures

    def __bool__(self) -> bool:
        return bool(self.queries or self.connects.tries or self.connects.noise)


def figures_of_last_day(platform: Platform) -> DoorFigures:
    """Return the figures of the last 24 hours."""
    since = platform.clock.wall() - timedelta(days=1)
    return figures(since, platform.audit.entries(since=since))


def figures(since: datetime, sealed: Iterable[Sealed]) -> DoorFigures:
    """Return the figures of entries of the audit log."""
    queries: dict[tuple[str | None, Lane | None], list[QueryEntry]] = {}
    connects: list[ConnectEntry] = []
    for entry in (each.entry for each in sealed):
        if isinstance(entry, QueryEntry):
            for mart in entry.versions or [None]:
                queries.setdefault((mart, entry.lane), []).append(entry)
        elif isinstance(entry, ConnectEntry):
            connects.append(entry)
    named = sorted(queries, key=lambda pair: (pair[0] is None, pair[0] or "", pair[1] or ""))
    return DoorFigures(
        since, tuple(_of_queries(*pair, queries[pair]) for pair in named), _of_connects(connects)
    )


def nearest_rank(values: Sequence[float], percent: float) -> float:
    """Return the smallest of some sorted values that so many in 100 of them are no greater than.

    >>> nearest_rank([1.0, 2.0, 3.0, 4.0], 50), nearest_rank([1.0, 2.0, 3.0, 4.0], 95)
    (2.0, 4.0)
    """
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]


def _of_queries(mart: str | None, lane: Lane | None, entries: Sequence[QueryEntry]) -> QueryFigures:
    answers = [entry for entry in entries if entry.has_answer]
    refused = Counter(entry.code or entry.outcome for entry in entries if not entry.has_answer)
    ours = sum(count for code, count in refused.items() if code not in OF_THE_ASKER)
    price = math.fsum(entry.price for entry in entries)
    off = [
        abs(entry.estimate - entry.price) / entry.price
        for entry in answers
        if entry.outcome == "answered" and entry.estimate is not None and entry.price > 0
    ]
    return QueryFigures(
        mart=mart,
        lane=lane,
        queries=len(entries),
        succeeded=_share(len(answers), len(answers) + ours),
        cached=_share(sum(entry.outcome == "cached" for entry in answers), len(answers)),
        milliseconds=_percentiles(math.fsum(entry.steps.values()) for entry in answers),
        price=price,
        mean_price=price / len(entries),
        estimates_off=math.fsum(off) / len(off) if off else None,
        refused=dict(sorted(refused.items())),
    )


def _of_connects(entries: Sequence[ConnectEntry]) -> ConnectFigures:
    known = [entry for entry in entries if not entry.noise]
    return ConnectFigures(
        tries=len(known),
        failed=sum(not entry.succeeded for entry in known),
        milliseconds=_percentiles(entry.milliseconds for entry in known if entry.succeeded),
        noise=len(entries) - len(known),
    )


def _percentiles(values: Iterable[float]) -> Percentiles | None:
    ordered = sorted(values)
    return Percentiles(*(nearest_rank(ordered, percent) for percent in (50, 95, 99))) if ordered else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
