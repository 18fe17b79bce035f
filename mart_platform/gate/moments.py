"""Moments: a date that an interval is added to becomes a moment, and what is compared with it too.

``sold_on >= current_date - INTERVAL 30 DAY`` would cast each ``sold_on`` to a moment, which raises for the
first and the last dates there are. Midnight and its day compare alike: it is cast back.
"""

from collections.abc import Callable

from sqlglot import exp

from mart_platform.gate.comparing import is_written

MOST_DAYS = 1_000_000
"""How far a date may be shifted and certainly remain one: 2,700 years."""


def is_shifted_day(node: exp.Expr) -> bool:
    """Return whether a node is today or a written date, with an interval of whole days added."""
    if not isinstance(node, exp.Add | exp.Sub):
        return False
    interval = node.expression
    count = interval.this.name if isinstance(interval.this, exp.Literal) else ""
    unit = str(interval.args.get("unit") or "").upper().removesuffix("S")
    if unit not in _DAYS or not count.isdigit() or int(count) * _DAYS[unit] > MOST_DAYS:
        return False
    return is_day(node.this)


def keep_days(tree: exp.Expr, type_of: Callable[[exp.Expr | None], str | None]) -> None:
    """Cast shifted days back to dates where they are compared with dates; ``type_of`` tells which are."""
    for node in [node for node in tree.find_all(exp.Add, exp.Sub) if is_shifted_day(node)]:
        above = node.parent
        if isinstance(above, exp.Predicate) and _is_beside_a_date(node, above, type_of):
            node.replace(exp.cast(node.copy(), exp.DType.DATE))


def _is_beside_a_date(
    node: exp.Expr, above: exp.Expr, type_of: Callable[[exp.Expr | None], str | None]
) -> bool:
    return type_of(above.args.get("expression") if above.this is node else above.this) == "date"


def is_day(node: exp.Expr) -> bool:
    """Return whether a node is today or a date that is written out."""
    if isinstance(node, exp.CurrentDate):
        return True
    return (
        isinstance(node, exp.Cast)
        and node.to.this is exp.DType.DATE
        and isinstance(node.this, exp.Literal)
        and is_written(node.this.name, "date")
    )


_DAYS = {"DAY": 1, "WEEK": 7, "MONTH": 31, "QUARTER": 92, "YEAR": 366}
