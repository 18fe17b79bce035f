"""Which batches a version is made of, in which order they follow each other, and which rows come late."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mart_platform.spec.records import Interval, delivery_order, digest_of
from mart_platform_tests.stages.orders_shop import CONTRACT, HEADER, Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_each_batch_is_an_interval_and_its_files_say_so(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER + "1,1,\n2,2,\n")
    shop.deliver("2.csv", HEADER + "3,3,\n")
    shop.land()
    version, _ = shop.version()
    first, second = shop.batches
    assert version.intervals == {
        first.id: Interval(content=first.id, rows=2),
        second.id: Interval(content=second.id, rows=1),
    }
    assert [file.intervals for file in version.files] == [(first.id,), (second.id,)]


def test_the_same_input_gives_the_same_rows_and_the_same_content(tmp_path: Path) -> None:
    made = []
    for place in ("a", "b"):
        shop = Shop(tmp_path / place)
        shop.deliver("2.csv", HEADER + "2,2,2017-01-02\n")
        shop.deliver("1.csv", HEADER + "1,x,\n1,1,2017-01-01\n")
        shop.land()
        made.append((shop.version()[0].content, shop.rows().rows(), shop.quarantine().rows()))
    assert made[0] == made[1]


def test_what_the_version_before_holds_stays_in_the_files_in_which_it_has_it(shop: Shop) -> None:
    for name in ("1.csv", "2.csv"):
        shop.deliver(name, HEADER + "1,1,\n")
        shop.land()
    landed, _ = shop.version()
    both = tuple(landed.intervals)
    joined = landed.files[0].model_copy(update={"path": "lake/joined.parquet", "rows": 2, "intervals": both})
    compacted = landed.model_copy(update={"id": digest_of([joined.path]), "files": (joined,)})
    assert shop.version(compacted)[0].files == (joined,)
    assert shop.version(compacted)[0].content == landed.content
    shop.deliver("3.csv", HEADER + "3,3,\n")
    shop.land()
    third = shop.batches[-1]
    version, _ = shop.version(compacted)
    assert [file.path for file in version.files] == [joined.path, third.files[0].path]
    assert version.content == shop.version()[0].content != landed.content


def test_a_snapshot_is_read_at_its_newest_delivery(tmp_path: Path) -> None:
    shop = Shop(tmp_path, delivers="snapshot")
    contents, previous = [], None
    for content in ("1,1,2017-01-05\n", "2,2,2017-01-03\n"):
        shop.deliver("1.csv", HEADER + content)
        shop.land()
        previous, _ = shop.version(previous)
        contents.append(previous.content)
    newest = shop.batches[-1]
    assert previous is not None
    assert previous.intervals.keys() == {newest.id}
    assert [file.path for file in previous.files] == [file.path for file in newest.files]
    assert contents[0] != contents[1]


def test_an_empty_delivery_changes_no_content(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER + "1,1,\n")
    shop.land()
    before, _ = shop.version()
    shop.deliver("2.csv", HEADER)
    shop.land()
    assert shop.version()[0].content == before.content


def test_a_row_knows_its_place_among_the_deliveries(shop: Shop) -> None:
    for name, content in (
        ("9.csv", "1,1,\n"),
        ("10.csv", "2,1,\n"),
        ("9.csv", "3,1,\n"),
        ("9.csv", "1,1,\n"),
    ):
        shop.deliver(name, HEADER + content)
        shop.land()
    landed = shop.rows().select("id", "_delivered").rows()
    nine, ten = (f"exports/{number:020}.csv#" for number in (9, 10))
    assert landed == [(1, f"{nine}000001"), (2, f"{ten}000001"), (3, f"{nine}000002"), (1, f"{nine}000003")]
    assert len({batch.id for batch in shop.batches}) == 4


def test_the_place_is_the_same_when_a_changed_contract_lands_it_again(shop: Shop) -> None:
    for content in ("1,1,\n", "2,1,\n"):
        shop.deliver("1.csv", HEADER + content)
        shop.land()
    before = shop.rows()["_delivered"].to_list()
    shop.declare("f2")
    shop.land()
    assert shop.rows()["_delivered"].to_list() == before


POSITION = st.text(alphabet="ab/._-# 0129", max_size=12)


@given(st.lists(POSITION, max_size=8))
def test_deliveries_follow_each_other_by_the_value_of_their_numbers(positions: list[str]) -> None:
    ordered = sorted(positions, key=delivery_order)
    assert sorted(ordered, key=delivery_order) == ordered
    for number in range(12):
        names = [f"{stem}{number}.csv" for stem in ("a", "x9-")]
        later = [f"{stem}{number + 1}.csv" for stem in ("a", "x9-")]
        assert all(delivery_order(a) < delivery_order(b) for a, b in zip(names, later, strict=True))


@given(st.lists(st.integers(0, 10**19), min_size=2), st.integers(1, 999_999), st.integers(1, 999_999))
def test_the_text_of_a_place_sorts_by_delivery_and_then_by_landing(
    numbers: list[int], one: int, other: int
) -> None:
    places = sorted(f"{delivery_order(f'2017/day-{number}.csv')}{one:06}" for number in set(numbers))
    found = [int(place.split("day-")[1].split(".")[0]) for place in places]
    assert found == sorted(set(numbers))
    assert all(a < b for a, b in pairwise(places))
    again = [f"{delivery_order('1.csv')}{landing:06}" for landing in (one, other)]
    assert (again[0] < again[1]) == (one < other)


# Watermarks, and rows that come after them


def test_the_watermark_is_the_newest_event_in_its_zone_less_lateness(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER + "1,1,2017-07-02 12:00\n2,2,2017-07-01\n")
    shop.land()
    assert shop.version()[1] == datetime(2017, 7, 1, 10, tzinfo=UTC)


def test_the_watermark_is_never_beyond_the_arrival(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER + "1,1,2999-01-01\n")
    shop.land()
    assert shop.version()[1] == shop.platform.clock.now() - timedelta(days=1)


def test_a_declared_end_is_the_watermark_and_lateness_does_not_lower_it(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER + "1,1,2017-07-02 12:00\n")
    shop.land()
    declared = datetime(2017, 7, 2, tzinfo=UTC)
    batch = shop.batches[0].model_copy(update={"complete_through": declared})
    assert shop.watermark([batch]) == declared
    assert shop.watermark([batch, batch.model_copy(update={"complete_through": None})]) == declared


def test_the_watermark_never_goes_back(shop: Shop) -> None:
    for name, day in (("1.csv", "2017-07-02"), ("2.csv", "2017-06-01")):
        shop.deliver(name, HEADER + f"1,1,{day}\n")
        shop.land()
    assert shop.version()[1] == datetime(2017, 6, 30, 22, tzinfo=UTC)


def test_rows_that_come_later_than_allowed_land_and_are_counted_and_told(shop: Shop) -> None:
    shop.deliver("1.csv", HEADER + "1,1,2017-07-02 12:00\n")
    shop.deliver("2.csv", HEADER + "2,1,2017-07-01 11:59\n3,1,2017-07-01 12:00\n4,1,2017-06-30\n5,1,\n")
    report = shop.land()
    assert [batch.late for batch in report.landed] == [0, 2]
    assert shop.rows()["id"].to_list() == [1, 2, 3, 4, 5]
    assert report.rows_late == 2
    assert report.warnings == (
        "exports/2.csv: 2 of 4 rows came later than allowed: they happened before 2017-07-01 10:00 UTC, the "
        "first of them at 2017-06-29 22:00. They are landed, and correct what was built without them.",
    )
    (event,) = shop.platform.ledger.events(kind="late_rows", subject="shop.orders")
    late = shop.batches[1]
    assert event.details == {"batch": late.id, "rows": 2, "earliest": "2017-06-29T22:00:00+00:00"}


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz"])
def test_a_late_row_is_known_by_any_form_of_time(tmp_path: Path, kind: str) -> None:
    times = {"date": ("2017-07-02", "2017-06-30"), "timestamp": ("2017-07-02 12:00", "2017-07-01 11:59")}
    times["timestamptz"] = ("2017-07-02T12:00:00+02:00", "2017-07-01T09:59:59Z")
    columns = {**CONTRACT["columns"], "at": {"type": kind}}
    shop = Shop(tmp_path, columns=columns)
    for name, time in zip(("1.csv", "2.csv"), times[kind], strict=True):
        shop.deliver(name, HEADER + f"1,1,{time}\n")
    assert [batch.late for batch in shop.land().landed] == [0, 1]


def test_a_snapshot_has_no_late_rows(tmp_path: Path) -> None:
    shop = Shop(tmp_path, delivers="snapshot")
    for name in ("1.csv", "2.csv"):
        shop.deliver(name, HEADER + "1,1,2017-07-02\n2,1,2017-01-01\n")
    assert [batch.late for batch in shop.land().landed] == [0, 0]
