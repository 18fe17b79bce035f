"""Row checks as Polars expressions: one registry, from the kind of a check to what a row must fulfil.

An expression is true where the row passes; NULL counts as a pass. Checks that compare rows (unique,
row_count) are judged over the whole delivery by landing, and have no expression here.
"""

from collections.abc import Callable
from decimal import Decimal

import polars as pl

from mart_platform.adapters.contracts.types import from_text, polars_type
from mart_platform.spec import checks
from mart_platform.spec.checks import Check, Scalar
from mart_platform.spec.problems import UserError


def rule_of(check: Check, declared: str) -> pl.Expr | None:
    """Return what each value of a column must fulfil, or None for a check that compares rows."""
    builder = _RULES.get(type(check))
    return builder(check, declared) if builder else None


def _not_null(check: checks.NotNull, declared: str) -> pl.Expr:
    return pl.col(check.column).is_not_null()


def _one_of(check: checks.OneOf, declared: str) -> pl.Expr:
    values = [_value(value, declared, check) for value in check.values]
    return pl.col(check.column).is_in(pl.Series(values, dtype=polars_type(declared)).implode())


def _in_range(check: checks.InRange, declared: str) -> pl.Expr:
    column = pl.col(check.column)
    bounds: list[tuple[Scalar | None, Callable[[pl.Expr], pl.Expr]]] = [
        (check.at_least, column.ge),
        (check.at_most, column.le),
        (check.above, column.gt),
        (check.below, column.lt),
    ]
    return pl.all_horizontal(
        holds(_bound(bound, declared, check)) for bound, holds in bounds if bound is not None
    )


def _matches(check: checks.Matches, declared: str) -> pl.Expr:
    pattern = rf"\A(?:{check.pattern})\z"
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        raise UserError(
            f"Check '{check.name}': '{check.pattern}' is no regular expression: {error}"
        ) from error
    return pl.col(check.column).cast(pl.String).str.contains(pattern)


def _has_length(check: checks.HasLength, declared: str) -> pl.Expr:
    return pl.col(check.column).cast(pl.String).str.len_chars().is_between(check.at_least, check.at_most)


def _bound(value: Scalar, declared: str, check: Check) -> pl.Expr:
    if declared.startswith("decimal"):
        return pl.lit(Decimal(str(value)))
    if isinstance(value, int | float) and declared in ("integer", "bigint", "double"):
        return pl.lit(value)
    return pl.lit(_value(value, declared, check), dtype=polars_type(declared))


def _value(value: Scalar, declared: str, check: Check) -> object:
    """Return a value of a check as one of its column's type."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    read = pl.select(from_text(pl.lit(text), declared)).item()
    if read is None:
        raise UserError(
            f"Check '{check.name}' compares a column of type {declared} with '{value}', which is none. "
            "Correct the check or the type."
        )
    return read


_RULES: dict[type[Check], Callable[..., pl.Expr]] = {
    checks.NotNull: _not_null,
    checks.OneOf: _one_of,
    checks.InRange: _in_range,
    checks.Matches: _matches,
    checks.HasLength: _has_length,
}
