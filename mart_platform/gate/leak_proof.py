"""Leak-proof queries: those in which nothing can raise an error on a row that a policy hides.

The engine may run what a query asks of rows before it asks the policy: it puts conditions together and takes
the cheapest first. Which rows are hidden could then be read off the errors. So a query either holds nothing
that can raise where that may happen, or its policies get a fence (``OFFSET 0``), which costs pruning.

- *Conditions* (WHERE, ON, HAVING, QUALIFY, FILTER) may run on any row, and so may what they mention by a name
  that the query gave. They must have a type (inferring.py).
- *Values* (what is selected, grouped, ordered, aggregated) run on rows that the policies have let through.
  They may be computed, as long as no condition mentions them; but casts and the like are not worth the risk.

What is unknown counts as raising. PostgreSQL draws the same line: its operators are marked LEAKPROOF.
"""

from sqlglot import exp

from mart_platform.gate.allowing import integer_of
from mart_platform.gate.inferring import Types, projections


def is_leak_proof(tree: exp.Expr, types: Types) -> bool:
    """Return whether nothing in a query can raise an error on a row that is hidden."""
    return all(_is_harmless(node, types) for node in tree.walk())


def _is_harmless(node: exp.Expr, types: Types) -> bool:
    """Return whether the parts of a clause cannot raise; what is none is judged with the one it is in."""
    if isinstance(node, exp.Where | exp.Having | exp.Qualify):
        return types.of(node.this) == "boolean"
    if isinstance(node, exp.Join):
        return _is_harmless_join(node, types)
    if isinstance(
        node, exp.Select | exp.Group | exp.Order | exp.Distinct | exp.Rollup | exp.Cube | exp.GroupingSets
    ):
        return all(map(types.is_calm, [*node.expressions, *filter(None, [node.args.get("on")])]))
    if isinstance(node, exp.SetOperation):
        return _is_harmless_set(node, types)
    if isinstance(node, exp.Limit | exp.Offset):
        return integer_of(node.expression) is not None
    if isinstance(node, exp.With):
        return not node.args.get("recursive")
    return not isinstance(node, exp.Lateral | exp.Unnest | exp.Values)


def _is_harmless_join(join: exp.Join, types: Types) -> bool:
    if str(join.args.get("method")).upper() == "NATURAL":
        return False
    on, named = join.args.get("on"), join.args.get("using") or []
    return (on is None or types.of(on) == "boolean") and all(
        types.of(exp.Column(this=name.copy())) for name in named
    )


def _is_harmless_set(operation: exp.SetOperation, types: Types) -> bool:
    """Return whether both sides have the same types: a condition above reaches the values of either."""
    one, other = projections(operation.this), projections(operation.expression)
    if not one or len(one) != len(other) or operation.args.get("by_name"):
        return False
    kinds = [(types.of(left), types.of(right)) for left, right in zip(one, other, strict=True)]
    return all(left is not None and left == right for left, right in kinds)
