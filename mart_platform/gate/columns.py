"""Columns: which of a table's columns a query may touch."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from sqlglot import exp

from mart_platform.gate.names import alias_of, folded


@dataclass(frozen=True)
class Mentioned:
    """The names that a query mentions where a column may stand.

    ``alone`` are those without a dot, ``first`` those before the first one, ``behind`` those behind a name
    and a dot.
    """

    alone: set[str] = field(default_factory=set)
    first: set[str] = field(default_factory=set)
    behind: dict[str, set[str]] = field(default_factory=dict)

    def of(self, table: exp.Table, columns: Collection[str]) -> tuple[str, ...]:
        """Return those of a table's ``columns`` that the query may touch, at least one.

        More rather than less: a name that two tables have counts for both. A star, a natural join, the name
        of the table itself (its row) and columns renamed by their order mean all of them.
        """
        called = {alias_of(table), *_joins_around(table)}
        if called & self.alone or _means_all(table, called):
            return tuple(columns)
        names = self.alone.union(self.first, *(self.behind.get(name, ()) for name in called))
        return tuple(name for name in columns if name in names) or tuple(columns)[:1]


def mentioned(tree: exp.Expr) -> Mentioned:
    """Return the names that a query mentions where a column may stand."""
    names = Mentioned()
    for column in tree.find_all(exp.Column):
        parts = [folded(part.name) for part in column.parts]
        (names.first if len(parts) > 1 else names.alone).add(parts[0])
        for before, name in pairwise(parts):
            names.behind.setdefault(before, set()).add(name)
    for join in tree.find_all(exp.Join):
        names.alone.update(folded(name.name) for name in join.args.get("using") or [])
    return names


def _joins_around(table: exp.Table) -> Iterator[str]:
    """Yield by which names the joins in parentheses that a table stands in are called."""
    above = table.parent
    while above is not None and not isinstance(above, exp.Select):
        if isinstance(above, exp.Subquery):
            yield alias_of(above)
        above = above.parent


def _means_all(table: exp.Table, called: Collection[str]) -> bool:
    given = table.args.get("alias")
    if given is not None and given.args.get("columns"):
        return True
    select = table.find_ancestor(exp.Select)
    if select is None or any(map(_is_star, select.expressions)) or _joins_naturally(select):
        return True
    return any(folded(column.table) in called for column in _qualified_stars(select))


def _is_star(projection: exp.Expr) -> bool:
    return isinstance(projection, exp.Star)


def _joins_naturally(select: exp.Select) -> bool:
    return any(str(join.args.get("method")).upper() == "NATURAL" for join in select.find_all(exp.Join))


def _qualified_stars(select: exp.Select) -> list[exp.Column]:
    columns = select.root().find_all(exp.Column)
    return [column for column in columns if isinstance(column.this, exp.Star)]
