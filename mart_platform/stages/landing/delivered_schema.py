"""Compares the columns of a delivery with its contract, before a row of it is landed."""

import re
from collections.abc import Iterator, Mapping

from mart_platform.ports import Delivered, Unreadable
from mart_platform.spec.problems import nearest
from mart_platform.spec.sources import SourceTable

_WHOLE = {"TINYINT", "SMALLINT", "UTINYINT", "USMALLINT", "integer"}
_READ_AS: dict[str, set[str]] = {
    "boolean": {"boolean"},
    "integer": _WHOLE,
    "bigint": {*_WHOLE, "UINTEGER", "bigint"},
    "double": {*_WHOLE, "UINTEGER", "FLOAT", "double"},
    "string": {"string", "UUID", "JSON"},
    "date": {"date"},
    "timestamp": {"date", "timestamp", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"},
    "timestamptz": {"timestamptz"},
    "binary": {"binary"},
}
_INTEGERS = {*_WHOLE, "UINTEGER", "bigint"}


def refuse_other_columns(contract: SourceTable, delivered: Delivered, position: str, file: str) -> None:
    """Raise Unreadable, naming all declared columns that are missing or of another type."""
    if problems := list(_problems(contract, delivered)):
        raise Unreadable(
            "\n".join(f"{position}: {problem}" for problem in problems)
            + f"\nHave it delivered as declared, or change the contract in {file}."
        )


def refuse_retyped(contract: SourceTable, retyped: Mapping[str, str], position: str, file: str) -> None:
    """Raise Unreadable for columns of text none of whose first values can be read as declared."""
    if retyped:
        raise Unreadable(
            "\n".join(
                f"{position}: the column '{name}' is declared {contract.columns[name].type}, and none of its "
                f'values is one; found "{value}".'
                for name, value in retyped.items()
            )
            + f"\nHave it delivered as declared, or change the contract in {file}."
        )


def unknown_columns(contract: SourceTable, found: Mapping[str, object]) -> tuple[str, ...]:
    """Return the columns that the contract does not know, as they are called in the delivery."""
    known = {column.delivered_as or name for name, column in contract.columns.items()}
    return tuple(name for name in found if name not in known)


def can_be_read_as(found: str, declared: str) -> bool:
    """Whether every value of a found type is a value of the declared type, or is refused row by row.

    >>> can_be_read_as("integer", "bigint"), can_be_read_as("string", "bigint")
    (True, False)
    """
    if found == declared or found.strip('"') == "NULL":
        return True
    if declared.startswith("decimal"):
        return found in _INTEGERS or (found.startswith("decimal") and _scale(found) <= _scale(declared))
    if declared.startswith("list(") and found.startswith("list("):
        return can_be_read_as(found[5:-1], declared[5:-1])
    if declared == "string" and found.startswith("ENUM"):
        return True
    return found in _READ_AS.get(declared, set())


def _problems(contract: SourceTable, delivered: Delivered) -> Iterator[str]:
    for name, column in contract.columns.items():
        found = column.delivered_as or name
        if found not in delivered.columns:
            if column.optional:
                continue
            called = f"'{name}'" if found == name else f"'{name}' (delivered as '{found}')"
            yield (
                f"the column {called} is missing. {nearest(found, delivered.columns)} A column that older "
                "files lack is declared with 'optional: true'."
            )
        elif not delivered.as_text and not can_be_read_as(delivered.columns[found], column.type):
            yield (
                f"the column '{found}' is of type {delivered.columns[found]}, which cannot be read as "
                f"the declared {column.type} without loss."
            )


def _scale(decimal: str) -> int:
    match = re.search(r",\s*(\d+)\)", decimal)
    return int(match[1]) if match else 0
