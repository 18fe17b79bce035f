"""The built-in warehouse with its transactions played by the clock instead of delivered at once."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from benchmarks.driving import Built, Driven
from mart_platform.assembly import BUILT_IN, Places

FIRST, LAST = date(2017, 1, 1), date(2017, 12, 31)
ALL_IS_OVER = LAST + timedelta(days=30)
"""By then all is delivered, what was planted late too."""

_DELIVERED_AT_ONCE = """\
    delivers: snapshot
    key: [basket_id, product_id]
"""
_PLAYED = """\
    delivers: changes
    replay:
      {every: day, delay: 2h, late: SHARE, duplicated: SHARE, corrected: SHARE, seed: 17, from: FIRST}
    key: [basket_id, product_id]
"""


def replayed_warehouse(into: Path, share: float, since: date) -> Path:
    """Copy the built-in warehouse into an empty place, and let its transactions be played.

    ``share`` of the lines come late, as many again, and as many wrong at first and right later. What lies
    before the day ``since`` comes with the first delivery.
    """
    shutil.copytree(BUILT_IN, into, ignore=shutil.ignore_patterns("__pycache__"))
    source = into / "sources" / "complete_journey" / "source.yaml"
    text = source.read_text(encoding="utf-8")
    if text.count(_DELIVERED_AT_ONCE) != 1:
        raise SystemExit(f"{source}: the transactions are not declared as they were")
    played = _PLAYED.replace("SHARE", f"{share}").replace("FIRST", since.isoformat())
    source.write_text(text.replace(_DELIVERED_AT_ONCE, played), encoding="utf-8")
    return into


class Year:
    """The played year on a data folder of its own, as far as it has come."""

    def __init__(self, folder: Path, share: float = 0.01, since: date = FIRST) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.driven = Driven(Places(replayed_warehouse(folder / "warehouse", share, since), folder / "data"))
        self.ends(since)

    def ends(self, day: date) -> None:
        """Let a day be over, so that it is delivered."""
        self.today = day
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        self.driven.set_clock(midnight + timedelta(days=1, hours=12))

    def next_day(self, *, dagster: bool = False) -> Built:
        """Let the day after be over too, and build."""
        self.ends(self.today + timedelta(days=1))
        return self.driven.build_by_dagster() if dagster else self.driven.build()
