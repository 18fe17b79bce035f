"""Naming: the columns of an answer are called as they would be without a policy.

The engine calls a column that has no name by its expression. Where that is rewritten, its name would say how:
``SELECT (SELECT max(amount) FROM sales.orders)`` would come back with the row filter for a name.
"""

from sqlglot import exp

from mart_platform.gate.parsing import DUCKDB
from mart_platform.gate.statistics import looks_at_statistics


def keep_names(tree: exp.Expr) -> None:
    """Give each nameless column of a SELECT that will be rewritten its own text for a name."""
    for select in list(tree.find_all(exp.Select)):
        for projection in select.expressions:
            if not isinstance(projection, exp.Alias) and _is_rewritten(projection):
                _name(projection)


def _is_rewritten(projection: exp.Expr) -> bool:
    if projection.find(exp.Query):
        return True
    return any(map(looks_at_statistics, projection.walk()))


def _name(projection: exp.Expr) -> None:
    text = projection.sql(dialect=DUCKDB, comments=False, normalize_functions="lower")
    alias = exp.Alias(alias=exp.to_identifier(text, quoted=True))
    projection.replace(alias)
    alias.set("this", projection)
