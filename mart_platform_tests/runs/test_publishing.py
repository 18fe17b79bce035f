"""What readers see, and what they never see."""

import shutil
import threading

import duckdb
import pytest

from mart_platform.runs import publishing, starting, versions
from mart_platform.runs.reporting import ChecksFailed, MartReport, PublicationRefused
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Publication
from mart_platform_tests.runs.shop import Shop
from mart_platform_tests.runs.test_building import LATER, ORDERS
from mart_platform_tests.runs.test_snapshots import add_report
from mart_platform_tests.runs.test_versions import deliver_more, remove_files_of


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


def test_a_rollback_to_what_was_removed_names_the_table_and_changes_nothing(built_shop: Shop) -> None:
    deliver_more(built_shop)
    remove_files_of(built_shop, 1, "orders.daily")
    before = built_shop.live
    with pytest.raises(UserError, match=r"orders\.daily in publication 1 of orders cannot be read any more"):
        _back(built_shop)
    assert built_shop.live == before
    assert built_shop.platform.ledger.hold_of("orders") is None


def test_a_rollback_to_the_same_rows_or_to_no_publication_is_refused(built_shop: Shop) -> None:
    with pytest.raises(UserError, match="publication 1 of orders does not differ from the live one"):
        publishing.rollback_mart(built_shop.platform, built_shop.plan, "orders", to=1, by="ada", reason="x")


def test_other_files_with_the_same_rows_are_not_published(built_shop: Shop) -> None:
    """As compaction makes them."""
    ledger, before = built_shop.platform.ledger, built_shop.live
    run = built_shop.begin()
    [build, *_] = ledger.builds("orders.daily")
    version = ledger.version(build.table, build.fingerprint, build.version)
    compacted = version.model_copy(update={"id": "compacted", "number": version.number + 1})
    ledger.record_build(
        build.model_copy(update={"version": "compacted", "cause": "compaction", "run": run}), compacted
    )
    report = built_shop.publish(run)
    assert (report.published, report.reason) == (False, "readers have all that there is")
    assert built_shop.live == before


def build_shadow(shop: Shop) -> MartReport:
    """Build what is due, without landing, and record it beside what is live."""
    run = shop.begin()
    for name in shop.todo().tables:
        if shop.plan.tables[name].layer != "landing":
            shop.step(run, name)
    report = publishing.publish_mart(shop.platform, shop.plan, run, "orders", shadow=True)
    starting.end(shop.platform, run, succeeded=True)
    return report


def change_logic(shop: Shop) -> None:
    shop.edit(
        "marts/orders/tables/daily.sql", "count(DISTINCT customer_id)  ", "1 + count(DISTINCT customer_id)  "
    )


def customers(shop: Shop) -> int:
    [(found,)] = shop.ask("SELECT sum(customers)::BIGINT AS n FROM orders.daily")
    return int(found)


def publish_shadow(shop: Shop, number: int, *, release: bool = False) -> MartReport:
    return publishing.publish_shadow(shop.platform, shop.plan, "orders", number, by="ada", release=release)


def test_a_shadow_leaves_readers_and_their_folder_where_they_are(built_shop: Shop) -> None:
    live, before = built_shop.live, customers(built_shop)
    current = (built_shop.platform.data.published / "orders" / "current").resolve()
    change_logic(built_shop)
    report = build_shadow(built_shop)
    assert (report.published, report.live) == (False, live)
    assert "shadow 2" in report.reason
    assert (built_shop.live, customers(built_shop)) == (live, before)
    assert (built_shop.platform.data.published / "orders" / "current").resolve() == current
    [newest, _] = built_shop.platform.ledger.publications("orders")
    assert (newest.number, newest.state) == (2, "shadow")


def test_a_shadow_that_is_good_is_published_as_it_was_built(built_shop: Shop) -> None:
    before = customers(built_shop)
    change_logic(built_shop)
    build_shadow(built_shop)
    report = publish_shadow(built_shop, 2)
    assert report.published
    assert report.reason.startswith("shadow 2: ")
    assert built_shop.live.number == 3
    assert customers(built_shop) > before
    assert not built_shop.todo()
    states = [publication.state for publication in built_shop.platform.ledger.publications("orders")]
    assert states == ["live", "dropped", "live"]


def test_a_shadow_is_recorded_once_and_not_at_all_when_nothing_differs(built_shop: Shop) -> None:
    assert "holds the same rows" in build_shadow(built_shop).reason
    change_logic(built_shop)
    build_shadow(built_shop)
    assert "shadow 2 holds what was built" in build_shadow(built_shop).reason
    assert len(built_shop.platform.ledger.publications("orders")) == 2


def test_a_mart_that_was_never_published_can_have_a_shadow(shop: Shop) -> None:
    run = shop.begin()
    for name in shop.todo().tables:
        shop.step(run, name)
    report = publishing.publish_mart(shop.platform, shop.plan, run, "orders", shadow=True)
    assert (report.published, report.live.state) == (False, "shadow")
    assert shop.platform.ledger.live("orders") is None
    assert publish_shadow(shop, 1).live.number == 2


def test_a_shadow_whose_check_fails_is_refused(built_shop: Shop) -> None:
    built_shop.edit("marts/orders/tables/daily.yaml", "at_most: 100000", "at_most: 1")
    with pytest.raises(ChecksFailed):
        build_shadow(built_shop)
    with pytest.raises(PublicationRefused):
        publishing.publish_mart(
            built_shop.platform, built_shop.plan, built_shop.begin(), "orders", shadow=True
        )
    assert len(built_shop.platform.ledger.publications("orders")) == 1


def test_a_shadow_out_of_date_is_refused(built_shop: Shop) -> None:
    change_logic(built_shop)
    build_shadow(built_shop)
    built_shop.edit("marts/orders/tables/daily.sql", "1 + count", "2 + count")
    with pytest.raises(PublicationRefused, match="declared otherwise than it was built in shadow 2"):
        publish_shadow(built_shop, 2)
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + LATER)
    built_shop.build()
    built_shop.edit("marts/orders/tables/daily.sql", "2 + count", "1 + count")
    with pytest.raises(PublicationRefused, match="publication 3 holds newer deliveries than shadow 2"):
        publish_shadow(built_shop, 2)


def test_a_held_mart_may_have_a_shadow_which_stays_one(built_shop: Shop) -> None:
    deliver_more(built_shop)
    held = _back(built_shop)
    change_logic(built_shop)
    build_shadow(built_shop)
    assert built_shop.live == held
    assert "held since" in publish_shadow(built_shop, 4).reason
    assert publish_shadow(built_shop, 4, release=True).published
    assert built_shop.platform.ledger.hold_of("orders") is None


def test_a_dropped_shadow_is_neither_published_nor_gone_back_to(built_shop: Shop) -> None:
    change_logic(built_shop)
    build_shadow(built_shop)
    platform, plan = built_shop.platform, built_shop.plan
    for _ in range(2):
        assert versions.drop_shadow(platform, plan, "orders", 2).state == "dropped"
    with pytest.raises(UserError, match="was dropped"):
        publish_shadow(built_shop, 2)
    with pytest.raises(UserError, match="was dropped"):
        publishing.rollback_mart(platform, plan, "orders", to=2, by="ada", reason="x")
    with pytest.raises(UserError, match="is no shadow"):
        versions.drop_shadow(platform, plan, "orders", 1)


def test_nobody_goes_back_to_a_shadow_or_publishes_what_is_none(built_shop: Shop) -> None:
    change_logic(built_shop)
    build_shadow(built_shop)
    with pytest.raises(UserError, match=r"is a shadow.*mart publish orders --version 2"):
        publishing.rollback_mart(built_shop.platform, built_shop.plan, "orders", to=2, by="ada", reason="x")
    with pytest.raises(UserError, match=r"is no shadow.*mart rollback orders --to 1"):
        publish_shadow(built_shop, 1)
    with pytest.raises(UserError, match="no earlier publication"):
        _back(built_shop)


def test_other_marts_of_the_run_read_what_is_live_and_not_the_shadow(built_shop: Shop) -> None:
    add_report(built_shop, "SELECT sum(customers)::BIGINT AS lines FROM orders.daily")
    before = customers(built_shop)
    change_logic(built_shop)
    run = built_shop.begin()
    for name in ("orders.order_line", "orders.daily"):
        built_shop.step(run, name)
    publishing.publish_mart(built_shop.platform, built_shop.plan, run, "orders", shadow=True)
    built_shop.step(run, "reports.total")
    publishing.publish_mart(built_shop.platform, built_shop.plan, run, "reports")
    assert built_shop.ask("SELECT lines FROM reports.total") == [(before,)]
