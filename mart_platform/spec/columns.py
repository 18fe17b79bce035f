"""A column as it is declared, with the short checks that stand beside it."""

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from mart_platform.spec import checks
from mart_platform.spec.checks import Check, Scalar
from mart_platform.spec.types import ColumnType
from mart_platform.spec.words import ColumnRef, Name, Severity, Word


class Length(Word):
    """Bounds of a text's length in characters."""

    at_least: int = 0
    at_most: int = 2**31 - 1


class ShortChecks(Word):
    """The checks that are written as keys of a column; ``severity`` holds for all of them."""

    not_null: bool = False
    unique: bool = False
    one_of: Annotated[tuple[Scalar, ...] | None, Field(alias="in")] = None
    at_least: Scalar | None = None
    at_most: Scalar | None = None
    above: Scalar | None = None
    below: Scalar | None = None
    pattern: str | None = None
    length: int | Length | None = None
    references: ColumnRef | None = None
    severity: Severity = Severity.ERROR

    def short_checks(self, column: str) -> Iterator[Check]:
        """Yield the checks that these keys stand for, each with a derived name and sentence."""
        severity = self.severity
        if self.not_null:
            yield checks.NotNull(
                name=f"{column}_not_null", says=f"{column} has a value.", severity=severity, column=column
            )
        if self.unique:
            yield checks.Unique(
                name=f"{column}_unique", says=f"{column} is unique.", severity=severity, columns=(column,)
            )
        if self.one_of is not None:
            listed = ", ".join(str(value) for value in self.one_of)
            yield checks.OneOf(
                name=f"{column}_in_set",
                says=f"{column} is one of {listed}.",
                severity=severity,
                column=column,
                values=self.one_of,
            )
        if bounds := self._bounds():
            words = " and ".join(f"{key.replace('_', ' ')} {value}" for key, value in bounds.items())
            yield checks.InRange(
                name=f"{column}_in_range",
                says=f"{column} is {words}.",
                severity=severity,
                column=column,
                **bounds,  # type: ignore[arg-type]
            )
        if self.pattern is not None:
            yield checks.Matches(
                name=f"{column}_matches",
                says=f"{column} matches {self.pattern}.",
                severity=severity,
                column=column,
                pattern=self.pattern,
            )
        if self.length is not None:
            length = (
                Length(at_least=self.length, at_most=self.length)
                if isinstance(self.length, int)
                else self.length
            )
            words = (
                f"exactly {length.at_least}"
                if length.at_least == length.at_most
                else f"{length.at_least} to {length.at_most}"
            )
            yield checks.HasLength(
                name=f"{column}_length",
                says=f"{column} has {words} characters.",
                severity=severity,
                column=column,
                at_least=length.at_least,
                at_most=length.at_most,
            )
        if self.references is not None:
            table, target = self.references.rsplit(".", 1)
            yield checks.References(
                name=f"{column}_references",
                says=f"Each {column} is in {self.references}.",
                severity=severity,
                column=column,
                table=table,
                target=target,
            )

    def _bounds(self) -> dict[str, Scalar]:
        bounds = {
            "at_least": self.at_least,
            "at_most": self.at_most,
            "above": self.above,
            "below": self.below,
        }
        return {key: value for key, value in bounds.items() if value is not None}


class Column(ShortChecks):
    """A column of a model; what is left out is taken from its SQL."""

    type: ColumnType | None = None
    meaning: str = ""
    unit: str = ""
    label: Name | None = None
    comes_from: Annotated[str | tuple[str, ...] | None, Field(alias="from")] = None


class DeliveredColumn(ShortChecks):
    """A column of a source's contract; ``delivered_as`` is its name in the delivered file."""

    type: ColumnType
    meaning: str = ""
    unit: str = ""
    label: Name | None = None
    delivered_as: str | None = None

    @model_validator(mode="after")
    def refers_to_nothing(self) -> Self:
        """Refuse ``references``: a delivery is judged alone, by what it holds itself."""
        if self.references is not None:
            raise ValueError(
                "'references' cannot be checked on a delivery; "
                "declare it on the canonical table that reads it"
            )
        return self
