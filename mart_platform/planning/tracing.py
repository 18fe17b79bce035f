"""A query taken apart: what the value of each output column is made of, and what decides its rows.

Everything gets a digest of its logic: of its expression, in which each column stands by the digest of what
it is itself. So nothing but logic has a part in it: no comment, no formatting, no name of an alias or of a
common table expression, and neither the order of these. A projection that nobody reads has no part in what is
read beside it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from mart_platform.planning.names import qualified
from mart_platform.planning.nodes import aggregates, hides_columns, multiplies
from mart_platform.planning.queries import Schemas

Columns = frozenset[tuple[str, str]]
"""Columns of inputs: pairs of a table ``schema.table`` and a column's name."""


class Untraceable(Exception):
    """A query holds something whose columns cannot be known from its text, such as ``COLUMNS(*)``."""


@dataclass(frozen=True)
class Traced:
    """A value, or what decides which rows there are.

    ``origins`` are the columns that it is made of, ``reads`` all that are looked at: also those by which a
    subquery inside of it filters.
    """

    digest: str
    origins: Columns = frozenset()
    reads: Columns = frozenset()


@dataclass(frozen=True)
class Relation:
    """Rows with columns, in order: an input, or what a query gives.

    ``order`` is that of the outermost ORDER BY, which decides how the rows are laid out, not which they are.
    """

    rows: Traced
    columns: tuple[tuple[str, Traced], ...]
    order: Traced | None = None

    def everything(self) -> tuple[Traced, ...]:
        """Return what decides its rows and all of its values."""
        return (self.rows, *(value for _, value in self.columns))


def trace(tree: exp.Query, inputs: Mapping[str, Relation], schemas: Schemas) -> Relation:
    """Return what a query gives, made of its ``inputs``, which are called by their names in lower case.

    Raises Untraceable.
    """
    whole = qualified(tree, schemas)
    if whole is None:
        raise Untraceable("it is not known what its names belong to")
    return _Tracer(inputs).outermost(whole)


def combined(words: Iterable[object], parts: Iterable[Traced] = ()) -> Traced:
    """Return what is made of ``parts`` by the logic that ``words`` tell."""
    parts = tuple(parts)
    text = "\n".join([*map(str, words), "of", *(part.digest for part in parts)])
    return Traced(
        hashlib.sha256(text.encode()).hexdigest()[:16],
        frozenset[tuple[str, str]]().union(*(part.origins for part in parts)),
        frozenset[tuple[str, str]]().union(*(part.reads for part in parts)),
    )


@dataclass(frozen=True)
class _Scope:
    """What a SELECT may name: its sources by alias in their order, and what stands around it."""

    sources: dict[str, "_Source"]
    common: Mapping[str, Relation]
    outer: "_Scope | None"

    def source(self, alias: str) -> tuple[str, "_Source"]:
        """Return a source, and where it stands in place of its alias: its number, and how far out."""
        scope, steps = self, 0
        while alias not in scope.sources:
            if scope.outer is None:
                raise Untraceable(f"nothing is called {alias}")
            scope, steps = scope.outer, steps + 1
        return f"{'^' * steps}{list(scope.sources).index(alias)}", scope.sources[alias]


@dataclass(frozen=True)
class _Source:
    """What stands in FROM. An opaque one, such as a table function, may have any column."""

    rows: Traced
    columns: Mapping[str, Traced]
    opaque: bool = False

    def column(self, name: str) -> Traced:
        if name in self.columns:
            return self.columns[name]
        if self.opaque:
            return combined(["column", name], [self.rows])
        raise Untraceable(f"there is no column {name}")


class _Tracer:
    """Goes through a qualified tree from the inside out; it changes the tree on its way."""

    def __init__(self, inputs: Mapping[str, Relation]) -> None:
        self._inputs = inputs

    def outermost(self, query: exp.Expr) -> Relation:
        return self._query(query, {}, None, outermost=True)

    def _query(
        self,
        query: exp.Expr,
        common: Mapping[str, Relation],
        outer: _Scope | None,
        *,
        outermost: bool = False,
    ) -> Relation:
        common = {**common, **self._common_tables(query, common, outer)}
        if isinstance(query, exp.Select):
            return self._select(query, common, outer, outermost)
        if isinstance(query, exp.SetOperation):
            return self._set_operation(query, common, outer, outermost)
        if isinstance(query, exp.Subquery):
            inner = self._query(query.this, common, outer)
            return self._modified(query, inner, _Scope({}, common, outer), outermost, "this", "alias")
        raise _unknown(query)

    def _common_tables(
        self, query: exp.Expr, common: Mapping[str, Relation], outer: _Scope | None
    ) -> dict[str, Relation]:
        """Return the tables under WITH; one that is read by nobody has no part in anything."""
        clause = query.args.get("with_")
        found: dict[str, Relation] = {}
        for table in clause.expressions if clause else ():
            name, known = table.alias, {**common, **found}
            if table.parent.recursive and _names(table.this, name):
                found[name] = self._recursive(table, known, outer)
            else:
                found[name] = self._query(table.this, known, outer)
        return found

    def _recursive(self, table: exp.CTE, common: Mapping[str, Relation], outer: _Scope | None) -> Relation:
        """Trace a common table that reads itself: each of its values may be made of all of them."""
        names = table.this.named_selects
        itself = Relation(
            combined(["recursive"]),
            tuple((name, combined(["recursive", number])) for number, name in enumerate(names)),
        )
        body = self._query(table.this, {**common, table.alias: itself}, outer)
        everything = combined(["recursive"], body.everything())
        values = ((name, combined([number], [everything])) for number, name in enumerate(names))
        return Relation(everything, tuple(values))

    def _select(
        self, select: exp.Select, common: Mapping[str, Relation], outer: _Scope | None, outermost: bool
    ) -> Relation:
        scope = _Scope({}, common, outer)
        sources = self._from(select, scope)
        windows = select.args.get("windows")
        group, grouped = select.args.get("group"), any(aggregates(p, windows) for p in select.expressions)
        rows, columns, keys = list(sources), list[tuple[str, Traced]](), list[Traced]()
        for projection in select.expressions:
            is_key = not (aggregates(projection, windows) or projection.find(exp.Window))
            more_rows = multiplies(projection)
            value = self._in_windows(projection, windows, scope)
            columns.append((projection.alias_or_name, value))
            rows += [value] if more_rows else []
            keys += [value] if is_key else []
        if group:
            rows.append(self._grouping(group, keys, scope))
        rows.append(combined(["grouped" if grouped or group else "each row"]))
        relation = Relation(combined(["select"], rows), tuple(columns))
        return self._modified(select, relation, scope, outermost, "expressions", "from_", "joins", "group")

    def _in_windows(self, projection: exp.Expr, windows: list[exp.Window] | None, scope: _Scope) -> Traced:
        """Trace a projection; one that names a window is made of what is declared under WINDOW too.

        Its digest is of its own text alone, for what stands under WINDOW is part of what decides the rows.
        """
        named = any(window.alias for window in projection.find_all(exp.Window))
        around = [self._text(window.copy(), scope) for window in windows or () if named]
        value = self._text(projection.unalias(), scope)
        whole = combined([], [value, *around])
        return replace(value, origins=whole.origins, reads=whole.reads)

    def _from(self, select: exp.Expr, scope: _Scope) -> Iterator[Traced]:
        """Add what stands in FROM to the scope, and yield what it says about the rows."""
        if clause := select.args.get("from_"):
            yield self._add_source(clause.this, scope)
        for join in select.args.get("joins") or ():
            if join.args.get("using") or join.args.get("pivots"):
                raise _unknown(join)
            source = self._add_source(join.this, scope)
            join.set("this", exp.to_identifier("source"))
            yield combined(["join"], [source, self._text(join, scope)])

    def _add_source(self, node: exp.Expr, scope: _Scope) -> Traced:
        alias = node.alias_or_name
        if not alias or alias in scope.sources:
            raise _unknown(node)
        scope.sources[alias] = source = self._source(node, scope)
        return source.rows

    def _source(self, node: exp.Expr, scope: _Scope) -> _Source:
        alias = node.args.get("alias")
        named = [column.name for column in alias.columns] if alias else []
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            _refuse_but(node, "this", "db", "alias")
            return _renamed(self._named(node, scope), named)
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query | exp.Subquery):
            return _renamed(self._query(node, scope.common, scope), named)
        if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            _refuse_but(node, "this", "alias")
            return _renamed(self._query(node.this, scope.common, scope), named)
        if isinstance(node, exp.Unnest | exp.Values) or (isinstance(node, exp.Table) and _is_call(node)):
            return self._opaque(node, named, scope)
        raise _unknown(node)

    def _named(self, node: exp.Table, scope: _Scope) -> Relation:
        name = f"{node.db}.{node.name}" if node.db else node.name
        relation = (self._inputs if node.db else scope.common).get(name)
        if relation is None:
            raise _unknown(node)
        return relation

    def _opaque(self, node: exp.Expr, named: list[str], scope: _Scope) -> _Source:
        """Trace what gives rows by itself: UNNEST, VALUES, a table function."""
        node.set("alias", None)
        rows = self._text(node, scope)
        columns = {name: combined(["column", number], [rows]) for number, name in enumerate(named)}
        return _Source(rows, columns, opaque=True)

    def _grouping(self, group: exp.Group, keys: list[Traced], scope: _Scope) -> Traced:
        """Trace GROUP BY, in which the order of plain keys means nothing; ALL stands for ``keys``."""
        if any(group.args.get(kind) for kind in ("grouping_sets", "cube", "rollup", "totals")):
            return self._text(group, scope)
        if not group.args.get("all"):
            keys = [self._text(key, scope) for key in list(group.expressions)]
        in_order = {key.digest: key for key in sorted(keys, key=lambda key: key.digest)}
        return combined(["group by"], in_order.values())

    def _set_operation(
        self, query: exp.SetOperation, common: Mapping[str, Relation], outer: _Scope | None, outermost: bool
    ) -> Relation:
        left = self._query(query.this, common, outer)
        right = self._query(query.expression, common, outer)
        how = [
            query.key,
            *(f"{key}={query.args.get(key)}" for key in ("distinct", "by_name", "side", "kind")),
        ]
        if query.args.get("side") or query.args.get("kind") or query.args.get("on"):
            raise _unknown(query)
        if query.args.get("by_name"):
            ours, theirs = dict(left.columns), dict(right.columns)
            names = list(dict.fromkeys([*ours, *theirs]))
            pairs = [[side[name] for side in (ours, theirs) if name in side] for name in names]
        elif len(left.columns) == len(right.columns):
            names = [name for name, _ in left.columns]
            pairs = [[one, other] for (_, one), (_, other) in zip(left.columns, right.columns, strict=True)]
        else:
            raise _unknown(query)
        columns = tuple((name, combined(how, pair)) for name, pair in zip(names, pairs, strict=True))
        # All but UNION ALL compares the rows of its sides.
        compared = [] if isinstance(query, exp.Union) and not query.args.get("distinct") else columns
        rows = combined(how, [left.rows, right.rows, *(value for _, value in compared)])
        scope = _Scope({}, common, outer)
        handled = ("this", "expression", "distinct", "by_name", "side", "kind", "on")
        return self._modified(query, Relation(rows, columns), scope, outermost, *handled)

    def _modified(
        self, query: exp.Expr, relation: Relation, scope: _Scope, outermost: bool, *handled: str
    ) -> Relation:
        """Return a relation after what stands in the other clauses of its query: WHERE, LIMIT and so on."""
        own = dict(relation.columns)
        clauses = [relation.rows]
        for key, value in sorted(query.args.items()):
            if value and key not in (*handled, "with_", "order", "distinct"):
                parts = value if isinstance(value, list) else [value]
                clauses += [combined([key], [self._text(part, scope, own)]) for part in parts]
        if distinct := query.args.get("distinct") if "distinct" not in handled else None:
            on = [self._text(distinct, scope, own)] if distinct.args.get("on") else []
            clauses.append(combined(["distinct"], [*on, *own.values()]))
        order = query.args.get("order")
        ordered = self._text(order, scope, own) if order else None
        # Where not all rows are taken, the order decides which; inside of a query it may decide values.
        if ordered and (not outermost or any(query.args.get(clause) for clause in _TAKES_SOME)):
            clauses.append(ordered)
            ordered = None
        rows = replace(combined(["rows"], clauses), origins=frozenset())
        return Relation(rows, relation.columns, ordered)

    def _text(self, node: Any, scope: _Scope, own: Mapping[str, Traced] | None = None) -> Traced:
        """Trace an expression: its text, in which columns and subqueries stand by their digests.

        ``own`` are the output columns, where a clause may name them.
        """
        if not isinstance(node, exp.Expr):
            return combined([node])
        holder = exp.Tuple(expressions=[node])
        parts: list[Traced] = []
        for found in list(holder.walk(prune=lambda n: isinstance(n, exp.Query))):
            if isinstance(found, exp.Query):
                standing, part = "", self._inner(found, scope)
            elif isinstance(found, exp.Column):
                standing, part = self._column(found, scope, own or {})
            elif hides_columns(found):
                raise _unknown(found)
            else:
                continue
            parts.append(part)
            found.replace(exp.to_identifier(f"{standing}.{part.digest}", quoted=True))
        return combined([holder.sql(dialect="duckdb", comments=False, normalize=True)], parts)

    def _column(self, column: exp.Column, scope: _Scope, own: Mapping[str, Traced]) -> tuple[str, Traced]:
        if not column.table:
            if column.name not in own:
                raise _unknown(column)
            return "", own[column.name]
        standing, source = scope.source(column.table)
        return standing, source.column(column.name)

    def _inner(self, query: exp.Query, scope: _Scope) -> Traced:
        """Trace a subquery inside of an expression; one that EXISTS asks for has rows and no values."""
        relation = self._query(query, scope.common, scope)
        everything = combined(["subquery"], relation.everything())
        if isinstance(query.parent, exp.Exists):
            return replace(combined(["exists"], [relation.rows]), origins=everything.origins)
        return everything


_TAKES_SOME = ("limit", "offset", "distinct")


def _unknown(node: exp.Expr) -> Untraceable:
    return Untraceable(node.sql(dialect="duckdb"))


def _refuse_but(node: exp.Expr, *allowed: str) -> None:
    if any(value for key, value in node.args.items() if key not in allowed):
        raise _unknown(node)


def _renamed(relation: Relation, names: list[str]) -> _Source:
    """Return a relation as a source whose first columns are called by the names beside its alias."""
    if len(names) > len(relation.columns):
        raise Untraceable(f"{names[-1]} names no column")
    called = [*names, *(name for name, _ in relation.columns[len(names) :])]
    values = (value for _, value in relation.columns)
    return _Source(relation.rows, dict(zip(called, values, strict=True)))


def _names(query: exp.Expr, table: str) -> bool:
    return any(found.name == table and not found.db for found in query.find_all(exp.Table))


def _is_call(node: exp.Table) -> bool:
    return isinstance(node.this, exp.Func)
