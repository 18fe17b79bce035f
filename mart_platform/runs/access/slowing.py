"""Slowing down: whoever fails again and again waits longer each time, and guessing leads nowhere.

Names that exist and names that do not are counted alike, so that nobody learns from a delay which do.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_FREE_TRIES = 3
_FREE_NAMES = 20
_LONGEST = 300.0
_FORGOTTEN_AFTER = 3 * _LONGEST
_REMEMBERED = 20_000


@dataclass(frozen=True)
class _Failures:
    count: int
    last: float


class Delays:
    """Counts failures by name and address, and by address the names that failed there; safe for threads.

    After ``_FREE_TRIES`` with one name, or ``_FREE_NAMES`` names from one address, the wait begins at a
    second and doubles with each failure, up to five minutes. A name that was let in from an address does not
    wait for what others do there: else whoever shares an address could keep all others out. ``elapsed`` gives
    seconds that only grow.
    """

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._failures: OrderedDict[tuple[str, ...], _Failures] = OrderedDict()
        self._let_in: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def left(self, name: str, client: str) -> float:
        """Return for how many seconds to wait before the next try, 0 for none."""
        now = self._elapsed()
        with self._lock:
            until = self._until((name, client), _FREE_TRIES)
            if (name, client) not in self._let_in:
                until = max(until, self._until((client,), _FREE_NAMES))
        return max(0.0, until - now)

    def failed(self, name: str, client: str) -> None:
        """Count a failure; the first one of a name counts for its address too."""
        with self._lock:
            if self._known((name, client)) is None:
                self._count((client,))
            self._count((name, client))

    def succeeded(self, name: str, client: str) -> None:
        """Forget the failures of a name at an address; those of the address stay, for other names failed."""
        with self._lock:
            self._failures.pop((name, client), None)
            self._let_in[name, client] = None
            self._let_in.move_to_end((name, client))
            while len(self._let_in) > _REMEMBERED:
                self._let_in.popitem(last=False)

    def _until(self, key: tuple[str, ...], free: int) -> float:
        found = self._known(key)
        if found is None or found.count < free:
            return 0.0
        return found.last + min(2.0 ** min(found.count - free, 30), _LONGEST)

    def _known(self, key: tuple[str, ...]) -> _Failures | None:
        found = self._failures.get(key)
        return None if found is None or self._elapsed() - found.last > _FORGOTTEN_AFTER else found

    def _count(self, key: tuple[str, ...]) -> None:
        before = self._known(key)
        self._failures[key] = _Failures(before.count + 1 if before else 1, self._elapsed())
        self._failures.move_to_end(key)
        while len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)
