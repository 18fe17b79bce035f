"""The types of columns, in the words of the declarations, and their names in DuckDB."""

import re
from typing import Annotated

from pydantic import AfterValidator

_DUCKDB = {
    "boolean": "BOOLEAN",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "binary": "BLOB",
}
_FROM_DUCKDB = {duckdb: ours for ours, duckdb in _DUCKDB.items()}
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")
TIMES = ("date", "timestamp", "timestamptz")
"""The types of dates and moments."""
ALLOWED = (*_DUCKDB, "decimal(p,s)", "list(t)", "struct(name t, …)")


def duckdb_type(declared: str) -> str:
    """Return DuckDB's name of a declared type.

    >>> duckdb_type("list(decimal(10,2))")
    'DECIMAL(10,2)[]'
    """
    text = declared.strip()
    if text in _DUCKDB:
        return _DUCKDB[text]
    if match := _DECIMAL.fullmatch(text):
        precision, scale = int(match[1]), int(match[2])
        if not 1 <= precision <= 38 or scale > precision:
            raise ValueError(
                f"'{declared}': a decimal has 1 to 38 digits, and no more of them after the point"
            )
        return f"DECIMAL({precision},{scale})"
    if text.startswith("list(") and text.endswith(")"):
        return duckdb_type(text[5:-1]) + "[]"
    if text.startswith("struct(") and text.endswith(")"):
        fields = [field.strip().split(" ", 1) for field in outer_parts(text[7:-1])]
        if fields and all(len(field) == 2 for field in fields):
            return "STRUCT(" + ", ".join(f'"{name}" {duckdb_type(kind)}' for name, kind in fields) + ")"
    raise ValueError(f"'{declared}' is not a type; there is: {', '.join(ALLOWED)}")


def declared_type(duckdb: str) -> str:
    """Return the declared form of a DuckDB type.

    Raises ValueError for a type that a table of the lake cannot hold (HUGEINT, UUID, TIME, …).

    >>> declared_type("DECIMAL(18,2)")
    'decimal(18,2)'
    """
    text = duckdb.strip()
    if text in _FROM_DUCKDB:
        return _FROM_DUCKDB[text]
    if text.endswith("[]"):
        return f"list({declared_type(text[:-2])})"
    if text.startswith("DECIMAL("):
        return text.lower().replace(" ", "")
    if text in ("SMALLINT", "TINYINT"):
        return "integer"
    if text.startswith("STRUCT(") and text.endswith(")"):
        fields = [re.fullmatch(r'\s*"?([^"\s]+)"?\s+(.+)', field) for field in outer_parts(text[7:-1])]
        return "struct(" + ", ".join(f"{f[1]} {declared_type(f[2])}" for f in fields if f) + ")"
    raise ValueError(f"{text} cannot be stored in the lake; cast it to one of: {', '.join(ALLOWED)}")


def is_groupable(declared: str) -> bool:
    """Return whether equal values of a type are one and the same: 0.0 and -0.0 of a double are not.

    >>> [is_groupable(kind) for kind in ("date", "decimal(8,2)", "double", "list(string)")]
    [True, True, False, False]
    """
    one_of = ("boolean", "integer", "bigint", "string", *TIMES)
    return declared in one_of or _DECIMAL.fullmatch(declared) is not None


def have_equal_sums(one: str, other: str) -> bool:
    """Return whether equal sums over two types are exact in any order, and of one type.

    DuckDB adds integers to a HUGEINT and decimals to a DECIMAL(38,s).

    >>> have_equal_sums("integer", "bigint"), have_equal_sums("decimal(8,2)", "decimal(18,2)")
    (True, True)
    >>> have_equal_sums("decimal(8,2)", "decimal(8,1)"), have_equal_sums("double", "double")
    (False, False)
    """
    integers = ("integer", "bigint")
    decimals = _DECIMAL.fullmatch(one), _DECIMAL.fullmatch(other)
    if decimals[0] and decimals[1]:
        return decimals[0][2] == decimals[1][2]
    return one in integers and other in integers


def outer_parts(fields: str) -> list[str]:
    """Return what stands between the commas outside of parentheses.

    >>> outer_parts("a decimal(10,2), b date")
    ['a decimal(10,2)', ' b date']
    """
    parts, depth = [""], 0
    for character in fields:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _known(declared: str) -> str:
    duckdb_type(declared)
    return declared.replace(", ", ",") if declared.startswith("decimal") else declared


ColumnType = Annotated[str, AfterValidator(_known)]
