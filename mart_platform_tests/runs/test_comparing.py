"""Two publications of a mart side by side, with real builds between them."""

import pytest

from mart_platform.runs import publishing
from mart_platform.runs.comparing import MartDifference, compare_publications
from mart_platform.spec.problems import UserError
from mart_platform.stages.comparing import Budget, TableDifference
from mart_platform_tests.runs.shop import Shop
from mart_platform_tests.runs.test_building import ORDERS
from mart_platform_tests.runs.test_publishing import build_shadow, change_logic
from mart_platform_tests.runs.test_versions import deliver_more, remove_files_of

EARLY = "100060,1,C1,lamp,1,10.00,paid,2026-09-01 10:00:00,2026-10-04 02:00:00\n"


def diff(shop: Shop, one: str, other: str | None = None, budget: Budget | None = None) -> MartDifference:
    return compare_publications(shop.platform, shop.plan, "orders", one, other, budget)


def table(found: MartDifference, name: str) -> TableDifference:
    [wanted] = [each for each in found.tables if each.table == name]
    return wanted


def test_a_publication_equals_itself(built_shop: Shop) -> None:
    assert diff(built_shop, "1", "live").equal


def test_one_more_order_is_one_more_row_of_the_fact(built_shop: Shop) -> None:
    deliver_more(built_shop)
    found = diff(built_shop, "1")
    assert not found.equal
    assert (found.before.number, found.after.number) == (1, 2)
    assert not table(found, "orders.customer").differs
    fact = table(found, "orders.order_line")
    assert (fact.added, fact.removed, fact.changed, fact.key) == (1, 0, 0, ("order_id", "line"))
    assert [(e.what, e.row) for e in fact.examples] == [("added", {"order_id": "100040", "line": "1"})]
    back = table(diff(built_shop, "live", "1"), "orders.order_line")
    assert (back.added, back.removed) == (0, 1)


def test_intervals_that_no_order_reached_are_not_read(built_shop: Shop) -> None:
    built_shop.deliver("orders", "2026-10-04.csv", ORDERS + EARLY)
    built_shop.build()
    for publication in built_shop.platform.ledger.publications("orders"):
        version = publishing.versions_of(built_shop.platform, publication)["orders.order_line"]
        assert len(version.intervals) > 1 or publication.number == 1
        for file in version.files:
            if file.intervals != ("2026-09-01",):
                path = built_shop.platform.data.absolute(file.path)
                path.chmod(0o644)
                path.write_bytes(b"poison")
    fact = table(diff(built_shop, "1"), "orders.order_line")
    assert (fact.added, fact.compared) == (1, 1)
    assert fact.equal >= 1


def test_a_shadow_is_what_may_come(built_shop: Shop) -> None:
    change_logic(built_shop)
    build_shadow(built_shop)
    found = diff(built_shop, "shadow")
    assert (found.before.state, found.after.state) == ("live", "shadow")
    daily = table(found, "orders.daily")
    assert daily.changed > 0
    assert [column.column for column in daily.columns] == ["customers"]
    before, after = daily.examples[0].values["customers"]
    assert int(after or 0) == int(before or 0) + 1
    assert diff(built_shop, "shadow", "live").before.state == "shadow"


def test_sensitive_values_are_not_shown(built_shop: Shop) -> None:
    customers = built_shop.export("customers", "2026-10-03.csv")
    built_shop.deliver("customers", "2026-10-04.csv", customers.replace("@", "@new."))
    built_shop.build()
    people = table(diff(built_shop, "1"), "orders.customer")
    assert people.changed > 0
    assert "@" not in str(people.examples)


def test_a_table_that_is_new_is_only_in_the_second(built_shop: Shop) -> None:
    folder = built_shop.folder / "marts/orders/tables"
    (folder / "days.sql").write_text("SELECT DISTINCT ordered_on FROM orders.daily", encoding="utf-8")
    (folder / "days.yaml").write_text("table: orders.days\ndescription: Days.\n", encoding="utf-8")
    built_shop.build()
    found = table(diff(built_shop, "1"), "orders.days")
    assert (found.only, found.differs) == ("after", True)
    assert found.added > 0


def test_what_the_budget_leaves_out_is_said(built_shop: Shop) -> None:
    deliver_more(built_shop)
    found = diff(built_shop, "1", budget=Budget(seconds=0))
    assert (found.equal, found.stopped) == (False, "0 s were over")
    assert table(found, "orders.order_line").left
    assert not table(found, "orders.customer").left


def test_a_publication_whose_files_were_removed_cannot_be_compared(built_shop: Shop) -> None:
    deliver_more(built_shop)
    remove_files_of(built_shop, 1, "orders.daily")
    with pytest.raises(UserError, match="mart versions orders"):
        diff(built_shop, "1")
    assert built_shop.platform.ledger.readings() == []
