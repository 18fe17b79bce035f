"""Queries by chance mostly run, and are made small without losing what they show."""

from collections import Counter
from itertools import islice

import duckdb
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp
from sqlglot.errors import ParseError

from mart_platform.runs.proving.queries import Probe, Words, probes
from mart_platform.runs.proving.shrinking import shrunk

WORDS = Words(
    seen={
        "s.a": {"k": "integer", "name": "string", "d": "date", "x": "double"},
        "s.b": {"k": "integer", "t": "timestamp", "f": "boolean", "name": "string"},
    },
    unseen={"s.a": {"hidden": "string"}, "s.secret": {"k": "integer", "z": "string"}},
)


def is_query(text: str) -> bool:
    try:
        return isinstance(sqlglot.parse_one(text, dialect="duckdb"), exp.Query)
    except ParseError:
        return False


def some(number: int, seed: str = "1") -> list[Probe]:
    return list(islice(probes(WORDS, seed), number))


@pytest.fixture(scope="module")
def tables() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA s")
    connection.execute(
        "CREATE TABLE s.a AS SELECT i AS k, 'n' || i AS name, DATE '2017-01-01' + CAST(i AS INTEGER) AS d, "
        "i / 7 AS x FROM range(100) AS t(i)"
    )
    connection.execute(
        "CREATE TABLE s.b AS SELECT i AS k, TIMESTAMP '2017-01-01' AS t, i % 2 = 0 AS f, 'n' || i AS name "
        "FROM range(120) AS t(i)"
    )
    return connection


def test_the_same_seed_gives_the_same_queries() -> None:
    assert some(50) == some(50)
    assert some(50) != some(50, seed="2")


def test_most_queries_run_and_a_good_part_fails_while_it_runs(tables: duckdb.DuckDBPyConnection) -> None:
    ended = Counter[str]()
    for probe in some(300):
        if not probe.trespasses:
            try:
                tables.execute(probe.text).fetchmany(10)
                ended["answered"] += 1
            except duckdb.Error as error:
                ended[type(error).__name__] += 1
    assert ended["answered"] > 150
    assert ended["ConversionException"] + ended["InvalidInputException"] > 30
    assert ended["BinderException"] + ended["CatalogException"] + ended["ParserException"] < 10


def test_names_that_may_not_be_known_are_named_now_and_then() -> None:
    trespassing = [probe for probe in some(300) if probe.trespasses]
    assert 5 <= len(trespassing) <= 60
    for probe in trespassing:
        assert all(name in probe.text for name in probe.trespasses)
    assert {'"s"."secret"'} < {name for probe in trespassing for name in probe.trespasses}


def test_a_limit_stands_behind_an_order_over_all_columns() -> None:
    for probe in some(300):
        for limit in sqlglot.parse_one(probe.text, dialect="duckdb").find_all(exp.Limit):
            select = limit.find_ancestor(exp.Select)
            assert select is not None
            assert len(select.args["order"].expressions) == len(select.expressions)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_shrunk_query_still_shows_it_and_is_no_longer(seed: int) -> None:
    (probe,) = some(1, str(seed))

    def shows(text: str) -> bool:
        return '"k"' in text and is_query(text)

    if shows(probe.text):
        smallest = shrunk(probe.text, shows, tries=2000)
        assert shows(smallest)
        assert len(smallest) <= len(probe.text) + 20
        assert not sqlglot.parse_one(smallest, dialect="duckdb").args.get("limit")


def test_a_query_that_shows_it_by_one_call_shrinks_to_that_call() -> None:
    text = (
        'SELECT DISTINCT upper(t1."name") AS c1, CASE WHEN t1."k" > 3 THEN CAST(t1."name" AS INTEGER) END '
        'AS c2 FROM "s"."a" AS t1 JOIN "s"."b" AS t2 ON t1."k" = t2."k" WHERE t2."f" ORDER BY 1, 2 LIMIT 3'
    )
    smallest = shrunk(text, lambda smaller: "CAST(" in smaller and '"s"."a"' in smaller)
    assert smallest == 'SELECT CAST(t1."name" AS INT) FROM "s"."a" AS t1'
