"""Bindings: what the rows of an input are restricted by, and what of it is known without reading them."""

from typing import get_args

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from mart_platform.planning.grains import nests_in
from mart_platform.planning.incremental.intervals import bucket_of, start_of
from mart_platform.planning.incremental.reach import Reached
from mart_platform.planning.plan import Binding, PlannedTable
from mart_platform.planning.quoting import identifier
from mart_platform.spec.tables import KEYED, Contract, Grain, Partition
from mart_platform.spec.types import TIMES, duckdb_type


def binding_of(reached: Reached, contract: Contract, type_name: str, table: PlannedTable) -> Binding:
    """Return the binding of an input from which the interval column, of this DuckDB type, is made."""
    if contract.kind in KEYED or contract.partition is None:
        return Binding(expression=bucket_of(reached.expression), columns=reached.columns)
    grain = contract.partition.grain
    return Binding(
        expression=start_of(grain, reached.expression, type_name),
        columns=reached.columns,
        from_key=_is_one_in_each_interval(reached, grain, table),
        monotone=_grows(reached, table),
    )


def _is_one_in_each_interval(reached: Reached, grain: Grain, table: PlannedTable) -> bool:
    """Return whether all rows of an interval of the input go to the same interval as the start of it does."""
    own = table.partition
    if table.kind != "incremental" or own is None or reached.columns != (own.column,):
        return False
    type_name = duckdb_type(table.types[own.column])
    if own.grain == "day" and type_name == "DATE":
        return True
    if reached.expression == identifier(own.column):
        return nests_in(own.grain, grain)
    return any(_is_start(reached, kept, own, type_name) for kept in get_args(Grain))


def _is_start(reached: Reached, grain: Grain, own: Partition, type_name: str) -> bool:
    start = start_of(grain, identifier(own.column), type_name)
    return reached.expression == start and nests_in(own.grain, grain)


def _grows(reached: Reached, table: PlannedTable) -> bool:
    """Return whether the interval is never earlier for a value that is later by a day or more.

    Within a day it can be: the clock of a zone is set back by an hour.
    """
    if len(reached.columns) != 1 or table.types.get(reached.columns[0]) not in TIMES:
        return False
    try:
        return _is_monotone(sqlglot.parse_one(reached.expression, dialect="duckdb"))
    except SqlglotError:
        return False


def _is_monotone(tree: exp.Expr) -> bool:
    """Return whether an expression is a column that is cast, cut, moved by a constant, or put into a zone."""
    if isinstance(tree, exp.Column):
        return True
    if isinstance(tree, exp.Cast):
        return tree.to.this in _KEEP_ORDER and _is_monotone(tree.this)
    if isinstance(tree, exp.Paren | exp.DateTrunc | exp.TimestampTrunc | exp.AtTimeZone):
        return _is_monotone(tree.this)
    if isinstance(tree, exp.Add | exp.Sub):
        return tree.expression.find(exp.Column) is None and _is_monotone(tree.this)
    if isinstance(tree, exp.Anonymous) and tree.name.lower() == "timezone":
        zone, moment = tree.expressions
        return isinstance(zone, exp.Literal) and _is_monotone(moment)
    return False


_KEEP_ORDER = {exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPTZ}
