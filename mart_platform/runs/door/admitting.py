"""Admission: a query waits for its turn, or is refused where it would cost more than is left."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

from mart_platform.gate.questions import Refused
from mart_platform.ports import Cancel
from mart_platform.runs.door.limits import Holder, Limit, Limits
from mart_platform.spec.budgets import Lane

_LOOKS_AGAIN = 0.25
"""Seconds after which a waiting query looks whether somebody still waits for it."""


@dataclass
class Turnstile:
    """Lets so many queries run at once, of each lane and of each holder of a limit; first come, first served.

    A query passes those that came before it only where they wait for something that it does not need.
    """

    slots: Mapping[Lane, int]
    _running: Counter[Holder] = field(default_factory=Counter)
    _waiting: list[frozenset[Holder]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def passed(self, limits: Limits, patience: float, cancel: Cancel | None = None) -> Iterator[None]:
        """Hold a slot while the block runs. Raises Refused when none was free for ``patience`` seconds."""
        needed = [Limit(self.slots[limits.lane], Holder("lane", limits.lane)), *limits.at_once]
        holders = frozenset(limit.holder for limit in needed)
        with self._changed:
            self._wait_for_a_turn(needed, holders, patience, cancel)
            self._running.update(holders)
        try:
            yield
        finally:
            with self._changed:
                self._running.subtract(holders)
                self._changed.notify_all()

    def running(self, lane: Lane) -> int:
        """Return how many queries of a lane run now."""
        return self._running[Holder("lane", lane)]

    def _wait_for_a_turn(
        self, needed: list[Limit], holders: frozenset[Holder], patience: float, cancel: Cancel | None
    ) -> None:
        until = time.monotonic() + patience
        self._waiting.append(holders)
        try:
            while full := self._in_the_way(needed, holders):
                left = until - time.monotonic()
                if left <= 0:
                    raise _too_busy(full, patience)
                if cancel is not None and cancel.is_set():
                    raise Refused("cancelled", "The query was cancelled while it waited.")
                self._changed.wait(min(left, _LOOKS_AGAIN))
        finally:
            place = next(n for n, waiting in enumerate(self._waiting) if waiting is holders)
            del self._waiting[place]
            self._changed.notify_all()

    def _in_the_way(self, needed: list[Limit], holders: frozenset[Holder]) -> Limit | None:
        """Return the limit that is reached, or that somebody who came before waits for."""
        for limit in needed:
            if self._running[limit.holder] >= limit.most:
                return limit
        for before in self._waiting:
            if before is holders:
                return None
            if shared := next((limit for limit in needed if limit.holder in before), None):
                return shared
        return None


@dataclass
class Spending:
    """What each holder has spent on a day, of which the account begins anew at midnight in UTC."""

    day: date | None = None
    _spent: dict[Holder, float] = field(default_factory=dict)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def spent(self, holder: Holder, today: date) -> float:
        """Return what a holder has spent today."""
        with self._counting:
            return self._spent.get(holder, 0.0) if self.day == today else 0.0

    def spend(self, holders: Iterable[Holder], price: float, today: date) -> None:
        """Put the price of a query on the account of each holder."""
        with self._counting:
            if self.day != today:
                self.day, self._spent = today, {}
            for holder in holders:
                self._spent[holder] = self._spent.get(holder, 0.0) + price

    def over(self, limits: Limits, estimate: float, today: date) -> Limit | None:
        """Return the first limit that a query of this price would exceed."""
        return next(
            (limit for limit in limits.spend if self.spent(limit.holder, today) + estimate > limit.most), None
        )


def _too_busy(full: Limit, patience: float) -> Refused:
    whose = "All places of the lane" if full.holder.kind == "lane" else "All queries that are allowed at once"
    return Refused(
        "busy",
        f"{whose} are taken ({full.holder}: {full.most:g}); none became free within {patience:g} seconds.",
        "Try again later, or run fewer queries at once.",
    )
