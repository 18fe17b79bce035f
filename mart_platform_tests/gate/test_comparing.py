"""Types that are called comparable are compared by DuckDB without an error, whatever the values."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
from typing import Any

import duckdb
import pytest

from mart_platform.gate.comparing import (
    AGGREGATED,
    NULL,
    are_comparable,
    is_written,
    type_of_number,
    type_of_value,
)
from mart_platform.spec.types import duckdb_type

EXTREMES = {
    "integer": ["2147483647", "-2147483648"],
    "bigint": ["9223372036854775807", "-9223372036854775808"],
    "double": ["1.7e308", "'nan'", "'-infinity'"],
    "decimal(4,1)": ["999.9", "-999.9"],
    "decimal(18,2)": ["9999999999999999.99"],
    "decimal(18,18)": ["0.999999999999999999"],
    "decimal(38,0)": ["99999999999999999999999999999999999999"],
    "decimal(38,10)": ["9999999999999999999999999999.9999999999"],
    "string": ["'x'", "''"],
    "boolean": ["true"],
    "date": ["'5881580-07-10'", "'5877642-06-25 (BC)'", "'infinity'"],
    "timestamp": ["'294247-01-10 04:00:54.775806'", "'290309-12-22 (BC) 00:00:00'"],
    "timestamptz": ["'294247-01-10 04:00:54.775806+00'", "'-infinity'"],
    "binary": ["'a'::blob"],
    "list(integer)": ["[2147483647]"],
    "list(string)": ["['x']"],
}


@pytest.mark.parametrize(("one", "other"), list(product(EXTREMES, EXTREMES)))
def test_what_is_called_comparable_is_compared_without_an_error(one: str, other: str) -> None:
    if not are_comparable(one, other):
        return
    engine = duckdb.connect()
    for left, right in product(EXTREMES[one], EXTREMES[other]):
        engine.execute(
            f"SELECT a = b, a < b, a BETWEEN b AND b, a IN (b), a IS DISTINCT FROM b FROM (SELECT"
            f" CAST({left} AS {duckdb_type(one)}) AS a, CAST({right} AS {duckdb_type(other)}) AS b FROM range(3))"
        ).fetchall()


@pytest.mark.parametrize(
    ("one", "other", "comparable"),
    [
        ("integer", "bigint", True),
        ("integer", "double", True),
        ("bigint", "decimal(18,2)", True),
        ("decimal(38,2)", "decimal(38,4)", False),
        ("decimal(36,2)", "decimal(4,4)", True),
        ("decimal(37,2)", "decimal(4,4)", False),
        ("bigint", "decimal(20,19)", True),
        ("bigint", "decimal(20,20)", False),
        ("integer", "string", False),
        ("string", "integer", False),
        ("date", "timestamp", False),
        ("date", "string", False),
        ("timestamp", "timestamptz", False),
        ("boolean", "integer", False),
        ("list(integer)", "list(string)", False),
        ("list(integer)", "list(integer)", True),
        (NULL, "date", True),
        ("date", NULL, True),
        (AGGREGATED, "integer", True),
        ("bigint", AGGREGATED, True),
        (AGGREGATED, "double", True),
        (AGGREGATED, "decimal(18,4)", True),
        (AGGREGATED, "decimal(20,4)", False),
        (AGGREGATED, "string", False),
        (AGGREGATED, "date", False),
        (AGGREGATED, AGGREGATED, True),
    ],
)
def test_numbers_are_comparable_where_a_type_holds_both(one: str, other: str, comparable: bool) -> None:
    assert are_comparable(one, other) is comparable
    assert are_comparable(other, one) is comparable


@pytest.mark.parametrize(
    ("literal", "kind"),
    [
        ("0", "integer"),
        ("2147483647", "integer"),
        ("2147483648", "bigint"),
        ("9223372036854775807", "bigint"),
        ("9223372036854775808", "decimal(19,0)"),
        ("1.50", "decimal(3,2)"),
        ("1.", "decimal(1,0)"),
        ("0.001", "decimal(4,3)"),
        ("1e3", "double"),
        ("1.5E-3", "double"),
    ],
)
def test_a_number_has_the_type_that_holds_it(literal: str, kind: str) -> None:
    assert type_of_number(literal) == kind


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "boolean"),
        (5, "integer"),
        (-5, "integer"),
        (3_000_000_000, "bigint"),
        (2**70, None),
        (1.5, "double"),
        ("x", "string"),
        (date(2020, 1, 1), "date"),
        (datetime(2020, 1, 1), "timestamp"),  # noqa: DTZ001  # a moment without a zone is a type of its own
        (datetime(2020, 1, 1, tzinfo=UTC), "timestamptz"),
        (Decimal(1), None),
        (None, None),
        ([1], None),
    ],
)
def test_a_value_of_a_parameter_has_a_type_where_the_engine_gives_it_one(
    value: Any, kind: str | None
) -> None:
    assert type_of_value(value) == kind


@pytest.mark.parametrize(
    ("text", "declared", "written"),
    [
        ("2017-01-31", "date", True),
        ("2017-01-31 10:00:00", "date", False),
        ("2017-02-30", "date", False),
        ("2017-1-1", "date", False),
        ("infinity", "date", False),
        ("2017-01-31", "timestamp", True),
        ("2017-01-31 10:00:00", "timestamp", True),
        ("2017-01-31 10:00:00.5", "timestamp", True),
        ("2017-01-31 25:00:00", "timestamp", False),
        ("2017-01-31 10:00:00", "timestamptz", True),
        ("2017-01-31", "string", False),
        ("2017-01-31", "integer", False),
    ],
)
def test_a_text_is_a_moment_where_it_is_written_out_and_there_is_such_a_day(
    text: str, declared: str, written: bool
) -> None:
    assert is_written(text, declared) is written
