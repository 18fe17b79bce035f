"""Sources: systems that deliver tables, and the contract of each."""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mart_platform.spec.checks import Check
from mart_platform.spec.columns import DeliveredColumn
from mart_platform.spec.tables import TableCheck
from mart_platform.spec.types import TIMES
from mart_platform.spec.words import Cadence, Duration, Name, Word

BATCH_COLUMN, DELIVERED_COLUMN, ROW_COLUMN, EXTRA_COLUMN = "_batch", "_delivered", "_row", "_extra"
HIDDEN_COLUMNS = {
    BATCH_COLUMN: "string",
    DELIVERED_COLUMN: "string",
    ROW_COLUMN: "bigint",
    EXTRA_COLUMN: "string",
}
"""What landing adds to each row: its batch, the place of that batch among the deliveries (text that sorts as
they follow each other, also where one comes again with another content), the row's number in the delivered
file (from 1), and as JSON the columns that the contract does not know. ``SELECT *`` leaves them out."""


class SourceOwner(Word):
    """Who answers for a source."""

    team: Name | str
    contact: str


class EventTime(Word):
    """When a row happened, in which zone its clock runs, and how late it may still arrive."""

    column: Name
    zone: str = "UTC"
    lateness: Duration | None = None


Share = Annotated[float, Field(ge=0, le=1)]


class Replay(Word):
    """Deliveries that follow the business clock: what a source holds is played as if it happened now.

    Each day (or hour) of the source's own clock is one delivery, which comes when that day is over and
    ``delay`` has passed. Of the rows a share comes some deliveries too ``late``, a share comes again as it
    was (``duplicated``), and a share comes with a wrong number at first and right later (``corrected``);
    ``seed`` decides which. What lies before the day ``from`` comes with the first delivery, as it is;
    what lies on ``until`` or after it is not played.
    """

    every: Literal["day", "hour"] = "day"
    delay: Duration | None = None
    late: Share = 0.0
    duplicated: Share = 0.0
    corrected: Share = 0.0
    seed: int = 0
    since: Annotated[date | None, Field(alias="from")] = None
    until: date | None = None

    @model_validator(mode="after")
    def holds_some_rows(self) -> Self:
        """Refuse shares that are more than the whole, and bounds with nothing between them."""
        if self.late + self.duplicated + self.corrected > 1:
            raise ValueError(
                "'late', 'duplicated' and 'corrected' are shares of the rows: together at most 1"
            )
        if self.since and self.until and self.since >= self.until:
            raise ValueError(
                f"'until' ({self.until}) is not after 'from' ({self.since}), so nothing is played"
            )
        return self


_NUMBERS = ("double", "decimal", "integer", "bigint")


class SourceTable(Word):
    """A table that a source delivers, with its contract."""

    description: str
    delivers: Literal["changes", "snapshot"] = "changes"
    key: tuple[Name, ...] = ()
    event_time: EventTime | None = None
    replay: Replay | None = None
    options: dict[str, Any] = {}
    columns: dict[Name, DeliveredColumn]
    checks: tuple[TableCheck, ...] = ()

    @model_validator(mode="after")
    def names_its_own_columns(self) -> Self:
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

    @model_validator(mode="after")
    def can_be_replayed(self) -> Self:
        """Refuse a replay of rows that have no time, or that cannot be told from their corrections."""
        if self.replay is None:
            return self
        if self.event_time is None or not self.key:
            raise ValueError(
                "'replay' needs 'event_time', by which rows are delivered, and 'key', by which a later "
                "delivery of a row is told to be the same row"
            )
        if (kind := self.columns[self.event_time.column].type) not in TIMES:
            raise ValueError(
                f"'replay' needs an event time of type {', '.join(TIMES)}; "
                f"'{self.event_time.column}' is of type {kind}"
            )
        if self.delivers != "changes":
            raise ValueError("'replay' delivers row by row; write 'delivers: changes'")
        if self.replay.corrected and self.measure is None:
            raise ValueError("'corrected' needs a column with a number that is no part of the key")
        return self

    @property
    def measure(self) -> str | None:
        """The column in which a replay delivers wrong numbers: the first that is no part of the key.

        Fractions come before whole numbers, which are often keys of something else.
        """
        of_kind = {
            kind: name
            for name, column in reversed(self.columns.items())
            if (kind := column.type.partition("(")[0]) in _NUMBERS
            and name not in self.key
            and column.one_of is None
            and not column.unique
        }
        return next((of_kind[kind] for kind in _NUMBERS if kind in of_kind), None)

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
