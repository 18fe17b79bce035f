"""A source's contract compiled to one pandera schema."""

import pandera.polars as pa
import polars as pl

from mart_platform.adapters.contracts.rules import rule_of
from mart_platform.adapters.contracts.types import polars_type
from mart_platform.spec.checks import Check
from mart_platform.spec.columns import DeliveredColumn
from mart_platform.spec.sources import SourceTable


def pandera_schema(contract: SourceTable) -> pa.DataFrameSchema:
    """Return the schema of a table: names, types and all checks that look at one row.

    It validates a frame with the declared names and types; columns beyond these are let through. A check
    of severity warn gives a ``SchemaWarning``. What compares rows (unique, row counts) is not part of it.
    """
    return _compiled(contract, warnings_fail=False)


def strict_schema(contract: SourceTable) -> pa.DataFrameSchema:
    """Return the same schema, in which checks of severity warn fail too: so that they can be counted."""
    return _compiled(contract, warnings_fail=True)


def row_checks(contract: SourceTable) -> dict[str, Check]:
    """Return the checks that the schema holds, by name."""
    return {
        check.name: check
        for check in contract.all_checks()
        if rule_of(check, _declared(contract, check)) is not None
    }


def _compiled(contract: SourceTable, *, warnings_fail: bool) -> pa.DataFrameSchema:
    checks: dict[str, list[pa.Check]] = {name: [] for name in contract.columns}
    for check in contract.all_checks():
        rule = rule_of(check, _declared(contract, check))
        if rule is not None:
            checks[_column(check)].append(_check(check, rule, warns=not (check.blocks or warnings_fail)))
    return pa.DataFrameSchema(
        {name: _schema_column(column, checks[name]) for name, column in contract.columns.items()},
        description=contract.description,
    )


def _schema_column(column: DeliveredColumn, checks: list[pa.Check]) -> pa.Column:
    # Nullable for pandera: a missing value is found by the check not_null, which has a name and a severity.
    return pa.Column(polars_type(column.type), checks, nullable=True, description=column.meaning or None)


def _check(check: Check, rule: pl.Expr, *, warns: bool) -> pa.Check:
    def holds(data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(rule)

    return pa.Check(holds, name=check.name, description=check.says, raise_warning=warns)


def _column(check: Check) -> str:
    return str(getattr(check, "column", ""))


def _declared(contract: SourceTable, check: Check) -> str:
    column = contract.columns.get(_column(check))
    return column.type if column else ""
