"""A column as it is declared, with the short checks that stand beside it."""

import math
from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from mart_platform.spec import checks
from mart_platform.spec.checks import Check, Scalar
from mart_platform.spec.types import ColumnType
from mart_platform.spec.words import ColumnRef, Name, Reason, Severity, Word

NO_LABEL = "none"


class Length(Word):
    """Bounds of a text's length in characters."""

    at_least: Annotated[int, Field(ge=0)] = 0
    at_most: int = 2**31 - 1

    @model_validator(mode="after")
    def holds_a_length(self) -> Self:
        """Refuse bounds that no length can lie within."""
        if self.at_least > self.at_most:
            raise ValueError(f"no length is at least {self.at_least} and at most {self.at_most}")
        return self


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
    length: Annotated[int, Field(ge=0)] | Length | None = None
    references: ColumnRef | None = None
    severity: Severity = Severity.ERROR

    @model_validator(mode="after")
    def holds_a_value(self) -> Self:
        """Refuse bounds that are no number, or that no number lies within."""
        bounds = self._bounds()
        for key, value in bounds.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"'{key}' is {value}; write a number, or leave it out")
        lower = [bounds[key] for key in ("at_least", "above") if key in bounds]
        upper = [bounds[key] for key in ("at_most", "below") if key in bounds]
        for least in lower:
            for most in upper:
                if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
                    raise ValueError(f"no value is {least} or more and {most} or less")
        return self

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
                **bounds,
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

    def _bounds(self) -> dict[str, Any]:
        bounds = {
            "at_least": self.at_least,
            "at_most": self.at_most,
            "above": self.above,
            "below": self.below,
        }
        return {key: value for key, value in bounds.items() if value is not None}


Labels = Name | tuple[Name, ...]
"""One label of sensitive data, or several; ``none`` says that there is none."""


class LabelsDropped(Word):
    """Labels that a column does not carry although what it is made of does, and why they are not needed."""

    drop: Labels
    because: Reason
    add: Labels = ()

    @property
    def dropped(self) -> tuple[str, ...]:
        """The labels that are dropped."""
        return _listed(self.drop)


class Column(ShortChecks):
    """A column of a model; what is left out is taken from its SQL.

    ``label`` adds to the labels of what the column is made of.
    """

    type: ColumnType | None = None
    meaning: str = ""
    unit: str = ""
    label: Labels | LabelsDropped | None = None
    comes_from: Annotated[str | tuple[str, ...] | None, Field(alias="from")] = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that are declared here."""
        return _listed(self.label.add if isinstance(self.label, LabelsDropped) else self.label)

    @property
    def origins(self) -> tuple[str, ...]:
        """What a column of a Python model is made of, each as ``alias.column``."""
        return (self.comes_from,) if isinstance(self.comes_from, str) else self.comes_from or ()


class DeliveredColumn(ShortChecks):
    """A column of a source's contract; ``delivered_as`` is its name in the delivered file.

    An ``optional`` one may be missing from a file, whose rows have NULL then: a column that was added later.
    """

    type: ColumnType
    meaning: str = ""
    unit: str = ""
    label: Labels | None = None
    delivered_as: str | None = None
    optional: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that are declared here."""
        return _listed(self.label)

    @model_validator(mode="after")
    def may_be_missing_only_where_null_may_be(self) -> Self:
        """Refuse a column that may be missing and must have a value."""
        if self.optional and self.not_null:
            raise ValueError("'optional' and 'not_null' exclude each other; drop one of them")
        return self

    @model_validator(mode="after")
    def refers_to_nothing(self) -> Self:
        """Refuse ``references``: a delivery is judged alone, by what it holds itself."""
        if self.references is not None:
            raise ValueError(
                "'references' cannot be checked on a delivery; "
                "declare it on the canonical table that reads it"
            )
        return self


def _listed(labels: Labels | None) -> tuple[str, ...]:
    listed = (labels,) if isinstance(labels, str) else labels or ()
    return tuple(sorted(set(listed) - {NO_LABEL}))
