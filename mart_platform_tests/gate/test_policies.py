"""What somebody may see follows from its roles, its attributes and the approved rights, and from nothing else."""

from datetime import date
from typing import Any

import pytest
from sqlglot import exp

from mart_platform.gate.parsing import DUCKDB
from mart_platform.gate.policies import Asker, policy_of
from mart_platform.gate.row_filters import inside, literal, row_filter
from mart_platform.spec.access import Band, Mask
from mart_platform.spec.problems import UserError
from mart_platform.spec.rights import MartRights, RoleRights, TableRights
from mart_platform_tests.gate.lake import GROUPS, RIGHTS, TYPES, policy

ORDERS = {
    "id": "integer",
    "region": "string",
    "store": "integer",
    "day": "date",
    "at": "timestamp",
    "paid": "boolean",
    "amount": "decimal(10,2)",
    "tags": "list(string)",
    "raw": "binary",
    "seen": "timestamptz",
    "level": "string",
}
SHOPS = {"store": "integer", "region": "string", "boss": "string", "level": "integer"}
MART = {"sales.orders": ORDERS, "sales.shops": SHOPS, "hr.shops": SHOPS}


def bound(text: str, **attributes: Any) -> str:
    condition = row_filter(text, "sales.orders", MART, attributes).condition
    sql: str = condition.this.sql(dialect=DUCKDB, comments=False)
    return sql.replace("@", "").replace('"', "")


@pytest.mark.parametrize(
    ("text", "attributes", "sql"),
    [
        ("region = principal.region", {"region": "EU"}, "orders.region = 'EU'"),
        ("orders.region = PRINCIPAL.Region", {"region": "EU"}, "orders.region = 'EU'"),
        ("sales.orders.region = principal.region", {"region": "it's"}, "orders.region = 'it''s'"),
        ("region = principal.region", {}, "orders.region = NULL"),
        ("region = principal.region", {"region": 5}, "orders.region = '5'"),
        ("region = principal.region", {"region": True}, "orders.region = 'true'"),
        ("principal.store = store", {"store": 5}, "5 = orders.store"),
        ("store = principal.store", {"store": "5"}, "orders.store = 5"),
        ("store = principal.store", {"store": -5}, "orders.store = -5"),
        ("store = principal.store", {"store": 2.5}, "orders.store = 2.5"),
        ("store = principal.store", {"store": "five"}, "orders.store = NULL"),
        ("store = principal.store", {"store": True}, "orders.store = NULL"),
        ("store = principal.store", {"store": float("inf")}, "orders.store = NULL"),
        ("store = principal.store", {"store": date(2020, 1, 1)}, "orders.store = NULL"),
        ("store IN (principal.a, principal.b)", {"a": 1, "b": "x"}, "orders.store IN (1, NULL)"),
        ("store BETWEEN principal.a AND 5", {"a": "1"}, "orders.store BETWEEN 1 AND 5"),
        ("day >= principal.since", {"since": date(2020, 1, 31)}, "orders.day >= CAST('2020-01-31' AS DATE)"),
        ("day >= principal.since", {"since": "2020-01-31"}, "orders.day >= CAST('2020-01-31' AS DATE)"),
        ("at >= principal.since", {"since": "2020-01-31"}, "orders.at >= CAST('2020-01-31' AS DATE)"),
        ("day >= principal.since", {"since": "soon"}, "orders.day >= NULL"),
        ("paid = principal.paid", {"paid": "TRUE"}, "orders.paid = TRUE"),
        ("paid = principal.paid", {"paid": False}, "orders.paid = FALSE"),
        ("paid = principal.paid", {"paid": 1}, "orders.paid = NULL"),
        ("tags = principal.tags", {"tags": 5}, "orders.tags = NULL"),
        ("raw = principal.raw", {"raw": 5}, "orders.raw = NULL"),
        ("seen >= principal.since", {"since": "2020-01-31"}, "orders.seen >= CAST('2020-01-31' AS DATE)"),
        ("seen >= principal.since", {"since": "soon"}, "orders.seen >= NULL"),
        ("paid = principal.paid", {"paid": "False"}, "orders.paid = FALSE"),
        ("paid = principal.paid", {"paid": "no"}, "orders.paid = NULL"),
        ("store + principal.bonus > 5", {"bonus": "5"}, "orders.store + '5' > 5"),
        (
            "EXISTS (SELECT 1 FROM sales.shops s WHERE orders.level = principal.level)",
            {"level": 5},
            "EXISTS(SELECT 1 FROM sales.shops AS s WHERE orders.level = '5')",
        ),
        ("principal.boss", {"boss": True}, "TRUE"),
        ("principal.level > 3 AND paid", {"level": 4}, "4 > 3 AND orders.paid"),
        ("lower(region) = principal.region", {"region": 5}, "LOWER(orders.region) = 5"),
        (
            "store IN (SELECT store FROM sales.shops WHERE boss = principal.name)",
            {"name": "ada"},
            "orders.store IN (SELECT shops.store FROM sales.shops AS shops WHERE shops.boss = 'ada')",
        ),
        (
            "EXISTS (SELECT 1 FROM sales.shops s WHERE s.region = orders.region AND store = 1 AND amount > 2)",
            {},
            "EXISTS(SELECT 1 FROM sales.shops AS s WHERE s.region = orders.region AND s.store = 1 AND orders.amount > 2)",
        ),
        (
            "EXISTS (SELECT 1 FROM sales.shops a JOIN sales.shops b ON a.store = b.store WHERE b.boss = principal.n)",
            {"n": 7},
            "EXISTS(SELECT 1 FROM sales.shops AS a JOIN sales.shops AS b ON a.store = b.store WHERE b.boss = '7')",
        ),
    ],
)
def test_a_filter_is_bound_to_columns_and_attributes(text: str, attributes: dict[str, Any], sql: str) -> None:
    assert bound(text, **attributes) == sql


def test_a_filter_says_what_it_looks_up_and_reads() -> None:
    found = row_filter(
        "store IN (SELECT s.store FROM sales.shops s WHERE s.boss = 'x') AND paid", "sales.orders", MART, {}
    )
    assert found.looked_up == {"sales.shops"}
    assert found.read == {
        ("sales.orders", "store"),
        ("sales.orders", "paid"),
        ("sales.shops", "store"),
        ("sales.shops", "boss"),
    }


def test_a_column_belongs_to_the_nearest_table_that_has_it() -> None:
    found = row_filter("EXISTS (SELECT 1 FROM sales.shops orders WHERE amount > 2)", "sales.orders", MART, {})
    assert found.read == {("sales.orders", "amount")}


def test_a_filter_calls_tables_by_names_that_no_query_can_give() -> None:
    condition = row_filter("store IN (SELECT store FROM sales.shops)", "sales.orders", MART, {}).condition
    names = {column.table for column in condition.find_all(exp.Column)}
    assert names == {inside("orders"), inside("shops")} == {"orders@", "shops@"}
    assert {table.alias for table in condition.find_all(exp.Table)} == {"shops@"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing = 1", "no column"),
        ("orders.nothing = 1", "no column"),
        ("shops.store = 1", "no column"),
        ("hr.orders.store = 1", "no column"),
        ("store IN (SELECT nothing FROM sales.shops)", "no column"),
        ("store IN (SELECT store FROM hr.shops)", "no table of sales"),
        ("store IN (SELECT store FROM sales@3.shops)", "no table of sales"),
        ("store IN (SELECT store FROM sales.nothing)", "no table of sales"),
        ("store IN (SELECT store FROM shops)", "no table of sales"),
        ("store IN (SELECT store FROM (SELECT 1) x)", "look up tables only"),
        ("store = ?", "parameters"),
        ("EXISTS (SELECT * FROM sales.shops)", "may not hold *"),
        ("EXISTS (SELECT store AS x FROM sales.shops)", "may not hold AS"),
        ("EXISTS (WITH a AS (SELECT 1) SELECT 1 FROM sales.shops)", "may not hold WITH"),
        ("EXISTS (SELECT 1 FROM sales.shops UNION SELECT 2 FROM sales.shops)", "set operations"),
        ("store = 1 ORDER BY 1", "no condition"),
        ("store = 1 GROUP BY 1", "no condition"),
        ("true LIMIT 5", "no condition"),
        ("store = 1) OR (1 = 1", "does not parse"),
        ("store = 1; DROP TABLE x", "One query"),
        ("", "does not parse"),
        ("getvariable('mask_inner') = region", "the function getvariable"),
        ("EXISTS (SELECT 1 FROM read_csv('x'))", "READ_CSV"),
        ("COLUMNS(*) = 1", "COLUMNS"),
    ],
)
def test_a_filter_that_cannot_be_used_is_an_error_with_its_text(text: str, said: str) -> None:
    with pytest.raises(UserError, match=r"The row filter of sales\.orders") as caught:
        row_filter(text, "sales.orders", MART, {})
    assert said.lower() in str(caught.value).lower()


@pytest.mark.parametrize(
    ("value", "sql"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (5, "5"),
        (-2.5, "-2.5"),
        (1e-7, "1e-07"),
        ("x", "'x'"),
        (date(2020, 1, 2), "CAST('2020-01-02' AS DATE)"),
    ],
)
def test_a_value_is_a_literal_of_its_type(value: Any, sql: str) -> None:
    assert literal(value).sql(dialect=DUCKDB) == sql


def test_nobody_sees_anything_without_a_role() -> None:
    assert policy().tables == {}
    assert policy("sales.nothing", "nothing.clerk", "clerk", "sales").tables == {}


def test_a_role_shows_its_tables_with_their_columns() -> None:
    clerk = policy("sales.clerk", region="EU")
    assert set(clerk.tables) == {"sales.staff", "sales.shops", "sales.groups"}
    staff, groups = clerk.tables["sales.staff"], clerk.tables["sales.groups"]
    assert staff.hides_rows
    assert not clerk.tables["sales.shops"].hides_rows
    assert groups.hides_rows
    assert groups.columns == set(GROUPS)
    assert groups.branches[0].smallest_group == ("households", 20)
    assert staff.masks_of("name") == ["partial"]
    assert staff.masks_of("nothing") == ["redact"]


def test_two_roles_show_what_either_shows() -> None:
    both = policy("sales.clerk", "sales.manager", region="EU", name="ada").tables["sales.staff"]
    assert len(both.branches) == 2
    assert both.hides_rows
    assert both.masks_of("name") == ["clear", "partial"]
    assert both.masks_of("salary") == [Band(band=1000), "redact"]
    assert both.masks_of("code") == ["hmac", "redact"]


def test_a_role_of_all_rows_leaves_no_row_hidden_and_the_least_mask_of_them() -> None:
    table = policy("sales.clerk", "sales.counter", region="EU").tables["sales.staff"]
    assert not table.hides_rows
    assert table.masks_of("name") == ["partial", "redact"]
    assert table.masks_of("id") == ["clear"]


def test_a_role_that_another_one_covers_has_no_part_in_it() -> None:
    assert policy("sales.auditor", "sales.clerk", region="EU").tables["sales.staff"].branches == (
        policy("sales.auditor").tables["sales.staff"].branches
    )
    assert len(policy("sales.clerk", "sales.clerk", region="EU").tables["sales.staff"].branches) == 1


def test_two_roles_that_both_show_all_are_one() -> None:
    rights = TableRights(columns={"id": "clear"})
    mart = MartRights(
        mart="sales",
        types={"sales.orders": ORDERS},
        roles={
            "a": RoleRights(tables={"sales.orders": rights}),
            "b": RoleRights(tables={"sales.orders": TableRights(columns={"id": "clear", "region": "clear"})}),
            "c": RoleRights(tables={"sales.orders": TableRights(columns={})}),
        },
    )
    found = policy_of({"sales": mart}, Asker("x", ("sales.a", "sales.b", "sales.c"), {})).tables[
        "sales.orders"
    ]
    assert [set(branch.columns) for branch in found.branches] == [{"id", "region"}]
    assert "sales.orders" not in policy_of({"sales": mart}, Asker("x", ("sales.c",), {})).tables


def test_a_role_that_shows_more_of_one_column_and_less_of_another_stays() -> None:
    roles = {
        "all": TableRights(columns={"id": "clear", "region": "redact"}),
        "some": TableRights(columns={"id": Band(band=10), "region": "partial"}, rows="store = 1"),
        "named": TableRights(columns={"id": "redact", "store": "redact"}, rows="store = 1"),
    }
    rights = {name: RoleRights(tables={"sales.orders": role}) for name, role in roles.items()}
    mart = MartRights(mart="sales", types=MART, roles=rights)
    for other in ("some", "named"):
        found = policy_of({"sales": mart}, Asker("x", ("sales.all", f"sales.{other}"), {})).tables[
            "sales.orders"
        ]
        assert len(found.branches) == 2


def test_the_digest_is_that_of_what_is_seen() -> None:
    one = policy("sales.clerk", region="EU")
    assert len(one.digest) == 64
    assert one.digest == policy("sales.clerk", region="EU", unused="x").digest
    assert policy("sales.clerk", "sales.manager", region="EU", name="a").digest == (
        policy("sales.manager", "sales.clerk", region="EU", name="a").digest
    )
    assert policy_of(RIGHTS, Asker("bob", ("sales.clerk",), {"region": "EU"})).digest == one.digest
    others = [
        policy("sales.clerk", region="US"),
        policy("sales.clerk"),
        policy("sales.auditor"),
        policy("sales.counter"),
        policy("sales.clerk", "sales.manager", region="EU"),
        policy(),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == len(others) + 1


@pytest.mark.parametrize(
    "changed",
    [
        {"columns": {"id": "clear", "region": "redact"}},
        {"columns": {"id": "clear"}},
        {"columns": {"id": Band(band=10), "region": "clear"}},
        {"columns": {"id": Band(band=20), "region": "clear"}},
        {"rows": "store = 1"},
        {"rows": "store = 2"},
        {"smallest_group": ("store", 5)},
        {"smallest_group": ("store", 6)},
    ],
)
def test_the_digest_changes_with_everything_that_decides_what_is_seen(changed: dict[str, Any]) -> None:
    before = digest_of({})
    assert digest_of(changed) != before
    assert digest_of(changed) == digest_of(changed)


def test_no_two_rights_have_the_same_digest() -> None:
    bands: list[dict[str, Mask]] = [{"id": Band(band=width)} for width in (10, 20)]
    groups = [("store", 5), ("store", 6), ("id", 5)]
    changes: list[dict[str, Any]] = [{"columns": columns} for columns in bands]
    changes += [{"smallest_group": group} for group in groups]
    changes += [{"rows": f"store = {number}"} for number in (1, 2)]
    assert len({digest_of(change) for change in changes}) == len(changes)


def digest_of(changed: dict[str, Any]) -> str:
    rights = TableRights(**{"columns": {"id": "clear", "region": "clear"}, **changed})
    mart = MartRights(mart="sales", types=MART, roles={"a": RoleRights(tables={"sales.orders": rights})})
    return policy_of({"sales": mart}, Asker("x", ("sales.a",), {})).digest


def test_what_is_shown_is_told_in_words() -> None:
    shown = policy("sales.clerk", "sales.manager", region="EU", name="ada").shown()
    assert shown["sales.shops"] == dict.fromkeys(TYPES["sales.shops"], "clear")
    assert shown["sales.staff"]["name"] == "clear or partial"
    assert shown["sales.staff"]["salary"] == "band 1000 or redact"
    assert set(shown) == {"sales.staff", "sales.shops", "sales.groups"}


def test_the_text_of_a_policy_holds_the_attributes_and_no_name() -> None:
    text = policy("sales.clerk", region="Atlantis").text
    assert "Atlantis" in text
    assert "ada" not in text
