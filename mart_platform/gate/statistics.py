"""Statistics: what the planner knows of a column is of all its rows, those that a policy hides among them.

``date_trunc`` is computed by the planner for the first and the last value of a column, and raises for some:
no fence and no TRY is before that. ``substring`` is another function where all texts of a column are plain
ASCII, and one that treats a negative length or a place outside of the text otherwise. The statistics of a
column do not pass through ``greatest`` of it alone (DuckDB 1.5.5; that costs nothing).
"""

from sqlglot import exp

from mart_platform.gate.allowing import call_name

_TRUNCATING = frozenset({"date_trunc", "datetrunc"})


def looks_at_statistics(node: exp.Expr) -> bool:
    """Return whether a call answers, or raises, according to the statistics of a column."""
    return _looked_at(node) is not None


def hide_statistics(tree: exp.Expr) -> None:
    """Have no call see the statistics of a column."""
    for call in list(tree.find_all(exp.Anonymous, exp.Substring)):
        if (value := _looked_at(call)) is not None:
            # Not of a copy: a call within the value has its turn too.
            alone = without_statistics(exp.null())
            value.replace(alone)
            alone.set("expressions", [value])


def without_statistics(value: exp.Expr) -> exp.Expr:
    """Return a value of which the planner knows nothing but its type."""
    return exp.Anonymous(this="greatest", expressions=[value])


def _looked_at(call: exp.Expr) -> exp.Expr | None:
    """Return the argument of which the statistics are looked at."""
    if isinstance(call, exp.Substring):
        return call.this  # type: ignore[no-any-return]  # sqlglot leaves the arguments of a node untyped
    if not isinstance(call, exp.Anonymous):
        return None
    name, given = call_name(call), call.expressions
    if name in _TRUNCATING and len(given) == 2:
        return given[1]  # type: ignore[no-any-return]  # as above
    return given[0] if name == "substr" and given else None
