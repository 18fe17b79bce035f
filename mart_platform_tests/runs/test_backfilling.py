"""A range built in pieces: the same rows as a build makes, taken up where it stopped, published once."""

from collections.abc import Callable

import pytest

from mart_platform.runs.backfilling import backfill, foresee_backfill
from mart_platform.runs.reporting import PublicationRefused
from mart_platform.spec.problems import UserError
from mart_platform_tests.runs.shop import Shop
from mart_platform_tests.runs.test_changes import LATE_OCTOBER, NOVEMBER, ORDERS

MONTHS = [f"2026-{month:02}" for month in range(1, 10)]


class Stopped(Exception):
    """Somebody pulled the plug."""


def stops_after(pieces: int) -> Callable[[], None]:
    left = iter(range(pieces))

    def wait() -> None:
        if next(left, None) is None:
            raise Stopped

    return wait


@pytest.fixture
def year(shop: Shop) -> Shop:
    rows = [
        f"2{month[-2:]}0{day:02},1,C{day % 6 + 1},desk,1,{day}.00,paid,{month}-{day:02} 10:00:00,"
        "2026-11-01 02:00:00"
        for month in MONTHS
        for day in (1, 15)
    ]
    shop.deliver("orders", "2026-11-01.csv", ORDERS + "\n".join(rows) + "\n")
    shop.build()
    return shop


def lines(shop: Shop) -> list[tuple[object, ...]]:
    return shop.ask("SELECT * FROM orders.order_line ORDER BY ALL")


def change_logic(shop: Shop) -> None:
    shop.edit(
        "marts/orders/tables/order_line.sql", "quantity, net_amount", "quantity + 1 AS quantity, net_amount"
    )


def test_what_it_would_build_is_told_first(year: Shop) -> None:
    [order_line, daily] = foresee_backfill(year.platform, year.plan, "orders", "2026-02-10", "2026-04-01")
    assert (order_line.table, daily.table) == ("orders.order_line", "orders.daily")
    assert order_line.intervals == daily.intervals == ("2026-02-01", "2026-03-01", "2026-04-01")
    assert order_line.rows
    assert order_line.bytes
    assert order_line.seconds is not None


def test_a_backfill_of_the_whole_range_equals_a_build(year: Shop) -> None:
    expected = lines(year)
    number = year.live.number
    backfill(year.platform, year.plan, "orders", "2026-01-01", "2026-12-31", batch=2)
    assert lines(year) == expected
    assert year.live.number == number  # the same rows are no news to readers
    assert not year.todo()


def test_new_logic_is_backfilled_in_pieces_and_published_once(year: Shop) -> None:
    change_logic(year)
    number = year.live.number
    report = backfill(year.platform, year.plan, "orders", "2026-01-01", "2026-12-31", batch=3)
    assert [mart.published for mart in report.marts] == [True]
    assert year.live.number == number + 1
    build, version = year.present("orders.order_line")
    assert build.cause == "backfill"
    assert len(year.platform.ledger.pieces(report.id, "orders.order_line")) == 4
    assert not version.owed
    assert not year.todo()


def test_a_backfill_that_was_stopped_goes_on_where_it_was(year: Shop) -> None:
    change_logic(year)
    with pytest.raises(Stopped):
        backfill(
            year.platform,
            year.plan,
            "orders.order_line",
            "2026-01-01",
            "2026-12-31",
            batch=2,
            wait=stops_after(2),
        )
    [work] = year.platform.ledger.backfills()
    before = year.platform.ledger.pieces(work.id)
    report = backfill(year.platform, year.plan, "orders.order_line", "2026-01-01", "2026-12-31", batch=2)
    pieces = year.platform.ledger.pieces(report.id)
    assert report.id == work.id
    assert pieces[: len(before)] == before
    written = [key for piece in pieces for key in piece.intervals]
    assert sorted(written) == sorted(work.owed["orders.order_line"] or ())


def test_what_a_backfill_of_a_part_leaves_is_made_by_the_next_build(year: Shop) -> None:
    change_logic(year)
    number = year.live.number
    report = backfill(year.platform, year.plan, "orders.order_line", "2026-03-01", "2026-04-30")
    assert (report.marts, year.live.number) == ((), number)
    assert year.present("orders.order_line")[1].intervals.keys() == {"2026-03-01", "2026-04-01"}
    year.build()
    assert {
        row[0] for row in year.ask("SELECT DISTINCT strftime(ordered_on, '%Y-%m') FROM orders.order_line")
    } == {
        *MONTHS,
        "2026-10",
    }
    assert not year.todo()


NO_MONEY_LOST = """\
checks:
  - name: no_money_lost
    says: The fact holds the money of all order lines.
    sum: net_amount
    equals: {table: canonical.order_line, sum: net_amount}
"""


def test_a_part_is_not_published_although_every_check_holds_for_it(year: Shop) -> None:
    year.edit("marts/orders/tables/order_line.yaml", NO_MONEY_LOST, "")
    change_logic(year)
    backfill(year.platform, year.plan, "orders.order_line", "2026-03-01", "2026-04-30")
    with pytest.raises(PublicationRefused, match="still lacks intervals"):
        year.publish(year.begin())
    assert "orders.order_line" in year.todo().tables
    year.build()
    assert len(year.present("orders.order_line")[1].intervals) == len(MONTHS) + 1
    assert not year.todo()


def test_an_interval_that_is_owed_and_has_no_row_is_built_once(year: Shop) -> None:
    year.edit("marts/orders/tables/order_line.yaml", NO_MONEY_LOST, "")
    year.edit(
        "marts/orders/tables/order_line.sql",
        "FROM canonical.order_line",
        "FROM canonical.order_line WHERE month(ordered_on) <> 6",
    )
    backfill(year.platform, year.plan, "orders.order_line", "2026-03-01", "2026-04-30")
    year.build()
    assert "2026-06-01" not in year.present("orders.order_line")[1].intervals
    assert not year.todo()
    again = year.build(["orders.order_line"])["orders.order_line"]
    assert again.outcome == "skipped"


def test_production_goes_on_beside_a_backfill_and_its_newer_intervals_stay(year: Shop) -> None:
    with pytest.raises(Stopped):
        backfill(
            year.platform,
            year.plan,
            "orders.order_line",
            "2026-01-01",
            "2026-12-31",
            batch=4,
            wait=stops_after(2),
        )
    year.deliver("orders", "2026-11-05.csv", ORDERS + LATE_OCTOBER + NOVEMBER)
    year.build()
    expected = lines(year)
    backfill(year.platform, year.plan, "orders.order_line", "2026-01-01", "2026-12-31", batch=4)
    assert lines(year) == expected


def test_a_table_that_cannot_be_cut_is_refused_with_what_to_do(year: Shop) -> None:
    with pytest.raises(UserError, match="mart build"):
        foresee_backfill(year.platform, year.plan, "orders.customer", "2026-01-01", "2026-12-31")


def test_the_pace_goes_to_the_ledger(year: Shop) -> None:
    backfill(year.platform, year.plan, "orders.order_line", "2026-01-01", "2026-12-31")
    [event] = year.platform.ledger.events(kind="backfilled")
    assert event.subject == "orders.order_line"
    assert event.details["seconds_a_week"] > 0
