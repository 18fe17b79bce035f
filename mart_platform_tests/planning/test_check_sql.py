"""Each kind of check, judged by DuckDB on a table in which one row breaks it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import duckdb
import pytest

from mart_platform.planning.check_sql import compile_check
from mart_platform.spec import checks
from mart_platform.spec.checks import Check
from mart_platform.spec.words import Severity

WORDS: dict[str, Any] = {"name": "x", "says": "It holds."}
TABLE = "shop.line"


@pytest.fixture
def lines() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA shop")
    connection.execute("""
        CREATE TABLE shop.line AS FROM (VALUES
            (1, 'a-1', 5, 10.50::DECIMAL(10,2), DATE '2017-01-01'),
            (2, 'a-22', 500, 20.00, DATE '2017-01-02'),
            (2, 'B', -1, 30.00, DATE '2017-01-03'),
            (NULL, NULL, NULL, NULL, NULL)
        ) AS t(id, code, quantity, amount, sold_on)
    """)
    connection.execute("CREATE TABLE shop.product AS FROM (VALUES (1), (3)) AS t(id)")
    connection.execute("CREATE TABLE shop.invoice AS FROM (VALUES (60.49::DECIMAL(10,2))) AS t(amount)")
    yield connection
    connection.close()


def failures(lines: duckdb.DuckDBPyConnection, check: Check) -> int:
    planned = compile_check(check, TABLE)
    if planned.predicate:
        asked = f"SELECT count(*) FILTER (WHERE ({planned.predicate}) IS FALSE) FROM {TABLE}"
        return int(lines.execute(asked).fetchall()[0][0])
    assert planned.measure
    return int(lines.execute(planned.measure).fetchall()[0][0])


@pytest.mark.parametrize(
    ("check", "failed"),
    [
        (checks.NotNull(column="id", **WORDS), 1),
        (checks.Unique(columns=("id",), **WORDS), 1),
        (checks.Unique(columns=("id", "code"), **WORDS), 0),
        (checks.OneOf(column="code", values=("a-1", "B"), **WORDS), 1),
        (checks.OneOf(column="quantity", values=(5, 500, -1), **WORDS), 0),
        (checks.InRange(column="quantity", at_least=0, at_most=100, **WORDS), 2),
        (checks.InRange(column="amount", above=10.5, below=30, **WORDS), 2),
        (checks.InRange(column="sold_on", at_least="2017-01-02", **WORDS), 1),
        (checks.Matches(column="code", pattern="[a-z]-[0-9]", **WORDS), 2),
        (checks.HasLength(column="code", at_least=1, at_most=3, **WORDS), 1),
        (checks.References(column="id", table="shop.product", target="id", **WORDS), 2),
        (checks.RowCount(at_least=4, at_most=4, **WORDS), 0),
        (checks.RowCount(at_least=5, **WORDS), 1),
        (checks.SumEquals(column="amount", table="shop.invoice", target="amount", **WORDS), 1),
        (checks.SumEquals(column="amount", table="shop.invoice", target="amount", within=0.02, **WORDS), 0),
        (checks.NoRow(sql="SELECT * FROM shop.line WHERE quantity < 0", **WORDS), 1),
    ],
    ids=lambda value: value.kind if hasattr(value, "kind") else str(value),
)
def test_a_check_counts_the_rows_that_break_it(
    lines: duckdb.DuckDBPyConnection, check: Check, failed: int
) -> None:
    assert failures(lines, check) == failed


@pytest.mark.parametrize(("now", "failed"), [("2017-01-05", 0), ("2017-01-07", 1)])
def test_freshness_is_judged_on_the_business_clock(
    lines: duckdb.DuckDBPyConnection, now: str, failed: int
) -> None:
    lines.execute(f"SET VARIABLE business_now = TIMESTAMP '{now}'")
    assert failures(lines, checks.Fresh(column="sold_on", within=timedelta(days=3), **WORDS)) == failed


@pytest.mark.parametrize("check_class", [checks.NotNull, checks.Matches, checks.References, checks.Unique])
def test_failing_rows_can_be_shown(lines: duckdb.DuckDBPyConnection, check_class: type[Check]) -> None:
    fields: dict[str, Any] = {
        "column": "code",
        "pattern": "x",
        "table": "shop.product",
        "target": "id",
        "columns": ("id",),
    }
    if check_class is checks.References:
        fields["column"] = "id"
    check = check_class(**WORDS, **{k: v for k, v in fields.items() if k in check_class.model_fields})
    sample = compile_check(check, TABLE).sample
    assert sample is not None
    assert lines.execute(sample).fetchall()


def test_a_value_with_a_quote_cannot_leave_its_literal(lines: duckdb.DuckDBPyConnection) -> None:
    check = checks.OneOf(column="code", values=("' OR TRUE OR code = '",), **WORDS)
    assert failures(lines, check) == 3


def test_words_have_no_part_in_the_fingerprint_and_bounds_have() -> None:
    one = checks.InRange(name="a", says="One.", column="quantity", at_least=0)
    same = checks.InRange(name="b", says="Two.", column="quantity", at_least=0, severity=Severity.WARN)
    other = checks.InRange(name="a", says="One.", column="quantity", at_least=1)
    assert one.fingerprint == same.fingerprint != other.fingerprint
