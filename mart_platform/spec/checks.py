"""Checks: promises about a table, each one a value with a name, a severity and a sentence for people.

A check says what must hold. How it is found out is compiled from it twice: to a pandera check for the
frames of landing, and to SQL for tables of the lake. NULL passes every check but ``not_null``, as in SQL.
"""

import hashlib
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from mart_platform.spec.words import Severity, Word

Scalar = bool | int | float | str


class Promise(Word):
    """What all checks have; ``name`` is unique within the table."""

    name: str
    says: str
    severity: Severity = Severity.ERROR

    @property
    def blocks(self) -> bool:
        """Whether a failure stops the publication."""
        return self.severity is Severity.ERROR

    @property
    def fingerprint(self) -> str:
        """Digest of what is checked: two checks that differ in name, words or severity only share it."""
        tested = self.model_dump_json(exclude={"name", "says", "severity"})
        return hashlib.sha256(tested.encode()).hexdigest()[:16]


class NotNull(Promise):
    """The column has a value in every row."""

    kind: Literal["not_null"] = "not_null"
    column: str


class Unique(Promise):
    """No two rows share the values of these columns; rows with a NULL among them are not compared."""

    kind: Literal["unique"] = "unique"
    columns: tuple[str, ...]


class OneOf(Promise):
    """The column holds one of the listed values."""

    kind: Literal["one_of"] = "one_of"
    column: str
    values: tuple[Scalar, ...]


class InRange(Promise):
    """The column lies within bounds; ``at_least`` and ``at_most`` are inclusive."""

    kind: Literal["in_range"] = "in_range"
    column: str
    at_least: Scalar | None = None
    at_most: Scalar | None = None
    above: Scalar | None = None
    below: Scalar | None = None


class Matches(Promise):
    """The whole value matches a regular expression (RE2)."""

    kind: Literal["matches"] = "matches"
    column: str
    pattern: str


class HasLength(Promise):
    """The text has so many characters."""

    kind: Literal["has_length"] = "has_length"
    column: str
    at_least: int
    at_most: int


class References(Promise):
    """Each value occurs in a column of another table."""

    kind: Literal["references"] = "references"
    column: str
    table: str
    target: str


class RowCount(Promise):
    """The table has so many rows."""

    kind: Literal["row_count"] = "row_count"
    at_least: int | None = None
    at_most: int | None = None


class SumEquals(Promise):
    """The sum of a column equals the sum of a column of another table, within an absolute tolerance."""

    kind: Literal["sum_equals"] = "sum_equals"
    column: str
    table: str
    target: str
    within: float = 0.0


class HoldsSums(Promise):
    """The table holds the sums of another one: for each group ``by`` that one of them has, both agree.

    Pairs name a column here and its counterpart there; ``rows`` adds up to the number of rows there.
    """

    kind: Literal["holds_sums"] = "holds_sums"
    table: str
    by: tuple[tuple[str, str], ...]
    sums: tuple[tuple[str, str], ...] = ()
    rows: str | None = None


class Fresh(Promise):
    """The newest value of a date or timestamp column is no older than this on the business clock."""

    kind: Literal["fresh"] = "fresh"
    column: str
    within: timedelta


class NoRow(Promise):
    """A query returns no row; each row that it returns is a failure."""

    kind: Literal["no_row"] = "no_row"
    sql: str


Check = Annotated[
    NotNull
    | Unique
    | OneOf
    | InRange
    | Matches
    | HasLength
    | References
    | RowCount
    | SumEquals
    | HoldsSums
    | Fresh
    | NoRow,
    Field(discriminator="kind"),
]
