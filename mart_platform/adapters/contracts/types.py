"""The declared types in Polars, and the strict reading of delivered values as these types.

A value that cannot be read exactly becomes NULL here; the judge sees that it was none before, and says so.
"""

import re
from collections.abc import Callable

import polars as pl

from mart_platform.spec.problems import UserError
from mart_platform.spec.types import outer_parts

_PLAIN: dict[str, pl.DataType] = {
    "boolean": pl.Boolean(),
    "integer": pl.Int32(),
    "bigint": pl.Int64(),
    "double": pl.Float64(),
    "string": pl.String(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us"),
    "timestamptz": pl.Datetime("us", "UTC"),
    "binary": pl.Binary(),
}
_DAY = r"\d{4}-\d{2}-\d{2}"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6}0*)?)?"
_ZONE = r"(?:Z|[+-]\d{2}(?::?\d{2})?)"
_TRUE, _FALSE = ["true", "t", "yes", "y", "1"], ["false", "f", "no", "n", "0"]


def polars_type(declared: str) -> pl.DataType:
    """Return the Polars type of a declared type.

    >>> polars_type("decimal(10,2)")
    Decimal(precision=10, scale=2)
    """
    text = declared.strip()
    if text in _PLAIN:
        return _PLAIN[text]
    if match := re.fullmatch(r"decimal\((\d+), ?(\d+)\)", text):
        return pl.Decimal(int(match[1]), int(match[2]))
    if text.startswith("list("):
        return pl.List(polars_type(text[5:-1]))
    fields = (field.strip().split(" ", 1) for field in outer_parts(text.removeprefix("struct(")[:-1]))
    return pl.Struct({name: polars_type(kind) for name, kind in fields})


def from_text(column: pl.Expr, declared: str) -> pl.Expr:
    """Return the expression that reads text as a declared type. Raises UserError for a nested one."""
    if declared.startswith("decimal"):
        return _decimal_from_text(column, polars_type(declared))
    if declared not in _READERS:
        raise UserError(
            f"A column of type {declared} cannot be read from text. Declare it as string: it is landed as "
            "the JSON that was delivered, which a canonical model takes apart."
        )
    return _READERS[declared](column)


def from_typed(column: pl.Expr, found: pl.DataType, declared: str) -> pl.Expr:
    """Return the expression that widens a column of a typed format to its declared type."""
    target = polars_type(declared)
    widened = column if found == target else column.cast(target, strict=False)
    if isinstance(found, pl.Datetime) and found.time_unit == "ns":
        return pl.when(column.dt.nanosecond() % 1000 == 0).then(widened)
    return widened


def _decimal_from_text(column: pl.Expr, target: pl.DataType) -> pl.Expr:
    """More digits after the point than declared are refused, for money is never rounded; zeros may stand."""
    assert isinstance(target, pl.Decimal)  # noqa: S101 narrows the type for mypy
    digits = rf"\d{{0,{target.scale}}}0*"
    exact = column.str.contains(rf"\A[+-]?(?:\d+(?:\.{digits})?|\.{digits})\z")
    return pl.when(exact).then(column.cast(target, strict=False))


def _double_from_text(column: pl.Expr) -> pl.Expr:
    number = column.cast(pl.Float64, strict=False)
    overflown = number.is_infinite() & column.str.contains(r"\d")
    return pl.when(~overflown).then(number)


def _boolean_from_text(column: pl.Expr) -> pl.Expr:
    lowered = column.str.to_lowercase()
    return pl.when(lowered.is_in(_TRUE)).then(True).when(lowered.is_in(_FALSE)).then(False)


def _date_from_text(column: pl.Expr) -> pl.Expr:
    return pl.when(column.str.contains(rf"\A{_DAY}\z")).then(column).str.to_date("%Y-%m-%d", strict=False)


def _timestamp_from_text(column: pl.Expr) -> pl.Expr:
    """A day alone is its midnight."""
    whole = pl.when(column.str.contains(rf"\A{_DAY}(?:[ T]{_TIME})?\z")).then(column)
    return _with_seconds(whole).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)


def _timestamptz_from_text(column: pl.Expr) -> pl.Expr:
    """A moment without a zone is refused, for nobody knows which moment it is."""
    whole = pl.when(column.str.contains(rf"\A{_DAY}[ T]{_TIME}{_ZONE}\z")).then(column)
    zone = whole.str.extract(rf"({_ZONE})\z")
    moment = whole.str.strip_suffix(zone)
    return pl.concat_str(_with_seconds(moment), zone).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC", strict=False
    )


def _with_seconds(moment: pl.Expr) -> pl.Expr:
    """Complete a day, or a day with hours and minutes, to the one form that is parsed."""
    length = moment.str.len_bytes()
    missing = pl.when(length == 10).then(pl.lit("T00:00:00")).when(length == 16).then(pl.lit(":00"))
    return pl.concat_str(moment.str.replace(" ", "T", literal=True), missing.otherwise(pl.lit("")))


_READERS: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "string": lambda column: column,
    "integer": lambda column: column.cast(pl.Int32, strict=False),
    "bigint": lambda column: column.cast(pl.Int64, strict=False),
    "double": _double_from_text,
    "boolean": _boolean_from_text,
    "date": _date_from_text,
    "timestamp": _timestamp_from_text,
    "timestamptz": _timestamptz_from_text,
}
