"""Parameters of a query as DuckDB takes them: numbered in the text, and bound as one row of Arrow."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlglot
from arro3.core import Array, DataType, RecordBatch
from sqlglot import TokenType

Parameters = Sequence[Any] | Mapping[str, Any]

_DIGITS = 38
"""How many a decimal may have."""
_PLAIN = (
    (bool, DataType.bool()),
    (float, DataType.float64()),
    (str, DataType.utf8()),
    (bytes, DataType.binary()),
)


class Unbindable(Exception):
    """The parameters are not those that the query names, or one is of a type that no query takes."""


def bound(sql: str, parameters: Parameters) -> tuple[str, RecordBatch | None]:
    """Return a query in which each parameter has its number, and the row of values for these.

    DuckDB numbers ``?`` and ``$name`` in the order of its own tree, not of the text. A parameter that is None
    becomes NULL in the text, since a typed one would not fit everywhere. Raises Unbindable.

    >>> bound("SELECT $day, $name, $day, '?'", {"name": None, "day": 3})[0]
    "SELECT $1, NULL, $1, '?'"
    """
    given = parameters if isinstance(parameters, Mapping) else _by_number(parameters)
    if not given and "?" not in sql and "$" not in sql:
        return sql, None
    places = list(_places(sql))
    _refuse_others({name for _, _, name in places}, given)
    numbers = {name: n for n, name in enumerate((n for n in given if given[n] is not None), start=1)}
    for begin, end, name in reversed(places):
        sql = sql[:begin] + (f"${numbers[name]}" if name in numbers else "NULL") + sql[end:]
    return sql, row({name: given[name] for name in numbers})


def row(values: Mapping[str, Any]) -> RecordBatch | None:
    """Return values that are not None as one row of Arrow, None when there are none. Raises Unbindable."""
    return RecordBatch.from_pydict({name: _array(name, v) for name, v in values.items()}) if values else None


def _by_number(parameters: Sequence[Any]) -> dict[str, Any]:
    return {str(number): value for number, value in enumerate(parameters, start=1)}


def _places(sql: str) -> Iterator[tuple[int, int, str]]:
    """Yield where in the text a parameter stands, and its name; that of a ``?`` is its number."""
    tokens = sqlglot.tokenize(sql, dialect="duckdb")
    unnamed = 0
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if (
            sql[token.start] == "?"
        ):  # also where it is taken for the beginning of a longer sign, as in ?::DATE
            unnamed += 1
            yield token.start, token.start + 1, str(unnamed)
        elif token.token_type == TokenType.PARAMETER and after and after.start == token.end + 1:
            yield token.start, after.end + 1, after.text


def _refuse_others(named: set[str], given: Mapping[str, Any]) -> None:
    if missing := sorted(named - given.keys()):
        raise Unbindable(f"the parameter '{missing[0]}' of the query is not given.")
    if extra := sorted(given.keys() - named):
        raise Unbindable(f"the parameter '{extra[0]}' is given, but is not in the query.")


def _array(name: str, value: Any) -> Array:
    for kinds, arrow in _PLAIN:
        if isinstance(value, kinds):
            return Array([value], arrow)
    match value:
        case int() if -(2**63) <= value < 2**63:  # an INTEGER fits where a BIGINT would not, as in day + ?
            return Array([value], DataType.int32() if -(2**31) <= value < 2**31 else DataType.int64())
        case int() | Decimal():
            return _decimal(name, Decimal(value))
        case datetime() if value.tzinfo:
            return _from_text(value.astimezone(UTC).isoformat(), DataType.timestamp("us", tz="UTC"))
        case datetime():
            return _from_text(value.isoformat(), DataType.timestamp("us"))
        case date():
            return _from_text(value.isoformat(), DataType.date32())
        case time() if value.tzinfo is None:
            return _from_text(value.isoformat(), DataType.time64("us"))
        case UUID():
            return _from_text(str(value), DataType.utf8())
    raise Unbindable(f"the parameter '{name}' is of type {type(value).__name__}, which no query takes.")


def _decimal(name: str, value: Decimal) -> Array:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):  # it is NaN or infinite
        return Array([float(value)], DataType.float64())
    scale = max(0, -exponent)
    digits = max(len(value.as_tuple().digits) + max(0, exponent), scale)
    if digits > _DIGITS:
        raise Unbindable(f"the parameter '{name}' has {digits} digits; a decimal has at most {_DIGITS}.")
    return _from_text(f"{value:f}", DataType.decimal128(max(1, digits), scale))


def _from_text(text: str, kind: DataType) -> Array:
    return Array([text], DataType.utf8()).cast(kind)
