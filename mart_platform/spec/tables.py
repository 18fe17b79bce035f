"""A table's contract: what stands in the YAML beside a model."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mart_platform.spec import checks
from mart_platform.spec.checks import Check, HoldsSums
from mart_platform.spec.columns import Column
from mart_platform.spec.words import Duration, Name, Severity, TableName, Word, timedelta_of

Kind = Literal["full", "incremental", "upsert", "scd2", "view"]
Grain = Literal["hour", "day", "week", "month", "year"]

KEYED: tuple[Kind, ...] = ("upsert", "scd2")
"""The kinds whose model yields changes, of which the table holds what came of them for each key."""


class Partition(Word):
    """The interval column of a table, and how coarse its intervals are."""

    column: Name
    grain: Grain = "day"


class Rows(Word):
    """Bounds of a row count."""

    at_least: int | None = None
    at_most: int | None = None


class OtherSum(Word):
    """The sum of a column of another table."""

    table: TableName
    sum: Name


class Freshness(Word):
    """How old the newest value of a column may be on the business clock."""

    column: Name
    within: Duration


_FORMS = ("not_null", "unique", "rows", "sum", "fresh", "returns_no_row")


class TableCheck(Word):
    """A check under ``checks``: a name, a sentence, and one of the forms."""

    name: Name
    says: str
    severity: Severity = Severity.ERROR
    not_null: tuple[Name, ...] | None = None
    unique: tuple[Name, ...] | None = None
    rows: Rows | None = None
    sum: Name | None = None
    equals: OtherSum | None = None
    within: Annotated[float, Field(ge=0)] = 0.0
    fresh: Freshness | None = None
    returns_no_row: str | None = None

    @model_validator(mode="after")
    def has_one_form(self) -> Self:
        """Refuse a check that says nothing, or two things."""
        given = [form for form in _FORMS if getattr(self, form) is not None]
        if len(given) != 1:
            raise ValueError(f"a check has exactly one of {', '.join(_FORMS)}; found {given or 'none'}")
        if (self.sum is None) != (self.equals is None):
            raise ValueError("'sum' and 'equals' go together")
        return self

    def compile(self) -> Iterator[Check]:
        """Yield the checks that this one stands for."""
        words: dict[str, Any] = {"says": self.says, "severity": self.severity}
        if self.not_null is not None:
            for column in self.not_null:
                name = self.name if len(self.not_null) == 1 else f"{self.name}_{column}"
                yield checks.NotNull(name=name, column=column, **words)
        if self.unique is not None:
            yield checks.Unique(name=self.name, columns=self.unique, **words)
        if self.rows is not None:
            yield checks.RowCount(
                name=self.name,
                at_least=self.rows.at_least,
                at_most=self.rows.at_most,
                **words,
            )
        if self.sum is not None and self.equals is not None:
            yield checks.SumEquals(
                name=self.name,
                column=self.sum,
                table=self.equals.table,
                target=self.equals.sum,
                within=self.within,
                **words,
            )
        if self.fresh is not None:
            yield checks.Fresh(
                name=self.name,
                column=self.fresh.column,
                within=timedelta_of(self.fresh.within),
                **words,
            )
        if self.returns_no_row is not None:
            yield checks.NoRow(name=self.name, sql=self.returns_no_row, **words)


class Downsample(Word):
    """What becomes of rows that are older than the mart keeps: sums over a coarser grain.

    Rows of one interval of ``grain`` that agree in all other columns become one; ``sum`` names the additive
    measures, and the partition column takes the start of the interval.
    """

    grain: Grain
    sum: Annotated[tuple[Name, ...], Field(min_length=1)]


Counterparts = tuple[Name, ...] | dict[Name, Name]
"""Columns that two tables share: a list of names, or ``own: theirs`` where the names differ."""


class Holds(Word):
    """Sums of another table of the mart that this one holds, so that the door can answer from here.

    For each combination of the columns ``by`` that stands in the other table, and for no other, this one has
    rows: their ``sums`` add up to those of the other table's columns, and ``rows``, a column of its own, to
    the number of rows there. A check that blocks the publication proves it.
    """

    of: TableName
    by: Annotated[Counterparts, Field(min_length=1)]
    sums: Counterparts = ()
    rows: Name | None = None

    @model_validator(mode="after")
    def holds_something(self) -> Self:
        """Refuse a table that holds nothing of the other one."""
        if not self.sums and not self.rows:
            raise ValueError("'holds' needs 'sums' or 'rows'")
        return self

    def compile(self) -> HoldsSums:
        """Return the check that proves it."""
        by, sums = _pairs(self.by), _pairs(self.sums)
        return HoldsSums(
            name=f"holds_{self.of.partition('.')[2]}",
            says=f"By {', '.join(own for own, _ in by)} it holds the sums of {self.of}.",
            table=self.of,
            by=by,
            sums=sums,
            rows=self.rows,
        )


def _pairs(columns: Counterparts) -> tuple[tuple[str, str], ...]:
    """Return pairs of an own column and its counterpart."""
    return tuple(columns.items()) if isinstance(columns, dict) else tuple((name, name) for name in columns)


class Contract(Word):
    """A model's contract: what a row is, what its columns mean, and what is promised about them.

    Of kind ``upsert`` the model yields the newest row of each ``key``; with ``order_by`` it yields changes,
    and the table holds for each key the one that is last, unless its boolean column ``deleted`` is true. Of
    kind ``scd2`` it holds for each key what was valid when: ``valid_from`` and ``valid_to`` (NULL for what is
    valid now) take the place of ``order_by``, and a row begins where one of the ``tracked`` columns (default:
    all others) changes.
    """

    table: TableName
    description: str
    kind: Kind = "full"
    partition: Partition | None = None
    key: tuple[Name, ...] = ()
    order_by: Name | None = None
    deleted: Name | None = None
    tracked: tuple[Name, ...] = ()
    downsample: Downsample | None = None
    inputs: dict[Name, TableName] = {}
    columns: dict[Name, Column] = {}
    holds: tuple[Holds, ...] = ()
    checks: tuple[TableCheck, ...] = ()

    @model_validator(mode="after")
    def has_what_its_kind_needs(self) -> Self:
        """Refuse an incremental table without intervals, and a keyed kind without key."""
        if self.kind == "incremental" and self.partition is None:
            raise ValueError("kind incremental needs 'partition: {column, grain}'")
        if self.kind != "incremental" and self.partition is not None:
            raise ValueError(f"'partition' belongs to kind incremental, not to {self.kind}")
        if self.kind in KEYED and not self.key:
            raise ValueError(f"kind {self.kind} needs 'key'")
        if self.kind == "scd2" and not self.order_by:
            raise ValueError("kind scd2 needs 'order_by', the moment of a change")
        if self.deleted and not self.order_by:
            raise ValueError("'deleted' needs 'order_by', which says which change is the last")
        if self.kind not in KEYED and (self.order_by or self.deleted):
            raise ValueError(
                f"'order_by' and 'deleted' belong to the kinds upsert and scd2, not to {self.kind}"
            )
        if self.kind != "scd2" and self.tracked:
            raise ValueError(f"'tracked' belongs to kind scd2, not to {self.kind}")
        if self.downsample and self.partition is None:
            raise ValueError("'downsample' needs 'partition: {column, grain}'")
        return self

    def all_checks(self) -> Iterator[Check]:
        """Yield every check: of the key, the kind, the columns and the table, and of what it holds."""
        declared = [check for name, column in self.columns.items() for check in column.short_checks(name)]
        declared += [check for written in self.checks for check in written.compile()]
        yield from self._values_given(declared)
        if self.key:
            key = (*self.key, "valid_from") if self.kind == "scd2" else self.key
            says = f"No two rows share {', '.join(key)}."
            yield checks.Unique(name="key_unique", says=says, columns=key)
        yield from declared
        yield from (held.compile() for held in self.holds)

    def _values_given(self, declared: Sequence[Check]) -> Iterator[Check]:
        """Yield that the columns have a value of which no other check says it.

        A row without a value for its interval, or for the key that its interval is made of, would be built
        again by no change: of these columns only a check that blocks will do.
        """
        given = {check.column: check.blocks for check in declared if isinstance(check, checks.NotNull)}
        names = {check.name for check in declared}
        of_interval = self._columns_of_intervals()
        for column in dict.fromkeys([*self.key, *of_interval]):
            if column not in given or (column in of_interval and not given[column]):
                name = f"{column}_not_null"
                says = f"{column} has a value."
                yield checks.NotNull(
                    name=f"{column}_required" if name in names else name, says=says, column=column
                )

    def _columns_of_intervals(self) -> tuple[str, ...]:
        """Return the columns that say in which interval a row lies, and from when on it is valid."""
        if self.kind == "incremental" and self.partition:
            return (self.partition.column,)
        return (*self.key, *(["valid_from"] if self.kind == "scd2" else [])) if self.kind in KEYED else ()
