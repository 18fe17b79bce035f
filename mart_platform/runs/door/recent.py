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
    """Remembers up to ``room`` values by their keys. Safe for many threads; a failure is not remembered."""

    room: int
    _known: "OrderedDict[K, V]" = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, key: K, work_out: Callable[[], V]) -> V:
        """Return the value of a key, worked out where it is not remembered."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        value = work_out()
        with self._lock:
            self._known[key] = value
            while len(self._known) > self.room:
                self._known.popitem(last=False)
        return value
