"""SQL read as a tree."""

import pytest

from mart_platform.planning.queries import (
    Query,
    has_volatile_call,
    named_tables,
    parse_query,
    table_functions,
    unique_by_construction,
)
from mart_platform.spec.problems import Problem


def parsed(sql: str) -> Query:
    query = parse_query("m.sql", sql)
    assert isinstance(query, Query), query
    return query


def test_tables_are_named_but_not_its_own_common_table_expressions() -> None:
    query = parsed("WITH o AS (SELECT * FROM shop.orders)\nSELECT * FROM o\nJOIN shop.customers USING (id)")
    assert {(t.name, t.line) for t in named_tables(query)} == {("shop.orders", 1), ("shop.customers", 3)}


def test_a_file_read_in_place_of_a_table_is_seen() -> None:
    assert [t.name for t in table_functions(parsed("SELECT * FROM read_csv('x.csv')"))] != []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT current_date",
        "SELECT now()",
        "SELECT random()",
        "SELECT uuid()",
        "SELECT uuidv7()",
        "SELECT get_current_timestamp()",
        "SELECT current_localtimestamp()",
        "SELECT current_localtime()",
        "SELECT txid_current()",
        "SELECT getvariable('business_now')",
        "SELECT age(bought_at) FROM shop.orders",
        "SELECT * FROM shop.orders USING SAMPLE 10%",
    ],
)
def test_a_call_that_differs_from_run_to_run_is_seen(sql: str) -> None:
    assert has_volatile_call(parsed(sql))


def test_the_age_between_two_columns_is_the_same_at_every_run() -> None:
    assert has_volatile_call(parsed("SELECT age(paid_at, bought_at) FROM shop.orders")) is None


@pytest.mark.parametrize(
    ("sql", "found"),
    [("SELECT 1; SELECT 2", "SELECT"), ("DELETE FROM shop.orders", "DELETE"), ("SELEC 1", "parse")],
)
def test_anything_but_one_select_is_a_problem_with_its_line(sql: str, found: str) -> None:
    problem = parse_query("m.sql", sql, line=7)
    assert isinstance(problem, Problem)
    assert problem.place.line == 7
    assert found in problem.found


def test_a_query_that_is_nested_without_end_is_a_problem() -> None:
    problem = parse_query("m.sql", f"SELECT {'(' * 5000}1{')' * 5000}")
    assert isinstance(problem, Problem)
    assert "nested too deep" in problem.found


@pytest.mark.parametrize(
    ("sql", "unique"),
    [
        ("SELECT a, b AS c, sum(x) AS s FROM shop.t GROUP BY a, b", {"a", "c"}),
        ("SELECT a, b + 1 AS c, sum(x) AS s FROM shop.t GROUP BY a, b + 1", {"a", "c"}),
        ("SELECT t.a, sum(x) AS s FROM shop.t AS t GROUP BY t.a", {"a"}),
        ("SELECT a, sum(x) AS s FROM shop.t GROUP BY a, b", set()),
        ("SELECT a, b, sum(x) AS s FROM shop.t GROUP BY ROLLUP (a, b)", set()),
        ("SELECT a, unnest(list(x)) AS x FROM shop.t GROUP BY a", set()),
        ("SELECT a, count(*) FROM shop.t GROUP BY a UNION ALL SELECT 1, 2", set()),
        ("SELECT max(b) AS a, a AS c FROM shop.t GROUP BY a", {"c"}),
        ("SELECT max(b) AS a FROM shop.t GROUP BY a", set()),
        ("SELECT a FROM shop.t", set()),
    ],
)
def test_only_the_columns_that_a_query_groups_by_are_unique_by_construction(
    sql: str, unique: set[str]
) -> None:
    assert unique_by_construction(parsed(sql)) == unique
