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

_IN_LINE: Mapping[Lane, int] = {"dashboard": 64, "ad-hoc": 16}
"""So many queries of a principal may wait: each of them holds a thread of the server, which others need."""
_LOOKS_AGAIN = 0.25
"""Seconds after which a waiting query looks whether somebody still waits for it."""


@dataclass
class Turnstile:
    """Lets so many queries run at once, of each lane and of each holder of a limit; first come, first served.

    A query that waits for a place of its own principal holds up nobody else meanwhile.
    """

    slots: Mapping[Lane, int]
    _running: Counter[Holder] = field(default_factory=Counter)
    _waiting: list["_Turn"] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def passed(self, limits: Limits, patience: float, cancel: Cancel | None = None) -> Iterator[None]:
        """Hold a place while the block runs.

        Raises Refused when none was free for ``patience`` seconds, and at once for one too many that waits.
        """
        needed = (Limit(self.slots[limits.lane], Holder("lane", limits.lane)), *limits.at_once)
        turn = _Turn(needed, limits.lane, limits.principal)
        with self._changed:
            self._wait_for(turn, patience, cancel)
            self._running.update(turn.holders)
        try:
            yield
        finally:
            with self._changed:
                self._running.subtract(turn.holders)
                self._changed.notify_all()

    def _wait_for(self, turn: "_Turn", patience: float, cancel: Cancel | None) -> None:
        until = time.monotonic() + patience
        if turn.asker and sum(turn.is_like(before) for before in self._waiting) >= _IN_LINE[turn.lane]:
            raise _too_many_wait(turn)
        self._waiting.append(turn)
        try:
            while reached := self._in_the_way_of(turn):
                left = until - time.monotonic()
                if left <= 0:
                    raise _too_busy(reached, patience)
                if cancel is not None and cancel.is_set():
                    raise Refused("cancelled", "The query was cancelled while it waited.")
                self._changed.wait(min(left, _LOOKS_AGAIN))
        finally:
            self._waiting.remove(turn)
            self._changed.notify_all()

    def _in_the_way_of(self, turn: "_Turn") -> Limit | None:
        """Return a limit that is reached, or that will be when those who came before have passed."""
        if reached := self._reached(turn):
            return reached
        for before in self._waiting:
            if before is turn:
                return None
            if not self._reached(before) and (shared := turn.shared_with(before)):
                return shared
        return None

    def _reached(self, turn: "_Turn") -> Limit | None:
        return next((limit for limit in turn.needed if self._running[limit.holder] >= limit.most), None)


@dataclass(frozen=True, eq=False)
class _Turn:
    """A query at the turnstile, and the places that it needs."""

    needed: tuple[Limit, ...]
    lane: Lane
    asker: Holder | None

    @property
    def holders(self) -> frozenset[Holder]:
        return frozenset(limit.holder for limit in self.needed)

    def is_like(self, other: "_Turn") -> bool:
        return (self.lane, self.asker) == (other.lane, other.asker)

    def shared_with(self, other: "_Turn") -> Limit | None:
        return next((limit for limit in self.needed if limit.holder in other.holders), None)


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


def _too_many_wait(turn: _Turn) -> Refused:
    return Refused(
        "busy",
        f"{_IN_LINE[turn.lane]} queries of {turn.asker} wait for their turn already.",
        "Wait for some of their answers before you ask for more.",
    )


def _too_busy(full: Limit, patience: float) -> Refused:
    whose = "All places of the lane" if full.holder.kind == "lane" else "All queries that are allowed at once"
    return Refused(
        "busy",
        f"{whose} are taken ({full.holder}: {full.most:g}); none became free within {patience:g} seconds.",
        "Try again later, or run fewer queries at once.",
    )
