"""What readers see, and what they never see."""

import shutil
import threading

import duckdb
import pytest

from mart_platform.runs import publishing
from mart_platform.runs.reporting import PublicationRefused
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Publication
from mart_platform_tests.runs.shop import Shop
from mart_platform_tests.runs.test_building import LATER, ORDERS


def test_a_mart_whose_tables_saw_different_inputs_is_refused(built_shop: Shop) -> None:
    before = built_shop.live
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + LATER)
    run = built_shop.begin()
    for table in ("shop.orders", "canonical.order_line", "orders.order_line"):
        built_shop.step(run, table)
    with pytest.raises(PublicationRefused, match=r"saw different contents of orders\.order_line"):
        built_shop.publish(run)
    assert built_shop.live == before


def test_a_missing_verdict_is_refused(built_shop: Shop) -> None:
    built_shop.edit("marts/orders/tables/daily.yaml", "columns:\n", "columns:\n  customers: {at_most: 999}\n")
    run = built_shop.begin()
    with pytest.raises(PublicationRefused, match=r"customers_in_range of orders\.daily has no verdict"):
        built_shop.publish(run)


def test_a_refusal_is_an_event_of_the_mart(built_shop: Shop) -> None:
    built_shop.edit("marts/orders/tables/daily.yaml", "columns:\n", "columns:\n  customers: {at_most: 999}\n")
    with pytest.raises(PublicationRefused):
        built_shop.publish(built_shop.begin())
    [event] = built_shop.platform.ledger.events(subject="orders", kind="publication_refused")
    assert "customers_in_range" in event.details["reasons"][0]


def test_a_rollback_holds_the_mart_until_it_is_released(built_shop: Shop) -> None:
    first = built_shop.live
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + LATER)
    built_shop.build()
    second = built_shop.live
    back = publishing.rollback_mart(
        built_shop.platform, built_shop.plan, "orders", to=None, by="ada", reason="wrong prices"
    )
    assert back.tables == first.tables
    assert back.number == 3
    assert built_shop.ask("SELECT count(*) FROM orders.order_line WHERE order_id = '100050'") == [(0,)]
    report = built_shop.publish(built_shop.begin())
    assert not report.published
    assert "held" in report.reason
    assert not built_shop.todo().marts
    assert built_shop.publish(built_shop.begin(), release=True).published
    assert built_shop.platform.ledger.hold_of("orders") is None
    assert built_shop.live.tables == second.tables


def test_a_release_that_is_refused_leaves_the_mart_held(built_shop: Shop) -> None:
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + LATER)
    built_shop.build()
    _back(built_shop)
    built_shop.edit("marts/orders/tables/daily.yaml", "columns:\n", "columns:\n  customers: {at_most: 999}\n")
    with pytest.raises(PublicationRefused):
        built_shop.publish(built_shop.begin(), release=True)
    assert built_shop.platform.ledger.hold_of("orders") is not None


def test_what_is_live_is_read_with_its_own_columns_after_an_edit(built_shop: Shop) -> None:
    built_shop.edit("marts/orders/tables/daily.sql", "AS net_amount", "AS turnover")
    built_shop.edit("marts/orders/tables/daily.yaml", "  net_amount:", "  turnover:")
    built_shop.edit(
        "marts/orders/mart.yaml", "questions:", "questions:\n  - {ask: Any?, sql: SELECT 1 FROM orders.daily}"
    )
    assert built_shop.ask("SELECT sum(net_amount) > 0 FROM orders.daily") == [(True,)]


def test_going_back_twice_goes_back_two_publications(built_shop: Shop) -> None:
    first = built_shop.live
    for day in (4, 5):
        line = LATER.replace("100050", f"10005{day}")
        built_shop.deliver("orders", f"2026-10-0{day}.csv", ORDERS + line)
        built_shop.build()
    _back(built_shop)
    assert _back(built_shop).tables == first.tables
    with pytest.raises(UserError, match="no earlier publication"):
        _back(built_shop)


def _back(shop: Shop) -> Publication:
    return publishing.rollback_mart(
        shop.platform, shop.plan, "orders", to=None, by="ada", reason="wrong prices"
    )


def test_a_label_withdraws_a_column_from_readers_at_the_next_build(built_shop: Shop) -> None:
    built_shop.edit(
        "sources/shop/source.yaml", "country:     {type: string,", "country:     {label: home, type: string,"
    )
    assert "shows other columns than it may" in built_shop.todo().marts["orders"]
    built_shop.build()
    current = built_shop.platform.data.published / "orders" / "current"
    with duckdb.connect(str((current / "orders.duckdb").resolve()), read_only=True) as reader:
        columns = {row[0] for row in reader.execute("DESCRIBE customer").fetchall()}
    assert columns == {"customer_id"}
    assert not built_shop.todo()


def test_a_published_folder_that_was_lost_is_mended_also_while_the_mart_is_held(built_shop: Shop) -> None:
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + LATER)
    built_shop.build()
    _back(built_shop)
    shutil.rmtree(built_shop.platform.data.published / "orders")
    assert "mended" in built_shop.todo().marts["orders"]
    built_shop.publish(built_shop.begin())
    assert not built_shop.todo()


def test_a_rollback_to_what_was_never_there_says_what_is(built_shop: Shop) -> None:
    with pytest.raises(UserError, match="no publication 7"):
        publishing.rollback_mart(built_shop.platform, built_shop.plan, "orders", to=7, by="ada", reason="x")


def test_readers_in_a_loop_see_only_whole_versions_while_builds_and_refusals_happen(built_shop: Shop) -> None:
    """Lines and their daily sums are published together: a reader must never find them apart."""
    database = built_shop.platform.data.published / "orders" / "current" / "orders.duckdb"
    torn: list[object] = []
    seen: set[int] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            with duckdb.connect(str(database.resolve()), read_only=True) as reader:
                [(lines, total)] = reader.execute(
                    "SELECT (SELECT count(*) FROM order_line), (SELECT sum(lines) FROM daily)"
                ).fetchall()
            seen.add(lines)
            if lines != total:
                torn.append((lines, total))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for day in range(4, 9):
            line = LATER.replace("100050", f"1000{day}0")
            built_shop.deliver("orders", f"2026-10-{day:02}.csv", ORDERS + line)
            if day % 2:
                run = built_shop.begin()
                for table in ("shop.orders", "canonical.order_line", "orders.order_line"):
                    built_shop.step(run, table)
                with pytest.raises(PublicationRefused):
                    built_shop.publish(run)
            built_shop.build()
    finally:
        done.set()
        reader.join()
    assert not torn
    assert len(seen) > 1
