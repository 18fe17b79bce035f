"""The smallest query that still shows what a larger one has shown."""

from collections.abc import Callable, Iterator, Sequence

import sqlglot
from sqlglot import exp

Change = Callable[[exp.Expr], object]
"""Leaves something out of a node."""

_CLAUSES = (
    ("with_",),
    ("joins",),
    ("laterals",),
    ("where",),
    ("having",),
    ("qualify",),
    ("distinct",),
    ("group",),
    # A limit without an order leaves the rows to chance.
    ("order", "limit", "offset"),
)
_WHOLE = (exp.Column, exp.Literal, exp.Null, exp.If)
"""What nothing is left out of; a condition with its value is part of a CASE."""

_TRIES = 400


def shrunk(text: str, still: Callable[[str], bool], tries: int = _TRIES) -> str:
    """Return a query without all that can be left out of it while ``still`` holds of it.

    At most so many smaller queries are tried.

    >>> shrunk("SELECT a, upper(b) AS c FROM s.t WHERE a > 1", lambda text: "b" in text)
    'SELECT b FROM s.t'
    """
    tree = sqlglot.parse_one(text, dialect="duckdb")
    tried = {text}
    found = True
    while found:
        found = False
        for smaller in _smaller(tree):
            said = _said(smaller)
            if said is None or said in tried:
                continue
            if len(tried) > tries:
                return tree.sql(dialect="duckdb")
            tried.add(said)
            if still(said):
                tree, found = smaller, True
                break
    return tree.sql(dialect="duckdb")


def _said(tree: exp.Expr) -> str | None:
    """Return a query's text, None where so much was left out of it that it cannot be written."""
    try:
        return tree.sql(dialect="duckdb")
    except (TypeError, AttributeError):
        return None


def _smaller(tree: exp.Expr) -> Iterator[exp.Expr]:
    """Yield queries with one thing less, those first that leave out most."""
    nodes = list(tree.bfs())
    for node in nodes:
        if isinstance(node, exp.Query) and node is not tree and not isinstance(node, exp.Subquery):
            yield node.copy()
    for place, node in enumerate(nodes):
        for change in _changes(node):
            copy = tree.copy()
            change(list(copy.bfs())[place])
            yield copy


def _changes(node: exp.Expr) -> Iterator[Change]:
    """Yield what can be left out of a node, as something to be done to a copy of it."""
    if isinstance(node, exp.Select):
        yield from _of_select(node)
    elif isinstance(node, exp.Alias):
        yield lambda alias: alias.replace(alias.this)
    elif isinstance(node, exp.Condition) and not isinstance(node, _WHOLE):
        yield from _of_expression(node)


def _of_select(select: exp.Select) -> Iterator[Change]:
    for clauses in _CLAUSES:
        if any(select.args.get(clause) for clause in clauses):
            yield _without(clauses)
    for clause, least in (("joins", 1), ("laterals", 1), ("expressions", 2)):
        items = select.args.get(clause) or []
        if len(items) >= least:
            yield from (_without_item(clause, index) for index in range(len(items)))


def _of_expression(node: exp.Expr) -> Iterator[Change]:
    """Yield the parts of an expression in its place, and NULL."""
    for index, part in enumerate(_parts(node)):
        if isinstance(part, exp.Condition):
            yield _reduced_to(index)
    yield lambda whole: whole.replace(exp.null())


def _without(clauses: Sequence[str]) -> Change:
    def change(node: exp.Expr) -> None:
        for clause in clauses:
            node.set(clause, None)

    return change


def _without_item(clause: str, index: int) -> Change:
    return lambda node: node.args[clause].pop(index)


def _reduced_to(index: int) -> Change:
    return lambda whole: whole.replace(_parts(whole)[index].copy())


def _parts(node: exp.Expr) -> list[exp.Expr]:
    """Return what an expression is made of; of a CASE its conditions and its values."""
    parts = list(node.iter_expressions())
    return [inner for part in parts for inner in (_parts(part) if isinstance(part, exp.If) else [part])]
