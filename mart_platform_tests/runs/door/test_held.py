"""An aggregate is used where it was proved, and a wrong one is not even published."""

from pathlib import Path

import pytest

from mart_platform.runs.door.held import holdings_of
from mart_platform.runs.judged import verdicts_of
from mart_platform.runs.reporting import ChecksFailed
from mart_platform_tests.runs.shop import Shop

DAILY = "marts/orders/tables/daily"
HOLDS = """key: [ordered_on, country]
holds:
  - of: orders.order_line
    by: [ordered_on]
    sums: [net_amount]
    rows: lines
"""
LATER = """order_id,line,customer_id,product,quantity,price,status,ordered_at,exported_at
100050,1,C1,desk,1,10.00,paid,2026-10-03 10:00:00,2026-10-04 02:00:00
"""


@pytest.fixture
def holding(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path / "holding")
    shop.edit(f"{DAILY}.yaml", "key: [ordered_on, country]\n", HOLDS)
    return shop


def held(shop: Shop) -> dict[str, list[str]]:
    found = holdings_of(shop.plan, verdicts_of(shop.platform, shop.plan, shop.live))
    return {name: [each.table for each in holds] for name, holds in found.items()}


def test_what_passed_its_check_is_held(holding: Shop) -> None:
    holding.build()
    assert held(holding) == {"orders.daily": ["orders.order_line"]}


def test_it_is_proved_anew_when_the_tables_change(holding: Shop) -> None:
    holding.build()
    holding.deliver("orders", "2026-10-04.csv", LATER)
    holding.build()
    assert held(holding) == {"orders.daily": ["orders.order_line"]}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("\nGROUP BY", "\nWHERE line = 1 GROUP BY"),
        ("sum(net_amount)  ", "max(net_amount)"),
    ],
)
def test_an_aggregate_that_does_not_hold_what_it_says_is_refused(
    holding: Shop, right: str, wrong: str
) -> None:
    holding.edit(f"{DAILY}.sql", right, wrong)
    failure = holding.build_failing()
    assert isinstance(failure, ChecksFailed)
    [verdict] = [verdict for verdict in failure.verdicts if not verdict.passed]
    assert verdict.check == "holds_order_line"
    assert "groups are not as in orders.order_line" in verdict.found
    assert holding.platform.ledger.live("orders") is None


def test_a_publication_from_before_the_declaration_holds_nothing(built_shop: Shop) -> None:
    built_shop.edit(f"{DAILY}.yaml", "key: [ordered_on, country]\n", HOLDS)
    assert held(built_shop) == {}
    built_shop.build()
    assert held(built_shop) == {"orders.daily": ["orders.order_line"]}


def test_a_table_that_the_publication_has_not_is_not_held(built_shop: Shop) -> None:
    tables = built_shop.folder / "marts/orders/tables"
    (tables / "line.sql").write_text("SELECT * FROM orders.order_line")
    (tables / "line.yaml").write_text("table: orders.line\ndescription: The same once more.\n")
    holds = HOLDS.replace("orders.order_line", "orders.line")
    built_shop.edit(f"{DAILY}.yaml", "key: [ordered_on, country]\n", holds)
    assert held(built_shop) == {}


def test_a_declaration_that_was_changed_since_is_not_taken_as_proved(holding: Shop) -> None:
    holding.build()
    holding.edit(f"{DAILY}.yaml", "    rows: lines\n", "    rows: customers\n")
    assert held(holding) == {}
