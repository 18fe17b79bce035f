"""Views put in the place of their names: the rows are those that the view gives."""

from collections.abc import Iterator

import duckdb
import pytest

from mart_platform.planning.queries import Query, named_tables, parse_query
from mart_platform.planning.views import inlined


def parsed(sql: str) -> Query:
    query = parse_query("model.sql", sql)
    assert isinstance(query, Query), query
    return query


VIEWS = {
    "s.v": parsed("-- odd ones\nWITH a AS (SELECT i, k FROM s.t WHERE k > 0) SELECT * FROM a -- all"),
    "s.w": parsed("SELECT v.i + 1 AS i, v.k FROM s.v;"),
    "sä.my v": parsed("SELECT 1 AS i"),
}


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute('CREATE SCHEMA s; CREATE SCHEMA "sä"')
        connection.execute("CREATE TABLE s.t AS SELECT range AS i, range % 3 AS k FROM range(10)")
        for name, view in VIEWS.items():
            schema, short = name.split(".")
            connection.execute(f'CREATE VIEW "{schema}"."{short}" AS {view.text.rstrip(";")}')
        yield connection


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM s.v",
        "SELECT v.i FROM S.V",
        "SELECT s.v.i, S.V.k FROM s.v WHERE s.v.k = 1",
        "SELECT x.i FROM s.v AS x JOIN s.w AS y USING (i)",
        "SELECT n FROM s.v AS x (n, k)",
        "WITH a AS (SELECT * FROM s.w) SELECT a.i, v.i FROM a JOIN s.v ON a.i = v.i",
        "WITH v AS (SELECT 1 AS i) SELECT v.i, z.i FROM v, s.v AS z",
        "WITH v AS (SELECT i FROM s.v) SELECT i FROM v",
        'SELECT "my v".i FROM "sä"."my v"',
        "SELECT i FROM s.t UNION ALL SELECT i FROM s.v",
        "FROM s.v",
        "SELECT v FROM s.v",
        "SELECT (SELECT max(z.i) FROM s.v AS z WHERE z.k = t.k) FROM s.t",
        "SELECT i FROM s.t WHERE EXISTS (SELECT 1 FROM s.w WHERE w.i = t.i)",
        "SELECT t.i, l.m FROM s.t, LATERAL (SELECT max(v.i) AS m FROM s.v WHERE v.k = t.k) AS l",
    ],
)
def test_a_query_gives_the_same_rows_without_naming_the_view(
    sql: str, engine: duckdb.DuckDBPyConnection
) -> None:
    query = inlined(parsed(sql), VIEWS)
    assert {table.name for table in named_tables(query)} <= {"s.t"}
    named, plain = (engine.execute(text).fetchall() for text in (sql, query.text))
    assert sorted(map(str, plain)) == sorted(map(str, named))


@pytest.mark.parametrize("sql", ["SELECT * FROM s.t", "WITH v AS (SELECT 1 AS i) SELECT * FROM v"])
def test_a_query_that_names_no_view_is_left_alone(sql: str) -> None:
    query = parsed(sql)
    assert inlined(query, VIEWS) is query


def test_the_text_around_a_view_stays_as_it_was_written() -> None:
    text = "-- what is odd\nSELECT  i   -- and small\nFROM s.w AS w"
    assert inlined(parsed(text), {"s.w": parsed("SELECT 1 AS i")}).text == (
        "-- what is odd\nSELECT  i   -- and small\nFROM (\nSELECT 1 AS i\n) AS w"
    )
