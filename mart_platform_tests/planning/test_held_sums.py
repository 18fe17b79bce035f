"""What a table that holds the sums of another one promises, and that a check finds it out."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from mart_platform.planning.check_sql import compile_check
from mart_platform.spec.checks import HoldsSums
from mart_platform.spec.tables import Holds

FACT = """
    SELECT day::DATE AS day, shop, price::DECIMAL(10,2) AS price, quantity FROM (VALUES
        ('2026-01-01', 1, 1.50, 2), ('2026-01-01', 1, 2.50, NULL), ('2026-01-01', 2, 3.00, NULL),
        ('2026-01-02', NULL, 4.00, 1), ('2026-01-02', NULL, -4.00, 1)
    ) AS fact(day, shop, price, quantity)
"""
AGGREGATE = """
    SELECT day, shop AS store, shop IS NULL AS online, sum(price) AS total, sum(quantity) AS quantity,
           count(*) AS lines
    FROM m.fact GROUP BY ALL
"""
HELD = Holds.model_validate(
    {
        "of": "m.fact",
        "by": {"day": "day", "store": "shop"},
        "sums": {"total": "price", "quantity": "quantity"},
        "rows": "lines",
    }
).compile()
BY_DAY = HELD.model_copy(update={"by": (("day", "day"),), "rows": None})


@pytest.fixture
def mart() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA m")
    connection.execute(f"CREATE TABLE m.fact AS {FACT}")
    connection.execute(f"CREATE TABLE m.daily AS {AGGREGATE}")
    yield connection
    connection.close()


def judged(mart: duckdb.DuckDBPyConnection, check: HoldsSums) -> tuple[int, str | None]:
    measure = compile_check(check, "m.daily").measure
    assert measure is not None
    [(failed, found)] = mart.execute(measure).fetchall()
    return failed, found


@pytest.mark.parametrize("check", [HELD, BY_DAY], ids=["by all", "by fewer than it is grouped by"])
def test_an_aggregate_that_adds_up_passes(mart: duckdb.DuckDBPyConnection, check: HoldsSums) -> None:
    assert judged(mart, check) == (0, None)


@pytest.mark.parametrize(
    ("wrong", "groups"),
    [
        ("UPDATE m.daily SET total = total + 0.01 WHERE store = 1", 1),
        ("UPDATE m.daily SET lines = lines + 1 WHERE store IS NULL", 1),
        ("UPDATE m.daily SET quantity = 0 WHERE store = 2", 1),
        ("DELETE FROM m.daily WHERE store IS NULL", 1),
        ("INSERT INTO m.daily SELECT DATE '2026-01-03', 1, FALSE, NULL, NULL, 0", 1),
        ("INSERT INTO m.fact SELECT * FROM m.fact WHERE shop = 1", 1),
        ("UPDATE m.daily SET store = 3 WHERE store = 2", 2),
    ],
)
def test_an_aggregate_with_another_sum_number_or_group_fails(
    mart: duckdb.DuckDBPyConnection, wrong: str, groups: int
) -> None:
    mart.execute(wrong)
    assert judged(mart, HELD) == (groups, f"{groups} groups are not as in m.fact")


def test_errors_that_cancel_out_in_the_total_are_found(mart: duckdb.DuckDBPyConnection) -> None:
    mart.execute("UPDATE m.daily SET total = total + CASE store WHEN 1 THEN 1 WHEN 2 THEN -1 ELSE 0 END")
    assert judged(mart, BY_DAY) == (0, None)
    assert judged(mart, HELD)[0] == 2


def test_the_groups_that_differ_are_shown_under_the_names_of_their_own_tables(
    mart: duckdb.DuckDBPyConnection,
) -> None:
    """A sample hides values by the names of their columns."""
    mart.execute("UPDATE m.daily SET store = 3 WHERE store = 2")
    sample = compile_check(HELD, "m.daily").sample
    assert sample is not None
    shown = mart.execute(f"SELECT day::VARCHAR, store, shop, here, there FROM ({sample}) ORDER BY ALL")
    assert shown.fetchall() == [("2026-01-01", 3, None, True, None), ("2026-01-01", None, 2, None, True)]


def test_the_check_blocks_and_reads_the_other_table() -> None:
    planned = compile_check(HELD, "m.daily")
    assert HELD.blocks
    assert planned.reads == ("m.fact",)


def test_columns_are_a_list_where_both_tables_call_them_alike() -> None:
    held = Holds.model_validate({"of": "m.fact", "by": ["day"], "sums": ["quantity"]}).compile()
    assert held.by == (("day", "day"),)
    assert held.sums == (("quantity", "quantity"),)


@pytest.mark.parametrize("said", [{"by": ["day"]}, {"by": [], "rows": "lines"}, {"rows": "lines"}])
def test_something_is_held_by_something(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"holds|by"):
        Holds.model_validate({"of": "m.fact", **said})
