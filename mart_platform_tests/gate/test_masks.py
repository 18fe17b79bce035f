"""A mask keeps the column's type, hides what it says, and raises for no value there is."""

import hashlib
import hmac
from typing import Any

import duckdb
import pytest
from sqlglot import exp

from mart_platform.gate.masks import BLOCK, is_keyed, mask_variables, masked, spoken
from mart_platform.gate.parsing import DUCKDB
from mart_platform.spec.access import Band, Mask, Prefix, strictness
from mart_platform.spec.types import duckdb_type

KEY = b"the key"

VALUES: dict[str, list[str]] = {
    "boolean": ["true", "false"],
    "integer": ["0", "7", "-7", "2147483647", "-2147483648"],
    "bigint": ["0", "25", "-25", "9223372036854775807", "-9223372036854775808", "9007199254740993"],
    "double": ["0.0", "12.5", "-12.5", "1.7e308", "'nan'", "'infinity'", "'-infinity'"],
    "decimal(10,2)": ["0", "123.45", "-123.45", "99999999.99", "-99999999.99"],
    "decimal(38,2)": ["999999999999999999999999999999999999.99", "-999999999999999999999999999999999999.99"],
    "string": ["''", "'a'", "'Ada Lovelace'", "'äöü'", "'\U0001f600\U0001f600'", "'x' || chr(0) || 'y'"],
    "date": ["'2017-06-30'", "'5881580-07-10'", "'5877642-06-25 (BC)'", "'infinity'", "'-infinity'"],
    "timestamp": [
        "'2017-06-30 12:00:00'",
        "'294247-01-10 04:00:54.775806'",
        "'290309-12-22 (BC) 00:00:00'",
        "'infinity'",
    ],
    "timestamptz": ["'2017-06-30 12:00:00+00'", "'294247-01-10 04:00:54.775806+00'", "'-infinity'"],
    "binary": ["'a'::blob"],
    "list(string)": ["['a']"],
    "struct(a integer)": ["{'a': 1}"],
}
MASKS: list[Mask] = ["clear", "redact", "partial", "hmac", "year", "band", "prefix"]
MASKS += [
    Band(band=10),
    Band(band=2.5),
    Band(band=1e300),
    Band(band=1e17),
    Prefix(prefix=1),
    Prefix(prefix=10**30),
]


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    for name, value in mask_variables(KEY).items():
        engine.execute(f"SET VARIABLE {name} = ?", [value])
    return engine


def shown(engine: duckdb.DuckDBPyConnection, mask: Mask, declared: str, value: str) -> tuple[Any, str]:
    """Return what a mask shows of a value, and its type, as a column of a table has them."""
    kind = duckdb_type(declared)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE t AS SELECT CAST({value} AS {kind}) AS x")
    sql = masked(mask, exp.column("x"), declared).sql(dialect=DUCKDB)
    row = engine.execute(f"SELECT CAST({sql} AS VARCHAR), typeof({sql}) FROM t").fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize("declared", VALUES)
@pytest.mark.parametrize("mask", MASKS, ids=str)
def test_no_mask_raises_or_changes_the_type_and_null_stays_null(
    engine: duckdb.DuckDBPyConnection, mask: Mask, declared: str
) -> None:
    for value in VALUES[declared]:
        assert shown(engine, mask, declared, value)[1] == duckdb_type(declared).replace('"', "")
    assert shown(engine, mask, declared, "NULL")[0] is None


@pytest.mark.parametrize(
    ("mask", "declared", "value", "result"),
    [
        ("clear", "string", "'Ada'", "Ada"),
        ("redact", "string", "'Ada'", None),
        ("redact", "integer", "5", None),
        ("partial", "string", "'Ada Lovelace'", "A***"),
        ("partial", "string", "'A'", "A***"),
        ("partial", "string", "''", ""),
        ("prefix", "string", "'12345'", "12"),
        (Prefix(prefix=4), "string", "'12345'", "1234"),
        (Prefix(prefix=9), "string", "'12345'", "12345"),
        (Prefix(prefix=1), "string", "'\U0001f600x'", "\U0001f600"),
        ("band", "integer", "27", "20"),
        ("band", "integer", "20", "20"),
        ("band", "integer", "-1", "-10"),
        ("band", "integer", "-2147483648", None),
        (Band(band=50), "bigint", "9007199254740993", "9007199254740950"),
        (Band(band=2.5), "integer", "9", "7"),
        (Band(band=10), "bigint", "9223372036854775807", "9223372036854775800"),
        (Band(band=10), "bigint", "9007199254740993", "9007199254740990"),
        (Band(band=3), "bigint", "9007199254740993", "9007199254740993"),
        (Band(band=2.5), "double", "9", "7.5"),
        (Band(band=100), "decimal(10,2)", "123.45", "100.00"),
        (Band(band=100), "decimal(10,2)", "-123.45", "-200.00"),
        ("year", "date", "'2017-06-30'", "2017-01-01"),
        ("year", "date", "'2017-01-01'", "2017-01-01"),
        ("year", "timestamp", "'2017-06-30 12:13:14'", "2017-01-01 00:00:00"),
        ("year", "timestamptz", "'2017-06-30 12:13:14+00'", "2017-01-01 00:00:00+00"),
        ("year", "date", "'5877642-06-25 (BC)'", None),
        ("year", "string", "'2017'", None),
        ("year", "integer", "2017", None),
        ("partial", "integer", "5", None),
        ("prefix", "bigint", "5", None),
        ("hmac", "integer", "5", None),
        ("band", "string", "'5'", None),
        ("band", "date", "'2017-06-30'", None),
        ("band", "boolean", "true", None),
    ],
)
def test_a_mask_shows_what_it_says_and_nothing_where_it_does_not_fit(
    engine: duckdb.DuckDBPyConnection, mask: Mask, declared: str, value: str, result: str | None
) -> None:
    assert shown(engine, mask, declared, value)[0] == result


@pytest.mark.parametrize("text", ["", "a", "ada@example.com", "äöü \U0001f600", "x" * 1000])
@pytest.mark.parametrize("key", [b"k", b"the key", b"x" * BLOCK])
def test_a_keyed_hash_is_that_of_the_standard_library(text: str, key: bytes) -> None:
    engine = duckdb.connect()
    for name, value in mask_variables(key).items():
        engine.execute(f"SET VARIABLE {name} = ?", [value])
    sql = masked("hmac", exp.column("x"), "string").sql(dialect=DUCKDB)
    row = engine.execute(f"SELECT {sql} FROM (SELECT ? AS x)", [text]).fetchone()
    assert row == (hmac.new(key, text.encode(), hashlib.sha256).hexdigest(),)


def test_a_key_that_is_longer_than_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="65 bytes; 64 are the most"):
        mask_variables(b"x" * (BLOCK + 1))
    assert {len(value) for value in mask_variables(b"x" * BLOCK).values()} == {BLOCK}


def test_the_key_stands_in_no_query() -> None:
    assert "the key" not in masked("hmac", exp.column("x"), "string").sql(dialect=DUCKDB)


def test_only_a_keyed_hash_of_a_text_needs_the_key() -> None:
    assert is_keyed("hmac", "string")
    assert not is_keyed("hmac", "integer")
    assert not is_keyed("partial", "string")


def test_a_mask_is_spoken_with_its_width() -> None:
    assert [spoken(mask) for mask in ("redact", Band(band=2.5), Band(band=1000), Prefix(prefix=3))] == [
        "redact",
        "band 2.5",
        "band 1000",
        "prefix 3",
    ]


def test_the_column_of_a_mask_may_have_any_name() -> None:
    column = exp.column("a b", table="t@", quoted=True)
    assert masked("prefix", column, "string").sql(dialect=DUCKDB, comments=False) == 'LEFT("t@"."a b", 2)'


def test_the_longest_prefix_is_a_million_characters() -> None:
    assert "1000000)" in masked(Prefix(prefix=10**30), exp.column("x"), "string").sql(
        dialect=DUCKDB, comments=False
    )


def test_masks_are_ordered_by_how_much_they_hide() -> None:
    texts: list[Mask] = ["clear", Prefix(prefix=5), "prefix", Prefix(prefix=1), "partial", "hmac", "redact"]
    numbers: list[Mask] = ["clear", Band(band=1), Band(band=5), "band", Band(band=11), "redact"]
    for masks in (texts, numbers):
        degrees = [strictness(mask) for mask in masks]
        assert degrees == sorted(degrees)
        assert len(set(degrees)) == len(degrees)
    assert 0 < strictness("year") < strictness("hmac")
