"""Comparing: which types the engine compares without a cast that can raise.

Types are declared ones (spec/types.py). Tried on DuckDB 1.5.5 with the extremes of each type: numbers are
cast to a type that holds both, except decimals that need more than 38 digits; dates become moments, which the
first and the last ones cannot; texts are cast to whatever is beside them.
"""

import re
from datetime import date, datetime
from typing import Any

AGGREGATED = "aggregated"
"""The type of a number that is computed of aggregates: the engine has no single row to run it on."""

NULL = "null"

_DIGITS_OF_WHOLE = {"integer": 10, "bigint": 19}
_MOST_DIGITS = 38
_DECIMAL = re.compile(r"decimal\(([0-9]+), ?([0-9]+)\)")
_SMALL_ENOUGH = 18
"""Digits of a decimal that fits beside the sum of another one."""


def are_comparable(one: str, other: str) -> bool:
    """Return whether values of two types are compared without anything that can raise.

    >>> are_comparable("integer", "decimal(10,2)"), are_comparable("date", "timestamp")
    (True, False)
    """
    if one == other or NULL in (one, other):
        return True
    if AGGREGATED in (one, other):
        beside = _digits(other if one == AGGREGATED else one)
        return beside is not None and sum(beside) <= max(_SMALL_ENOUGH, _DIGITS_OF_WHOLE["bigint"])
    left, right = _digits(one), _digits(other)
    if left is None or right is None:
        return False
    return max(left[0], right[0]) + max(left[1], right[1]) <= _MOST_DIGITS


def type_of_number(literal: str) -> str:
    """Return the type of a number as it is written.

    >>> type_of_number("12"), type_of_number("12.50"), type_of_number("3000000000"), type_of_number("1e3")
    ('integer', 'decimal(4,2)', 'bigint', 'double')
    """
    if "e" in literal.lower():
        return "double"
    whole, _, fraction = literal.partition(".")
    if "." not in literal:
        number = int(whole)
        return "integer" if number < 2**31 else "bigint" if number < 2**63 else f"decimal({len(whole)},0)"
    return f"decimal({len(whole) + len(fraction)},{len(fraction)})"


def type_of_value(value: Any) -> str | None:
    """Return the type of a parameter's value, None where it is not known how the engine takes it."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return type_of_number(str(abs(value))) if abs(value) < 2**63 else None
    if isinstance(value, datetime):
        return "timestamptz" if value.tzinfo else "timestamp"
    return {float: "double", str: "string", date: "date"}.get(type(value))


def is_written(text: str, declared: str) -> bool:
    """Return whether a text is certainly a date, or a moment, of the type."""
    form = _WRITTEN.get(declared)
    if form is None or not form.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _digits(declared: str) -> tuple[int, int] | None:
    """Return how many digits a number has before and after the point; a double has room for any."""
    if declared == "double":
        return 0, 0
    if declared in _DIGITS_OF_WHOLE:
        return _DIGITS_OF_WHOLE[declared], 0
    if match := _DECIMAL.fullmatch(declared):
        return int(match[1]) - int(match[2]), int(match[2])
    return None


_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"( [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?)?"
_WRITTEN = {
    "date": re.compile(_DAY),
    "timestamp": re.compile(_DAY + _TIME),
    "timestamptz": re.compile(_DAY + _TIME),
}
