"""Lookups: inputs that are joined by equality to a bound one, so that a changed key names rows of that."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from mart_platform.planning.names import qualified
from mart_platform.planning.plan import Lookup
from mart_platform.planning.queries import Schemas, table_name


def lookups_of(
    tree: exp.Query, schemas: Schemas, bound: Iterable[str], unbound: Iterable[str]
) -> dict[str, Lookup]:
    """Return the unbound inputs of a model that are joined once to a bound one, with the columns that pair.

    The join is an INNER one, or a LEFT one of which the input is the right side, so that rows come of it only
    where a row of the bound input holds the key. Each pair is of plain columns.
    """
    whole = qualified(tree, schemas)
    if whole is None or any(node.args.get("recursive") for node in whole.find_all(exp.With)):
        return {}
    scopes = list(traverse_scope(whole))
    bound = frozenset(bound)
    found = {name: _lookup(name, scopes, bound, schemas) for name in unbound}
    return {name: lookup for name, lookup in found.items() if lookup}


def _lookup(name: str, scopes: list[Scope], bound: frozenset[str], schemas: Schemas) -> Lookup | None:
    places = [
        (scope, alias)
        for scope in scopes
        for alias, source in scope.sources.items()
        if isinstance(source, exp.Table) and table_name(source) == name
    ]
    if len(places) != 1:
        return None
    scope, alias = places[0]
    if not isinstance(scope.expression, exp.Select) or _makes_rows_of_its_own(scope.expression):
        return None
    pairs = [
        (*traced, own)
        for own, other in _equal_columns(scope.expression, alias)
        if (traced := _traced(other, scope, bound))
    ]
    # Columns of one row of the fact pair with columns of one row of the lookup: those that came the same way.
    pairs.sort(key=lambda pair: pair[0])
    ways = [list(same) for _, same in groupby(pairs, key=lambda pair: pair[0])]
    for way in sorted(ways, key=len, reverse=True):
        fact = way[0][1]
        on = dict.fromkeys(
            (_spelled(column, schemas[fact]), _spelled(own, schemas[name])) for _, _, column, own in way
        )
        if all(_comparable(schemas[fact][column], schemas[name][own]) for column, own in on):
            return Lookup(fact=fact, on=tuple(on))
    return None


def _makes_rows_of_its_own(select: exp.Select) -> bool:
    """Return whether a join keeps rows that match nothing on their left, or pairs them in its own way."""
    return any(
        join.side in ("RIGHT", "FULL") or join.method or join.this.args.get("pivots")
        for join in select.args.get("joins") or []
    )


def _equal_columns(select: exp.Select, alias: str) -> Iterator[tuple[str, exp.Column]]:
    """Yield each column of a source with the column of another source that it must equal."""
    for condition in _conditions_on(select, alias):
        if not isinstance(condition, exp.EQ):
            continue
        for own, other in ((condition.left, condition.right), (condition.right, condition.left)):
            if not (isinstance(own, exp.Column) and isinstance(other, exp.Column)):
                continue
            if own.table == alias and other.table not in ("", alias):
                yield own.name, other


def _conditions_on(select: exp.Select, alias: str) -> Iterator[exp.Expr]:
    """Yield the conditions without which no row of a source gets through a SELECT."""
    joins: list[exp.Join] = select.args.get("joins") or []
    own = next((join for join in joins if join.this.alias_or_name == alias), None)
    if own is not None and own.side == "LEFT":
        yield from _all_of(own.args.get("on"))
        return
    if own is not None and own.kind in ("SEMI", "ANTI"):
        return
    for join in joins:
        if join.side == "" and join.kind in ("", "INNER"):
            yield from _all_of(join.args.get("on"))
    where = select.args.get("where")
    yield from _all_of(where.this if where else None)


def _all_of(condition: exp.Expr | None) -> Iterator[exp.Expr]:
    if condition is not None:
        condition = condition.unnest()
        yield from condition.flatten() if isinstance(condition, exp.And) else (condition,)


def _traced(
    column: exp.Column, scope: Scope, bound: frozenset[str]
) -> tuple[tuple[str, ...], str, str] | None:
    """Return the way of a column down to a bound input, that input, and the column's name in it."""
    way: list[str] = []
    while True:
        source = scope.sources.get(column.table)
        way.append(f"{id(scope)} {column.table}")
        if isinstance(source, exp.Table):
            name = table_name(source)
            return (tuple(way), name, column.name) if name in bound else None
        if not isinstance(source, Scope) or not isinstance(source.expression, exp.Select):
            return None
        projected = {p.alias_or_name: p.unalias() for p in source.expression.selects}.get(column.name)
        if not isinstance(projected, exp.Column):
            return None
        column, scope = projected, source


def _spelled(column: str, columns: Iterable[str]) -> str:
    """Return a column's name as its table spells it."""
    return next(name for name in columns if name.lower() == column.lower())


def _comparable(type_name: str, other: str) -> bool:
    """Return whether values of two types are equal exactly where they are the same."""
    whole = {"INTEGER", "BIGINT"}
    return type_name == other or {type_name, other} <= whole
