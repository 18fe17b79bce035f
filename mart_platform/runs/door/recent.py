"""What was worked out lately, so that it need not be worked out again."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass
class Recent(Generic[K, V]):
    """Remembers values by their keys, as many as there is ``room`` for; each takes ``weight`` of its key.

    What would take an eighth of the room is not remembered. Safe for many threads; a failure is not
    remembered.
    """

    room: int
    weight: Callable[[K], int] = lambda _: 1
    _known: "OrderedDict[K, V]" = field(default_factory=OrderedDict)
    _taken: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, key: K, work_out: Callable[[], V]) -> V:
        """Return the value of a key, worked out where it is not remembered."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        value = work_out()
        if self.weight(key) <= self.room // 8:
            with self._lock:
                self._remember(key, value)
        return value

    def _remember(self, key: K, value: V) -> None:
        if key not in self._known:
            self._taken += self.weight(key)
        self._known[key] = value
        while self._taken > self.room:
            oldest, _ = self._known.popitem(last=False)
            self._taken -= self.weight(oldest)
