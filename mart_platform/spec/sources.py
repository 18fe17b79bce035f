"""Sources: systems that deliver tables, and the contract of each."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import model_validator

from mart_platform.spec.checks import Check
from mart_platform.spec.columns import DeliveredColumn
from mart_platform.spec.tables import TableCheck
from mart_platform.spec.words import Cadence, Duration, Name, Word

BATCH_COLUMN, ROW_COLUMN, EXTRA_COLUMN = "_batch", "_row", "_extra"
HIDDEN_COLUMNS = {BATCH_COLUMN: "string", ROW_COLUMN: "bigint", EXTRA_COLUMN: "string"}
"""What landing adds to each row: its batch, its number in the delivered file (from 1), and as JSON the
columns that the contract does not know. ``SELECT *`` leaves them out."""


class SourceOwner(Word):
    """Who answers for a source."""

    team: Name | str
    contact: str


class EventTime(Word):
    """When a row happened, in which zone its clock runs, and how late it may still arrive."""

    column: Name
    zone: str = "UTC"
    lateness: Duration | None = None


class SourceTable(Word):
    """A table that a source delivers, with its contract."""

    description: str
    delivers: Literal["changes", "snapshot"] = "changes"
    key: tuple[Name, ...] = ()
    event_time: EventTime | None = None
    options: dict[str, Any] = {}
    columns: dict[Name, DeliveredColumn]
    checks: tuple[TableCheck, ...] = ()

    @model_validator(mode="after")
    def names_its_own_columns(self) -> "SourceTable":
        """Refuse a key or an event time that is no column, and checks that need another table."""
        named = [*self.key, *([self.event_time.column] if self.event_time else [])]
        if unknown := [column for column in named if column not in self.columns]:
            raise ValueError(f"'{unknown[0]}' is not among the columns: {', '.join(self.columns)}")
        for check in self.checks:
            if check.equals or check.returns_no_row or check.fresh:
                raise ValueError(
                    f"check '{check.name}' cannot be run on a delivery alone; "
                    "declare it on a canonical table that reads this one"
                )
        return self

    def all_checks(self) -> Iterator[Check]:
        """Yield every check of the contract; all of them are run on each delivery by itself."""
        for name, column in self.columns.items():
            yield from column.short_checks(name)
        for check in self.checks:
            yield from check.compile()


class Source(Word):
    """A system that delivers tables through one connector."""

    source: Name
    description: str
    owner: SourceOwner
    connector: Name
    options: dict[str, Any] = {}
    cadence: Cadence | None = None
    tables: dict[Name, SourceTable]

    def options_of(self, table: str) -> dict[str, Any]:
        """Return the connector's options for a table: the source's, with the table's own over them."""
        return {**self.options, **self.tables[table].options}
