"""What a query leaves to the order in which rows come."""

import pytest

from mart_platform.planning.lints import order_lints, sum_lints, unsteady
from mart_platform.planning.plan import PlannedModel
from mart_platform.planning.queries import Query, parse_query
from mart_platform_tests.stages.small_platform import planned_table

SCHEMAS = {"s.t": {"a": "BIGINT", "x": "DOUBLE", "y": "DECIMAL(10,2)"}}


def parsed(sql: str) -> Query:
    query = parse_query("model.sql", sql)
    assert isinstance(query, Query), query
    return query


@pytest.mark.parametrize(
    "call",
    [
        "first(a)",
        "last(a)",
        "any_value(a)",
        "arbitrary(a)",
        "list(a)",
        "array_agg(DISTINCT a)",
        "string_agg(a, ',')",
        "list(a) FILTER (WHERE a > 1)",
        "row_number() OVER (PARTITION BY a)",
        "lag(a) OVER ()",
        "list(a) OVER (PARTITION BY a)",
        "lag(a) OVER w",
    ],
)
def test_a_call_that_takes_rows_as_they_come_is_found(call: str) -> None:
    [lint] = order_lints(parsed(f"SELECT {call} FROM s.t WINDOW w AS (PARTITION BY a)"))
    assert "has no ORDER BY" in lint


@pytest.mark.parametrize(
    "call",
    [
        "first(a ORDER BY a)",
        "string_agg(a, ',' ORDER BY a)",
        "list(a ORDER BY a) FILTER (WHERE a > 1)",
        "list_sort(list(a))",
        "row_number() OVER (PARTITION BY a ORDER BY y)",
        "lag(a IGNORE NULLS) OVER (ORDER BY a)",
        "lag(a) OVER w",
        "sum(a) OVER (PARTITION BY a)",
        "max(a)",
    ],
)
def test_a_call_with_an_order_is_not(call: str) -> None:
    assert order_lints(parsed(f"SELECT {call} FROM s.t WINDOW w AS (ORDER BY a)")) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM s.t LIMIT 3",
        "SELECT a FROM (SELECT a FROM s.t LIMIT 3) ORDER BY a",
        "SELECT DISTINCT ON (a) a, x FROM s.t",
        "SELECT a FROM s.t USING SAMPLE 3",
        "SELECT l.a FROM s.t AS l POSITIONAL JOIN s.t AS r",
    ],
)
def test_rows_that_are_chosen_without_an_order_are_found(sql: str) -> None:
    assert len(order_lints(parsed(sql))) == 1


def test_a_table_is_unsteady_by_its_sql_and_the_types_of_its_inputs() -> None:
    model = PlannedModel(file="total.sql", sql="SELECT sum(x) AS x, first(a) AS a FROM s.t")
    total = planned_table("m.total", {"x": "double"}, model=model).model_copy(update={"inputs": ("s.t",)})
    read = planned_table("s.t", {"a": "bigint", "x": "double"})
    assert [lint.partition("(")[0] for lint in unsteady(total, {"s.t": read})] == ["FIRST", "SUM"]
    assert unsteady(read, {}) == (), "it has no SQL"


def test_a_sum_of_floating_point_numbers_is_found_and_one_of_decimals_is_not() -> None:
    assert sum_lints(parsed("SELECT sum(y) AS y, sum(x::DECIMAL(18,2)) AS x FROM s.t"), SCHEMAS) == []
    [lint] = sum_lints(parsed("SELECT a, sum(t.x) AS x FROM s.t GROUP BY a"), SCHEMAS)
    assert lint.endswith("adds up floating-point numbers: cast them to DECIMAL.")
