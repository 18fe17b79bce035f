"""What a run reads when others write at the same time, were killed before it, or hold a mart back."""

from collections.abc import Sequence
from typing import Any

import pytest

from mart_platform.assembly import Assembled
from mart_platform.ports import Ledger
from mart_platform.runs import building, publishing
from mart_platform.runs.reporting import PublicationRefused
from mart_platform.runs.starting import begin
from mart_platform.spec.problems import UserError
from mart_platform_tests.runs.shop import Shop
from mart_platform_tests.runs.test_building import LATER, ORDERS

TABLES = ("canonical.order_line", "orders.order_line", "orders.daily")
REPORT = "reports.total"
AUDIT = "SELECT count(*) AS lines, (SELECT count(*) FROM canonical.order_line) AS kept FROM shop.orders"


class Killed(Exception):
    """Stands for the end of a process."""


class LedgerOfTheKilled:
    """A ledger whose process ends right after a commit of the lake, before the build is recorded."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def record_build(self, *recorded: object) -> None:
        raise Killed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


def steps(shop: Shop, run: str, tables: Sequence[str]) -> None:
    for table in tables:
        shop.step(run, table)


def add_report(shop: Shop, sql: str) -> None:
    """Declare a second mart with one table, which has the column ``lines``."""
    folder = shop.folder / "marts/reports"
    (folder / "tables").mkdir(parents=True)
    orders = (shop.folder / "marts/orders/mart.yaml").read_text(encoding="utf-8")
    about = orders.replace("mart: orders", "mart: reports").partition("questions:")[0]
    asked = f"questions:\n  - {{ask: How many lines?, sql: SELECT lines FROM {REPORT}}}\n"
    (folder / "mart.yaml").write_text(about + asked, encoding="utf-8")
    (folder / "tables/total.sql").write_text(sql, encoding="utf-8")
    (folder / "tables/total.yaml").write_text(f"table: {REPORT}\ndescription: Lines.\n", encoding="utf-8")


def lines_of(shop: Shop, order: str) -> int:
    [(lines,)] = shop.ask(f"SELECT count(*) FROM orders.order_line WHERE order_id = '{order}'")
    return int(lines)


def test_what_a_killed_run_had_committed_is_what_the_next_run_reads(built_shop: Shop) -> None:
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + LATER)
    killed = built_shop.begin()
    built_shop.step(killed, "shop.orders")
    dying = Assembled(built_shop.places, built_shop.plan.settings)
    dying.__dict__["ledger"] = LedgerOfTheKilled(built_shop.platform.ledger)
    with pytest.raises(Killed):
        building.build_table(dying, built_shop.plan, killed, "canonical.order_line")
    reports = built_shop.build()
    assert reports["canonical.order_line"].outcome == "skipped"
    assert lines_of(built_shop, "100050") == 1
    assert not built_shop.todo()


def test_a_table_that_another_run_built_meanwhile_is_read_as_it_is_now(built_shop: Shop) -> None:
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + LATER)
    slow, fast = built_shop.begin(), built_shop.begin()
    steps(built_shop, fast, ["shop.orders", "canonical.order_line"])
    steps(built_shop, slow, ["shop.orders", *TABLES])
    assert built_shop.publish(slow).published
    assert lines_of(built_shop, "100050") == 1


def test_a_run_that_saw_less_than_another_takes_nothing_back(built_shop: Shop) -> None:
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + LATER)
    slow = built_shop.begin()
    built_shop.step(slow, "shop.orders")
    built_shop.deliver("orders", "2026-10-05.csv", ORDERS + LATER.replace("100050", "100051"))
    fast = built_shop.begin()
    steps(built_shop, fast, ["shop.orders", *TABLES])
    built_shop.publish(fast)
    newest = built_shop.live
    reports = [built_shop.step(slow, table) for table in TABLES]
    assert {report.outcome for report in reports} == {"skipped"}
    assert not built_shop.publish(slow).published
    assert built_shop.live == newest
    assert not built_shop.todo()


def test_a_table_that_saw_two_contents_of_one_delivery_is_not_published(built_shop: Shop) -> None:
    """One input was built before a delivery that another one shows, and the mart has no other table."""
    add_report(built_shop, AUDIT)
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + LATER)
    run = built_shop.begin()
    steps(built_shop, run, ["shop.orders", REPORT])
    with pytest.raises(PublicationRefused, match=r"saw different contents of shop\.orders: reports\.total"):
        publishing.publish_mart(built_shop.platform, built_shop.plan, run, "reports")
    assert built_shop.platform.ledger.live("reports") is None


def test_landing_that_finds_nothing_new_adds_no_build(built_shop: Shop) -> None:
    ledger, before = built_shop.platform.ledger, built_shop.platform.ledger.builds("shop.orders")
    run = built_shop.begin()
    assert built_shop.step(run, "shop.orders").outcome == "skipped"
    assert ledger.builds("shop.orders") == before
    assert ledger.pins(run)["shop.orders"] == before[0]


def test_another_mart_is_read_as_it_was_live_when_the_run_began(built_shop: Shop) -> None:
    add_report(built_shop, "SELECT sum(lines)::BIGINT AS lines FROM orders.daily")
    assert built_shop.todo().tables.keys() == {REPORT}
    built_shop.step(built_shop.begin(), REPORT)
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + LATER)
    run = built_shop.begin()
    steps(built_shop, run, ["shop.orders", *TABLES])
    assert built_shop.step(run, REPORT).outcome == "skipped"
    built_shop.publish(run)
    assert built_shop.step(run, REPORT).outcome == "built"


def test_a_lake_that_lacks_what_the_ledger_knows_is_an_error(built_shop: Shop) -> None:
    table = built_shop.plan.tables["orders.daily"]
    for entry in (built_shop.platform.data.lake / table.path / "_delta_log").iterdir():
        entry.unlink()
    with pytest.raises(UserError, match=r"orders\.daily: the ledger knows version 0"):
        built_shop.step(built_shop.begin(), "orders.daily")


def test_a_run_that_begins_again_keeps_its_snapshot(built_shop: Shop) -> None:
    run = built_shop.begin()
    before = built_shop.platform.ledger.pins(run)
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + LATER)
    built_shop.build()
    begin(built_shop.platform, built_shop.plan, run, "test")
    assert built_shop.platform.ledger.pins(run) == before
