"""Prices: what a query will cost as far as can be told, and what it has cost."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from mart_platform.spec.budgets import Prices

Sizes = Mapping[str, Mapping[str, int]]
"""Bytes of the columns of tables."""

_BYTES_A_SECOND = 150e6
"""Bytes of Parquet that one CPU second gets through, where nothing is known of a query yet."""
_FORGETS = 0.3
"""Weight of the newest run in the running mean of a query's CPU seconds."""
_REMEMBERED = 10_000


@dataclass(frozen=True)
class Estimate:
    """What a query will cost: CPU seconds, bytes read, and the price of both. ``runs`` it is learned from."""

    cpu_seconds: float
    bytes_read: int
    price: float
    runs: int = 0


@dataclass
class Experience:
    """What queries have cost, by their fingerprints. Safe for many threads."""

    prices: Prices
    _seconds: "OrderedDict[str, tuple[float, int]]" = field(default_factory=OrderedDict)
    _learning: threading.Lock = field(default_factory=threading.Lock)

    def estimate(self, fingerprint: str, reads: Mapping[str, tuple[str, ...]], sizes: Sizes) -> Estimate:
        """Return what a query will cost: as it did before, else by the bytes of the columns that it reads."""
        read = bytes_read(reads, sizes)
        with self._learning:
            seconds, runs = self._seconds.get(fingerprint, (read / _BYTES_A_SECOND, 0))
        return Estimate(seconds, read, self.prices.of(seconds, read), runs)

    def learn(self, fingerprint: str, cpu_seconds: float) -> None:
        """Remember what a query took."""
        with self._learning:
            mean, runs = self._seconds.pop(fingerprint, (cpu_seconds, 0))
            self._seconds[fingerprint] = mean + _FORGETS * (cpu_seconds - mean), runs + 1
            while len(self._seconds) > _REMEMBERED:
                self._seconds.popitem(last=False)


def bytes_read(reads: Mapping[str, tuple[str, ...]], sizes: Sizes) -> int:
    """Return the bytes of the columns that a query reads.

    >>> bytes_read({"sales.basket": ("day", "total")}, {"sales.basket": {"day": 10, "total": 200, "id": 3}})
    210
    """
    return sum(sizes.get(table, {}).get(column, 0) for table, columns in reads.items() for column in columns)
