"""Bounding: whether the engine can always stop a query in time."""

from collections.abc import Collection, Iterator, Mapping

from sqlglot import exp

from mart_platform.gate.allowing import call_name
from mart_platform.gate.functions import AGGREGATES, CLOCK, UNBOUNDED
from mart_platform.gate.names import alias_of, folded
from mart_platform.gate.scopes import common_table

LARGEST_GROWTH = 4096
"""How many times longer than its parts a text may become by being put together."""


def is_bounded(tree: exp.Expr, columns: Mapping[int, Collection[str]]) -> bool:
    """Return whether no call in a query can grow beyond what the engine stops in time.

    Not bounded: texts and lists that are repeated or collected, recursion, and tables that no equality joins.
    ``columns`` are those of the tables, by the ``id`` of their nodes.
    """
    return not (_is_recursive(tree) or _collects(tree) or _grows(tree) or _multiplies(tree, columns))


def is_volatile(tree: exp.Expr) -> bool:
    """Return whether a query may give something else a moment later, such as by ``now()``."""
    if tree.find(exp.CurrentDate, exp.CurrentTimestamp, exp.Localtimestamp):
        return True
    calls = [(call_name(call), len(call.expressions)) for call in tree.find_all(exp.Anonymous)]
    return any(name in CLOCK or (name == "age" and arguments == 1) for name, arguments in calls)


def _is_recursive(tree: exp.Expr) -> bool:
    return any(with_.args.get("recursive") for with_ in tree.find_all(exp.With))


def _collects(tree: exp.Expr) -> bool:
    if tree.find(exp.GroupConcat):
        return True
    return any(call_name(call) in UNBOUNDED for call in tree.find_all(exp.Anonymous))


def _grows(tree: exp.Expr) -> bool:
    """Return whether texts may become much longer, each call by as much as it has parts to put together."""
    growth = 1
    for node in tree.find_all(exp.DPipe, exp.Anonymous):
        growth *= _growth_of(node)
        if growth > LARGEST_GROWTH:
            return True
    return False


def _growth_of(node: exp.Expr) -> int:
    if isinstance(node, exp.DPipe):
        return sum(not isinstance(part, exp.Literal) for part in (node.this, node.expression)) or 1
    name, arguments = call_name(node), node.expressions
    if name in ("concat", "concat_ws"):
        return len(arguments) or 1
    if name == "replace":
        last = arguments[-1]
        return max(1, len(last.name)) if isinstance(last, exp.Literal) else LARGEST_GROWTH + 1
    return 1


def _multiplies(tree: exp.Expr, columns: Mapping[int, Collection[str]]) -> bool:
    return any(not _is_connected(select, columns) for select in tree.find_all(exp.Select))


def _is_connected(select: exp.Select, columns: Mapping[int, Collection[str]]) -> bool:
    """Return whether equalities hold all sources of a SELECT together that may have many rows."""
    sources = {alias_of(source): source for source in _sources(select) if not _has_one_row(source)}
    groups = {alias: {alias} for alias in sources}
    for pair in _joined(select, sources, columns):
        met = set[str]().union(*(groups[alias] for alias in pair))
        groups.update(dict.fromkeys(met, met))
    return len({id(group) for group in groups.values()}) <= 1


def _sources(select: exp.Select) -> Iterator[exp.Expr]:
    joins = select.args.get("joins") or []
    for clause in filter(None, [select.args.get("from_"), *joins]):
        yield from _flat(clause.this)


def _flat(source: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the tables of a join in parentheses, any other source itself, and nothing for what is lateral."""
    if isinstance(source, exp.Subquery) and isinstance(source.this, exp.Table | exp.Subquery):
        yield from _flat(source.this)
    elif not isinstance(source, exp.Lateral | exp.Unnest):
        yield source
    for join in source.args.get("joins") or []:
        yield from _flat(join.this)


def _has_one_row(source: exp.Expr) -> bool:
    common = common_table(source) if isinstance(source, exp.Table) and not source.args.get("db") else None
    select = common.this if common is not None else source.this
    if not isinstance(select, exp.Select):
        return False
    if select.args.get("from_") is None:
        return not any(map(_unnests, select.expressions))
    return all(map(_is_aggregate, select.expressions)) and select.args.get("group") is None


def _unnests(projection: exp.Expr) -> bool:
    return any(call_name(call) == "unnest" for call in projection.find_all(exp.Anonymous))


def _is_aggregate(projection: exp.Expr) -> bool:
    if projection.find(exp.Window):
        return False
    return any(
        isinstance(call, exp.AggFunc) or (isinstance(call, exp.Anonymous) and call_name(call) in AGGREGATES)
        for call in projection.find_all(exp.Func)
    )


def _joined(
    select: exp.Select, sources: Mapping[str, exp.Expr], columns: Mapping[int, Collection[str]]
) -> Iterator[set[str]]:
    """Yield the sources that an equality, USING, or the nearest row (ASOF) joins."""
    joins = list(_joins(select))
    for join in joins:
        if join.args.get("using") or join.args.get("method"):
            yield {alias_of(join.this), *list(sources)[:1]} & set(sources)
    conditions = [select.args.get("where"), *(join.args.get("on") for join in joins)]
    for equal in (equal for condition in conditions if condition for equal in condition.find_all(exp.EQ)):
        sides = [_may_be_of(side, sources, columns) for side in (equal.this, equal.expression)]
        if all(sides) and sides[0] != sides[1]:
            yield sides[0] | sides[1]


def _joins(node: exp.Expr) -> Iterator[exp.Join]:
    """Yield the joins of a SELECT, also those in parentheses."""
    from_ = node.args.get("from_")
    for join in node.args.get("joins") or []:
        yield join
        yield from _joins(join.this)
    if from_ is not None:
        yield from _joins(from_.this)
    elif isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Query):
        yield from _joins(node.this)


def _may_be_of(
    column: exp.Expr, sources: Mapping[str, exp.Expr], columns: Mapping[int, Collection[str]]
) -> set[str]:
    if not isinstance(column, exp.Column):
        return set()
    if column.table:
        return {folded(column.table)} & set(sources)
    name = folded(column.name)
    known = {alias for alias, source in sources.items() if name in columns.get(id(source), ())}
    return known or {alias for alias, source in sources.items() if id(source) not in columns}
