"""A source that is played by the business clock, landed day by day or all at once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mart_platform.spec.records import Batch
from mart_platform_tests.stages.orders_shop import CONTRACT, HEADER, Shop

REPLAY = {"late": 0.1, "duplicated": 0.1, "corrected": 0.1, "seed": 5}
START, DAYS = datetime(2017, 3, 1, tzinfo=UTC), 30
EVENT_TIME = {"column": "at", "zone": "Europe/Berlin", "lateness": "6h"}


def rows() -> str:
    times = (START.replace(tzinfo=None) + timedelta(hours=2 * number) for number in range(DAYS * 6))
    return "".join(f"{number},{number % 50}.50,{time}\n" for number, time in enumerate(times))


def played(folder: Path, days: range, **replay: Any) -> Shop:
    """Return a shop whose export was landed at the end of each of these days."""
    shop = Shop(folder, key=["id"], event_time=EVENT_TIME, replay={**REPLAY, **replay})
    shop.deliver("all.csv", HEADER + rows())
    for day in days:
        shop.platform.clock.business = START + timedelta(days=day)
        shop.land()
    return shop


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return played(tmp_path_factory.mktemp("daily"), range(DAYS + 10))


def newest(shop: Shop) -> pl.DataFrame:
    """Return of each order the row that was delivered last."""
    last = shop.rows().sort("_delivered").unique("id", keep="last").sort("id")
    return last.select("id", "price", "at")


def truth(shop: Shop) -> pl.DataFrame:
    return pl.read_parquet(shop.platform.data.replay / "shop.orders" / "truth.parquet")


def without_times(batch: Batch) -> dict[str, Any]:
    return batch.model_dump(exclude={"files", "arrived_at", "modified_ns"})


def test_after_the_last_delivery_the_newest_rows_are_those_of_the_source(daily: Shop, tmp_path: Path) -> None:
    whole = Shop(tmp_path)
    whole.deliver("all.csv", HEADER + rows())
    whole.land()
    assert newest(daily).equals(whole.rows().select("id", "price", "at").sort("id"))
    assert daily.rows().height > whole.rows().height


def test_a_year_that_is_played_at_once_lands_the_same_batches(daily: Shop, tmp_path: Path) -> None:
    at_once = played(tmp_path, range(DAYS + 9, DAYS + 10))
    assert [without_times(batch) for batch in at_once.batches] == [without_times(b) for b in daily.batches]
    assert at_once.version()[0].content == daily.version()[0].content
    assert at_once.version()[1] == daily.version()[1]


def test_the_watermark_is_what_the_newest_day_declares(daily: Shop) -> None:
    last = daily.batches[-1]
    assert daily.version()[1] == last.complete_through
    assert last.newest_event is not None
    assert [batch.complete_through for batch in daily.batches] == sorted(
        batch.complete_through for batch in daily.batches if batch.complete_through
    )


def test_the_late_rows_that_landing_counts_are_those_that_were_planted_too_late(daily: Shop) -> None:
    too_late = truth(daily).filter(~pl.col("allowed")).group_by("delivered").len().rows()
    found = {batch.position: batch.late for batch in daily.batches if batch.late}
    assert found == dict(too_late)
    told = daily.platform.ledger.events(kind="late_rows", limit=1000)
    assert sum(event.details["rows"] for event in told) == sum(found.values())


def test_nothing_comes_before_its_day_is_over(tmp_path: Path) -> None:
    shop = played(tmp_path, range(1), delay="3h")
    assert shop.pending() == []
    shop.platform.clock.business = START + timedelta(days=1, hours=2)
    assert shop.pending() == ["2017/2017-03-01.csv"]
    shop.platform.clock.business -= timedelta(seconds=1)
    assert shop.pending() == []


def test_a_changed_contract_lands_what_was_played_again(daily: Shop, tmp_path: Path) -> None:
    shop = played(tmp_path, range(4, 5))
    columns = {**CONTRACT["columns"], "price": {"type": "decimal(12,2)", "delivered_as": "Price"}}
    before = [batch.id for batch in shop.batches]
    shop.declare("f2", columns=columns, key=["id"], event_time=EVENT_TIME, replay=REPLAY)
    shop.land()
    assert [batch.id for batch in shop.batches] == before == [b.id for b in daily.batches[: len(before)]]
