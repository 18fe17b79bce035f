"""Days through the platform: a small warehouse, one build a day, with checks and a publication each time.

python -m benchmarks.peers.platform_player WAREHOUSE DELIVERED DATA CALLS DAY...
"""

import os
import sys
from pathlib import Path

from benchmarks.driving import Driven
from benchmarks.peers.playing import played
from mart_platform.assembly import Places


class PlatformPlayer:
    """A warehouse folder into whose source folder the day's file is put, and then built."""

    def __init__(self, warehouse: Path, delivered: Path, data: Path) -> None:
        self._driven = Driven(Places(warehouse, data))
        self._from, self._to = delivered, warehouse / "delivered"

    def prepare(self, first: str) -> None:
        (self._to / "transactions").mkdir(parents=True)
        self._deliver("products.parquet")
        self.play(first)

    def play(self, day: str) -> None:
        self._deliver(f"transactions/{day}.parquet")
        self._driven.build()

    def nothing(self) -> None:
        self._driven.build()

    def _deliver(self, file: str) -> None:
        os.link(self._from / file, self._to / file)


if __name__ == "__main__":
    warehouse, delivered, data, calls, *days = sys.argv[1:]
    played(PlatformPlayer(Path(warehouse), Path(delivered), Path(data)), days).write(Path(calls))
