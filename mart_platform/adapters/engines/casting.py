"""Casts to the declared types that raise where a value would change."""

import re
from collections.abc import Mapping

from mart_platform.planning.quoting import literal, quoted
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.types import duckdb_type

_INTEGERS = {
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
}
_FAMILIES = {
    **dict.fromkeys(_INTEGERS, "integer"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "double"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "timestamp"),
    **dict.fromkeys(("VARCHAR", "ENUM"), "string"),
}
_WIDENS_TO = {"integer": {"decimal", "double"}}
_CHANGES = {
    "decimal": {"decimal", "integer"},
    "double": {"decimal", "integer"},
    "timestamp": {"timestamp", "date"},
    "timestamp with time zone": {"date"},
}
"""Families between which DuckDB's own cast rounds or cuts without a word."""


class Misfit(UserError):
    """What a query or a model gives is not what was declared: a sentence with the column and the remedy."""


def cast_columns(found: Mapping[str, str], declared: Mapping[str, str]) -> str:
    """Return the list of a SELECT that gives the declared columns in their order, each in its type.

    ``found`` maps names to DuckDB types, ``declared`` names to declared types. An overflow raises by itself,
    a value that the cast would round or cut is made to raise. Raises Misfit when a column is missing or new.
    """
    _refuse_other_columns(found, declared)
    return ", ".join(_cast(name, found[name], kind) for name, kind in declared.items())


def refuse_other_types(found: Mapping[str, str], declared: Mapping[str, str]) -> None:
    """Raise Misfit when columns are missing or new, or when one is of another kind than declared."""
    _refuse_other_columns(found, declared)
    for name, kind in declared.items():
        here, there = _family(found[name]), _family(duckdb_type(kind))
        if here not in (there, "null") and there not in _WIDENS_TO.get(here, ()):
            raise Misfit(
                f"column '{name}' is declared {kind}, but is given as {found[name]}."
                " Cast it there, or declare the type that it has."
            )


def _refuse_other_columns(found: Mapping[str, str], declared: Mapping[str, str]) -> None:
    if missing := [name for name in declared if name not in found]:
        raise Misfit(f"column '{missing[0]}' is declared, but is not given. {nearest(missing[0], found)}")
    if extra := [name for name in found if name not in declared]:
        raise Misfit(f"column '{extra[0]}' is given, but is not declared. Drop it there, or declare it.")


def _cast(name: str, found: str, declared: str) -> str:
    column, target = quoted(name), duckdb_type(declared)
    if found == target:
        return column
    cast = f"CAST({column} AS {target})"
    if not _changes_values(found, target):
        return f"{cast} AS {column}"
    begins, ends = f"column '{name}': ", f" does not fit {declared}; round or cast it in the model."
    sentence = f"{literal(begins)} || {column}::VARCHAR || {literal(ends)}"
    return (
        f"CASE WHEN CAST({cast} AS {found}) IS DISTINCT FROM {column}"
        f" THEN error({sentence}) ELSE {cast} END AS {column}"
    )


def _changes_values(found: str, target: str) -> bool:
    if _family(target) not in _CHANGES.get(_family(found), ()):
        return False
    return not (_scale(found) is not None and (_scale(target) or 0) >= (_scale(found) or 0))


def _family(duckdb: str) -> str:
    """Return the kind of a type, whatever its width.

    >>> _family("DECIMAL(18,2)"), _family("UINTEGER"), _family("INTEGER[]")
    ('decimal', 'integer', 'list')
    """
    if duckdb.endswith("[]"):
        return "list"
    name = duckdb.partition("(")[0]
    return _FAMILIES.get(name, name.strip('"').lower())


def _scale(duckdb: str) -> int | None:
    """Return how many digits of a decimal stand after the point; None for another type."""
    match = re.fullmatch(r"DECIMAL\(\d+,\s*(\d+)\)", duckdb)
    return int(match[1]) if match else None
