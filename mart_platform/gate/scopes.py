"""Scopes: which tables a query reads, and which names are its own common table expressions."""

from collections.abc import Iterator

from sqlglot import exp

from mart_platform.gate.names import folded, named_by
from mart_platform.gate.questions import Named, Refused


def tables_read(tree: exp.Expr) -> Iterator[tuple[exp.Table, Named]]:
    """Yield the tables of marts that a query reads, each as often as it stands there.

    A name without a mart is a common table expression that can be seen from there, or it is unknown: nothing
    else is ever looked up. Raises Refused.
    """
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier) or is_common(table):
            continue
        named = named_by(table)
        if named is None:
            raise no_table(spelled(table))
        yield table, named


def is_common(table: exp.Table) -> bool:
    """Return whether a table is a common table expression that can be seen from where it stands."""
    return not table.args.get("db") and common_table(table) is not None


def common_table(table: exp.Table) -> exp.CTE | None:
    """Return the common table expression that a name without a mart means, the innermost one.

    One that is recursive sees itself; each sees those that stand before it.
    """
    name = folded(table.name)
    below: exp.Expr | None = table
    above = table.parent
    while above is not None:
        known: list[exp.CTE] = []
        if isinstance(above, exp.With):
            known = _seen_within(above, below)
            above = above.parent  # the query that it belongs to, which has been asked by this
        elif with_ := above.args.get("with_"):
            known = with_.expressions
        for cte in reversed(known):
            if folded(cte.alias) == name:
                return cte
        below, above = above, above.parent if above is not None else None
    return None


def _seen_within(with_: exp.With, cte: exp.Expr | None) -> list[exp.CTE]:
    at = next(number for number, other in enumerate(with_.expressions) if other is cte)
    return with_.expressions[: at + 1] if with_.args.get("recursive") else with_.expressions[:at]


def spelled(table: exp.Table) -> str:
    """Return a table's name as it was written."""
    return ".".join(part.name for part in table.parts)


def no_table(name: str) -> Refused:
    """Return what is said of a name that no table of a mart can have: the same as of any other."""
    return Refused("unknown_table", f"There is no table {name} that you may read.", "See the catalogue.")
