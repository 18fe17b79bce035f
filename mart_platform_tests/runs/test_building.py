"""What a build does with what was delivered, and what it leaves alone."""

from datetime import timedelta

import pytest

from mart_platform.ports import CommitConflict
from mart_platform.runs.reporting import ChecksFailed
from mart_platform.spec.problems import UserError
from mart_platform_tests.runs.shop import Shop

ORDERS = "order_id,line,customer_id,product,quantity,price,status,ordered_at,exported_at\n"
LATER = "100050,1,C1,desk,1,10.00,paid,2026-10-03 10:00:00,2026-10-04 02:00:00\n"


def test_a_first_build_makes_everything_and_a_second_one_finds_nothing_to_do(shop: Shop) -> None:
    reports = shop.build()
    assert {report.outcome for report in reports.values()} == {"landed", "built"}
    assert not shop.todo()


def test_bad_rows_are_counted_and_the_good_ones_go_on(built_shop: Shop) -> None:
    batches = built_shop.platform.ledger.batches("shop.orders")
    assert [batch.rows_read for batch in batches] == [batch.landed + batch.quarantined for batch in batches]
    assert sum(batch.quarantined for batch in batches) > 0


def test_a_new_delivery_rebuilds_what_reads_it_and_nothing_else(built_shop: Shop) -> None:
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + LATER)
    reports = built_shop.build()
    assert set(reports) == {"shop.orders", "canonical.order_line", "orders.order_line", "orders.daily"}
    assert built_shop.ask("SELECT count(*) FROM orders.order_line WHERE order_id = '100050'") == [(1,)]


def test_rows_that_come_again_stop_the_wave(built_shop: Shop) -> None:
    before = built_shop.live
    built_shop.deliver("orders", "again.csv", built_shop.export("orders", "2026-10-03.csv"))
    reports = built_shop.build()
    assert reports["shop.orders"].outcome == "landed"
    assert reports["canonical.order_line"].outcome == "same rows"
    assert reports["orders.order_line"].outcome in ("moved", "skipped")
    assert built_shop.live.tables == before.tables


def test_the_watermark_moves_with_an_empty_day(built_shop: Shop) -> None:
    late = LATER.replace("100050", "100020").replace("desk", "chair")
    before = built_shop.watermark
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + late)
    built_shop.build()
    assert before is not None
    assert built_shop.watermark is not None
    assert built_shop.watermark > before


def test_an_edit_of_words_builds_nothing(built_shop: Shop) -> None:
    built_shop.edit("canonical/order_line.sql", "FROM shop.orders", "-- every one\nFROM shop.orders")
    assert not built_shop.todo()


def test_new_logic_is_built_beside_the_old(built_shop: Shop) -> None:
    before = built_shop.plan.tables["orders.daily"].path
    built_shop.edit(
        "marts/orders/tables/daily.sql", "sum(net_amount)               AS", "2 * sum(net_amount) AS"
    )
    built_shop.build()
    after = built_shop.plan.tables["orders.daily"].path
    lake = built_shop.platform.data.lake
    assert before != after
    assert list((lake / before).glob("*.parquet"))
    assert list((lake / after).glob("*.parquet"))


def test_a_failed_blocking_check_keeps_the_version_before(built_shop: Shop) -> None:
    before, answer = built_shop.live, built_shop.ask("SELECT sum(net_amount) FROM orders.daily")
    built_shop.edit("canonical/order_line.sql", "quantity,", "quantity - 5 AS quantity,")
    built_shop.edit("canonical/order_line.yaml", "checks:\n", "  quantity: {at_least: 0}\nchecks:\n")
    failure = built_shop.build_failing()
    assert isinstance(failure, ChecksFailed)
    assert "quantity_in_range" in str(failure)
    verdict = next(v for v in failure.verdicts if not v.passed)
    assert verdict.failed > 0
    assert verdict.sample
    assert built_shop.live == before
    assert built_shop.ask("SELECT sum(net_amount) FROM orders.daily") == answer


def test_sample_rows_hide_labelled_values(built_shop: Shop) -> None:
    built_shop.edit(
        "marts/orders/tables/customer.yaml",
        "key:",
        "checks:\n  - {name: few, says: Few., returns_no_row: SELECT * FROM orders.customer}\nkey:",
    )
    failure = built_shop.build_failing()
    assert isinstance(failure, ChecksFailed)
    [verdict] = [v for v in failure.verdicts if not v.passed]
    assert {row["email"] for row in verdict.sample} == {"•••"}
    assert "C1" in {row["customer_id"] for row in verdict.sample}


def test_a_check_that_changed_is_judged_without_building(built_shop: Shop) -> None:
    built_shop.edit("canonical/order_line.yaml", "at_least: 0", "at_least: -1")
    assert built_shop.todo().tables["canonical.order_line"].startswith("no verdict yet")
    assert built_shop.build()["canonical.order_line"].outcome == "checked"
    assert not built_shop.todo()


def test_a_foreign_key_is_judged_again_when_the_other_side_changes(built_shop: Shop) -> None:
    customers = built_shop.export("customers", "2026-10-03.csv")
    kept = [line for line in customers.splitlines() if not line.startswith("C1,")]
    built_shop.deliver("customers", "2026-10-04.csv", "\n".join(kept) + "\n")
    built_shop.build()
    table = built_shop.plan.tables["canonical.order_line"]
    verdicts = built_shop.platform.ledger.last_verdicts(table.name)
    [reference] = [v for v in verdicts.values() if v.check == "customer_id_references"]
    assert not reference.passed


def test_a_run_that_was_killed_after_its_commit_is_taken_up(built_shop: Shop) -> None:
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + LATER)
    run = built_shop.begin()
    built_shop.step(run, "shop.orders")
    ledger = built_shop.copy_of_ledger()
    committed = built_shop.step(run, "canonical.order_line")
    built_shop.reopen_with(ledger)  # as if the kill had come between the commit and the ledger's row
    reports = built_shop.build()
    assert reports["canonical.order_line"].version == committed.version
    assert built_shop.ask("SELECT count(*) FROM orders.order_line WHERE order_id = '100050'") == [(1,)]


def test_another_lateness_moves_the_watermark_without_landing_again(built_shop: Shop) -> None:
    before = built_shop.watermark
    built_shop.edit("sources/shop/source.yaml", "lateness: 3h", "lateness: 4h")
    reports = built_shop.build()
    assert reports["shop.orders"].outcome == "skipped"
    assert before is not None
    assert built_shop.watermark == before - timedelta(hours=1)
    assert not built_shop.todo()


def test_another_event_time_lands_what_was_kept_again(built_shop: Shop) -> None:
    built_shop.edit("sources/shop/source.yaml", "{column: ordered_at,", "{column: exported_at,")
    assert built_shop.build()["shop.orders"].outcome == "landed"


def test_a_step_whose_input_was_never_built_says_what_to_do(shop: Shop) -> None:
    run = shop.begin()
    with pytest.raises(UserError, match=r"canonical\.customer reads shop\.customers, which was never built"):
        shop.step(run, "canonical.customer")


def test_two_runs_cannot_commit_from_the_same_base(built_shop: Shop) -> None:
    table = built_shop.plan.tables["orders.daily"]
    head = built_shop.platform.lake.head(table.path)
    assert head is not None
    columns = {column.name: column.type for column in table.columns}
    with pytest.raises(CommitConflict):
        built_shop.platform.lake.commit(
            table.path, columns, [], base=head.number - 1, append=False, metadata={}
        )


def test_freshness_is_judged_again_although_nothing_has_changed(built_shop: Shop) -> None:
    """A scheduled run finds the same rows, and they are a week older."""
    built_shop.edit(
        "canonical/order_line.yaml",
        "checks:\n",
        "checks:\n  - {name: recent, says: New., severity: warn, fresh: {column: ordered_on, within: 3d}}\n",
    )
    built_shop.build()
    clock = built_shop.platform.clock
    clock.set(clock.now() + timedelta(days=7))
    report = built_shop.step(built_shop.begin(), "canonical.order_line")
    [recent] = [verdict for verdict in report.verdicts if verdict.check == "recent"]
    assert not recent.passed
