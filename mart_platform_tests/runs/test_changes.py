"""Which intervals a change reaches, what stops it, and how what is missing is found and mended."""

from datetime import UTC, datetime

import pytest

from mart_platform.runs.foreseeing import foresee
from mart_platform.spec.problems import UserError
from mart_platform_tests.runs.shop import Shop

ORDERS = "order_id,line,customer_id,product,quantity,price,status,ordered_at,exported_at\n"
NOVEMBER = "100060,1,C1,desk,1,10.00,paid,2026-11-03 10:00:00,2026-11-04 02:00:00\n"
LATE_OCTOBER = "100061,1,C2,rug,1,7.00,paid,2026-10-01 10:00:00,2026-11-05 02:00:00\n"
CORRECTED = "100020,1,C2,chair,1,89.00,returned,2026-10-02 16:20:00,2026-11-06 02:00:00\n"
MOVED = "100020,1,C2,chair,3,89.00,shipped,2026-11-02 16:20:00,2026-11-06 02:00:00\n"
CUSTOMERS = "customer_id,full_name,email,country\n"


def rebuilt(shop: Shop, table: str) -> tuple[str, ...]:
    return shop.present(table)[0].rebuilt


def files_of(shop: Shop, table: str, interval: str) -> list[str]:
    return [file.path for file in shop.present(table)[1].files_of([interval])]


@pytest.fixture
def two_months(built_shop: Shop) -> Shop:
    built_shop.deliver("orders", "2026-11-04.csv", ORDERS + NOVEMBER)
    built_shop.build()
    return built_shop


def test_a_new_month_leaves_the_files_of_the_old_one_where_they_are(built_shop: Shop) -> None:
    october = files_of(built_shop, "orders.order_line", "2026-10-01")
    built_shop.deliver("orders", "2026-11-04.csv", ORDERS + NOVEMBER)
    built_shop.build()
    assert rebuilt(built_shop, "orders.order_line") == ("2026-11-01",)
    assert rebuilt(built_shop, "orders.daily") == ("2026-11-01",)
    assert files_of(built_shop, "orders.order_line", "2026-10-01") == october
    assert set(built_shop.present("orders.daily")[1].intervals) == {"2026-10-01", "2026-11-01"}


def test_late_rows_heal_the_month_in_which_they_happened(two_months: Shop) -> None:
    november = files_of(two_months, "orders.order_line", "2026-11-01")
    two_months.deliver("orders", "2026-11-05.csv", ORDERS + LATE_OCTOBER)
    two_months.build()
    assert rebuilt(two_months, "orders.order_line") == ("2026-10-01",)
    assert files_of(two_months, "orders.order_line", "2026-11-01") == november
    assert two_months.ask("SELECT ordered_on FROM orders.order_line WHERE order_id = '100061'")


def test_a_row_that_moves_to_another_month_leaves_the_one_where_it_was(two_months: Shop) -> None:
    two_months.deliver("orders", "2026-11-06.csv", ORDERS + MOVED)
    two_months.build()
    assert set(rebuilt(two_months, "orders.order_line")) == {"2026-10-01", "2026-11-01"}
    days = two_months.ask("SELECT ordered_on::VARCHAR FROM orders.order_line WHERE order_id = '100020'")
    assert days == [("2026-11-02",)]


def test_a_change_of_a_lookup_rebuilds_the_months_that_used_it(two_months: Shop) -> None:
    changed = two_months.export("customers", "2026-10-03.csv")
    [row] = [line for line in changed.splitlines() if line.startswith("C6,")]
    other = ",".join([*row.split(",")[:-1], "PT"])
    two_months.deliver("customers", "2026-10-04.csv", changed.replace(row, other))
    two_months.build()
    assert rebuilt(two_months, "orders.daily") == ("2026-10-01",)  # C6 bought in October alone
    asked = "SELECT count(*) FROM orders.daily WHERE country = 'PT'"
    assert two_months.ask(asked) != [(0,)]


def test_a_column_that_is_not_read_rebuilds_nothing(two_months: Shop) -> None:
    changed = two_months.export("customers", "2026-10-03.csv")
    [row] = [line for line in changed.splitlines() if line.startswith("C6,")]
    parts = row.split(",")
    renamed = ",".join([parts[0], "Somebody Else", *parts[2:]])
    two_months.deliver("customers", "2026-10-04.csv", changed.replace(row, renamed))
    reports = two_months.build()
    assert reports["orders.customer"].outcome == "built"
    assert reports["orders.daily"].outcome == "moved"


def test_files_that_vanished_are_written_again_without_being_asked_for(two_months: Shop) -> None:
    before = two_months.ask("SELECT * FROM orders.order_line ORDER BY ALL")
    [lost] = files_of(two_months, "orders.order_line", "2026-10-01")
    two_months.platform.data.absolute(lost).unlink()
    assert "orders.order_line" in two_months.todo().tables
    two_months.build()
    assert rebuilt(two_months, "orders.order_line") == ("2026-10-01",)
    assert two_months.ask("SELECT * FROM orders.order_line ORDER BY ALL") == before
    assert not two_months.todo()


def test_the_interval_ledger_says_from_what_each_interval_was_built(two_months: Shop) -> None:
    planned = two_months.plan.tables["orders.daily"]
    built = two_months.platform.ledger.intervals("orders.daily", planned.fingerprint)
    assert set(built) == {"2026-10-01", "2026-11-01"}
    assert built["2026-10-01"].run != built["2026-11-01"].run
    now = two_months.present("orders.daily")
    assert built["2026-11-01"].content == now[1].intervals["2026-11-01"].content
    assert built["2026-11-01"].consumed == now[0].consumed


def test_restatements_tell_late_rows_from_corrected_ones(two_months: Shop) -> None:
    two_months.deliver("orders", "2026-11-05.csv", ORDERS + LATE_OCTOBER)
    two_months.build()
    two_months.deliver("orders", "2026-11-06.csv", ORDERS + CORRECTED)
    two_months.build()
    corrected, late, *_ = two_months.platform.ledger.restatements("orders.order_line")
    assert (late.interval, late.added, late.removed, late.changed) == ("2026-10-01", 1, 0, 0)
    assert late.cause in ("late", "growing")
    assert (corrected.interval, corrected.added, corrected.changed) == ("2026-10-01", 0, 1)
    assert corrected.cause == "corrected"


def test_new_logic_is_restated_against_what_readers_saw(two_months: Shop) -> None:
    two_months.edit(
        "marts/orders/tables/order_line.sql", "quantity, net_amount", "quantity + 1 AS quantity, net_amount"
    )
    two_months.build()
    restated = two_months.platform.ledger.restatements("orders.order_line")
    assert {(r.interval, r.cause) for r in restated[:2]} == {("2026-10-01", "logic"), ("2026-11-01", "logic")}
    assert all(r.changed and not r.added and not r.removed for r in restated[:2])


def test_a_row_without_an_interval_is_refused_by_a_check(built_shop: Shop) -> None:
    built_shop.edit(
        "marts/orders/tables/order_line.sql",
        "status, ordered_on",
        "status, CASE WHEN order_id <> '100060' THEN ordered_on END AS ordered_on",
    )
    built_shop.build()
    before = built_shop.ask("SELECT count(*) FROM orders.order_line")
    built_shop.deliver("orders", "2026-11-04.csv", ORDERS + NOVEMBER)
    with pytest.raises(UserError, match="ordered_on"):
        built_shop.build()
    assert built_shop.ask("SELECT count(*) FROM orders.order_line") == before


def test_what_a_build_would_do_is_told_with_rows_bytes_and_seconds(two_months: Shop) -> None:
    two_months.deliver("orders", "2026-11-05.csv", ORDERS + LATE_OCTOBER)
    run = two_months.begin()
    two_months.step(run, "shop.orders")
    two_months.step(run, "canonical.order_line")
    foreseen = {f.table: f for f in foresee(two_months.platform, two_months.plan, [])}
    exact = foreseen["orders.order_line"]
    assert (exact.action, exact.intervals) == ("intervals", ("2026-10-01",))
    assert exact.rows > 0
    assert exact.seconds is not None
    assert foreseen["orders.daily"].action == "open"
    assert foreseen["orders.customer"].action == "skip"


def test_what_a_build_would_do_is_what_it_does(two_months: Shop) -> None:
    two_months.deliver("orders", "2026-11-06.csv", ORDERS + MOVED)
    run = two_months.begin()
    two_months.step(run, "shop.orders")
    two_months.step(run, "canonical.order_line")
    [exact] = [f for f in foresee(two_months.platform, two_months.plan, []) if f.table == "orders.order_line"]
    two_months.build()
    assert rebuilt(two_months, "orders.order_line") == exact.intervals


def test_a_ledger_that_was_lost_is_written_again_from_the_lake(two_months: Shop) -> None:
    def contents() -> dict[str, str]:
        return {name: two_months.present(name)[0].content for name in two_months.plan.tables}

    before = contents()
    two_months.platform.ledger.close()
    for stale in two_months.platform.data.root.glob("ledger.sqlite*"):
        stale.unlink()
    two_months.reopen()
    reports = two_months.build()
    assert {r.outcome for r in reports.values()} <= {"skipped", "checked", "moved", "landed", "same rows"}
    assert contents() == before
    assert two_months.live.number == 1


def test_the_watermark_of_a_table_is_kept_with_its_intervals(two_months: Shop) -> None:
    build, _ = two_months.present("orders.daily")
    assert build.watermark is not None
    assert build.watermark <= datetime(2026, 11, 4, tzinfo=UTC)
