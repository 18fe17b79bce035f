"""A table's contract: what stands in the YAML beside a model."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mart_platform.spec import checks
from mart_platform.spec.checks import Check
from mart_platform.spec.columns import Column
from mart_platform.spec.words import Duration, Name, Severity, TableName, Word, timedelta_of

Kind = Literal["full", "incremental", "upsert", "scd2", "view"]
Grain = Literal["hour", "day", "week", "month", "year"]


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


class Contract(Word):
    """A model's contract: what a row is, what its columns mean, and what is promised about them.

    Of kind ``upsert`` the model yields changes, and the table holds for each ``key`` the one that is last by
    ``order_by``, unless its boolean column ``deleted`` is true. Of kind ``scd2`` it holds for each key what
    was valid when: ``valid_from`` and ``valid_to`` (NULL for what is valid now) take the place of
    ``order_by``, and a row begins where one of the ``tracked`` columns (default: all others) changes.
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
    checks: tuple[TableCheck, ...] = ()

    @model_validator(mode="after")
    def has_what_its_kind_needs(self) -> Self:
        """Refuse an incremental table without intervals, and a keyed kind without key."""
        if self.kind == "incremental" and self.partition is None:
            raise ValueError("kind incremental needs 'partition: {column, grain}'")
        if self.kind in ("upsert", "scd2") and not (self.key and self.order_by):
            raise ValueError(
                f"kind {self.kind} needs 'key' and 'order_by', the column that orders the changes"
            )
        if self.kind not in ("upsert", "scd2") and (self.order_by or self.deleted):
            raise ValueError(
                f"'order_by' and 'deleted' belong to the kinds upsert and scd2, not to {self.kind}"
            )
        if self.kind != "scd2" and self.tracked:
            raise ValueError(f"'tracked' belongs to kind scd2, not to {self.kind}")
        if self.downsample and self.partition is None:
            raise ValueError("'downsample' needs 'partition: {column, grain}'")
        return self

    def all_checks(self) -> Iterator[Check]:
        """Yield every check of the contract: the key's, the columns' and the table's."""
        for column in self.key:
            if not (column in self.columns and self.columns[column].not_null):
                yield checks.NotNull(name=f"{column}_not_null", says=f"{column} has a value.", column=column)
        if self.key:
            columns = ", ".join(self.key)
            yield checks.Unique(name="key_unique", says=f"No two rows share {columns}.", columns=self.key)
        for name, declared in self.columns.items():
            yield from declared.short_checks(name)
        for check in self.checks:
            yield from check.compile()
