"""What nodes of a query do where sqlglot does not say it: hide columns, or change how many rows there are."""

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.optimizer.helpers import projection_has_aggregate


def hides_columns(node: exp.Expr) -> bool:
    """Return whether a node stands for columns that it does not name, or is a name that may be a column's."""
    if isinstance(node, exp.Identifier):
        return not _is_only_a_name(node)
    return isinstance(node, _OPAQUE) and not isinstance(node.parent, exp.Count)


def aggregates(projection: exp.Expr, windows: list[exp.Window] | None) -> bool:
    """Return whether a projection makes one row of many."""
    return projection_has_aggregate(projection, windows) or any(
        call.name.lower() in AGGREGATES_UNKNOWN_TO_SQLGLOT for call in projection.find_all(exp.Anonymous)
    )


def multiplies(projection: exp.Expr) -> bool:
    """Return whether a projection makes many rows of one."""
    return projection.find(exp.UDTF, exp.Explode, exp.ExplodingGenerateSeries) is not None or any(
        call.name.lower() in MULTIPLYING_UNKNOWN_TO_SQLGLOT for call in projection.find_all(exp.Anonymous)
    )


AGGREGATES_UNKNOWN_TO_SQLGLOT = frozenset(
    {
        "arbitrary",
        "arg_max_null",
        "arg_max_nulls_last",
        "arg_min_null",
        "arg_min_nulls_last",
        "bitstring_agg",
        "count_star",
        "entropy",
        "favg",
        "fill",
        "fsum",
        "geomean",
        "geometric_mean",
        "histogram",
        "histogram_exact",
        "json_group_array",
        "json_group_object",
        "json_group_structure",
        "kahan_sum",
        "kurtosis_pop",
        "mad",
        "mean",
        "product",
        "rank_dense",
        "reservoir_quantile",
        "sem",
        "sum_no_overflow",
        "sumkahan",
        "wavg",
        "weighted_avg",
    }
)
MULTIPLYING_UNKNOWN_TO_SQLGLOT = frozenset({"generate_subscripts", "regexp_split_to_table"})

_OPAQUE = (exp.Star, exp.Columns, exp.TableColumn, exp.Pivot, exp.TableSample, exp.PositionalColumn)
"""What stands for columns that the text does not name."""

_NAMES = {
    (exp.Column, "this"),
    (exp.Column, "table"),
    (exp.ColumnDef, "this"),
    (exp.Comprehension, "expression"),
    (exp.Dot, "expression"),
    (exp.Join, "this"),
    (exp.Lambda, "expressions"),
    (exp.PropertyEQ, "this"),
    (exp.Window, "alias"),
    (exp.Window, "this"),
}
"""Where an identifier names no column: a field, a parameter, a window, or a part of a column's own name."""


def _is_only_a_name(identifier: exp.Identifier) -> bool:
    """Return whether an identifier names no column.

    sqlglot leaves columns as bare names where they stand around a method call, such as ``t.email.lower()``.
    """
    if (type(identifier.parent), identifier.arg_key) in _NAMES:
        return True
    return identifier.name in _parameters(identifier)


def _parameters(node: exp.Expr) -> Iterator[str]:
    """Yield the names that the lambdas and list comprehensions around a node bring."""
    around = node.find_ancestor(exp.Lambda, exp.Comprehension)
    while around:
        named = around.expressions if isinstance(around, exp.Lambda) else [around.expression]
        yield from (parameter.name for parameter in named)
        around = around.find_ancestor(exp.Lambda, exp.Comprehension)
