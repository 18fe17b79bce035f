"""What makes a query give other rows from the same tables: what it leaves to the order in which rows come."""

from collections.abc import Iterator, Mapping

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types

from mart_platform.planning.names import by_schema, qualified
from mart_platform.planning.plan import PlannedTable
from mart_platform.planning.queries import Query, Schemas, parse_query
from mart_platform.spec.problems import Problem
from mart_platform.spec.types import duckdb_type


def unsteady(table: PlannedTable, tables: Mapping[str, PlannedTable]) -> tuple[str, ...]:
    """Return a sentence for each thing in a table's SQL that may give other rows of the same inputs.

    A build may find a change then where there is none.
    """
    if table.model is None or table.model.sql is None:
        return ()
    query = parse_query(table.model.file, table.model.sql)
    if isinstance(query, Problem):
        return ()
    schemas = {
        name: {column: duckdb_type(kind) for column, kind in tables[name].types.items()}
        for name in table.inputs
    }
    return (*order_lints(query), *sum_lints(query, schemas))


def order_lints(query: Query) -> list[str]:
    """Return a sentence for each place where the order in which rows are read decides what comes out."""
    return list(dict.fromkeys(_unordered(query.tree)))


def sum_lints(query: Query, schemas: Schemas) -> list[str]:
    """Return a sentence for each sum of DOUBLE or FLOAT: its last digits differ from run to run."""
    tree = qualified(query.tree, schemas)
    if tree is None:
        return []
    try:
        annotate_types(tree, schema=by_schema(schemas), dialect="duckdb")
    except SqlglotError:
        return []
    found = (call for call in tree.find_all(exp.Sum, exp.Avg) if call.this.is_type(*_INEXACT))
    return [
        f"{text} adds up floating-point numbers: cast them to DECIMAL."
        for text in dict.fromkeys(map(_text, found))
    ]


_INEXACT = (exp.DType.DOUBLE, exp.DType.FLOAT)
_TAKE_SOME_ROW = (exp.First, exp.Last, exp.AnyValue, exp.ArrayAgg, exp.GroupConcat)
_TAKE_SOME_ROW_NAMES = {"arbitrary", "list", "array_agg", "string_agg", "first", "last", "any_value"}
_BY_POSITION = (exp.RowNumber, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue, exp.Ntile)
_SORTED_AFTERWARDS = exp.ArraySort


def _unordered(tree: exp.Expr) -> Iterator[str]:
    for call in tree.find_all(*_TAKE_SOME_ROW, *_BY_POSITION, exp.Anonymous):
        if isinstance(call, exp.Anonymous) and call.name.lower() not in _TAKE_SOME_ROW_NAMES:
            continue
        window = _window_of(call)
        ordered = window.args.get("order") is not None or _is_named(window) if window else _has_order(call)
        if not ordered and not isinstance(call.parent, _SORTED_AFTERWARDS):
            yield f"{_text(call)} has no ORDER BY, so it takes rows as they come."
    for select in tree.find_all(exp.Select):
        distinct = select.args.get("distinct")
        if select.args.get("order") is None and distinct and distinct.args.get("on"):
            yield "DISTINCT ON has no ORDER BY, so it takes rows as they come."
    for query in tree.find_all(exp.Query):
        if query.args.get("limit") and not query.args.get("order"):
            yield "LIMIT has no ORDER BY, so it takes rows as they come."
    if tree.find(exp.TableSample):
        yield "SAMPLE takes other rows at every run."
    if any(join.method == "POSITIONAL" for join in tree.find_all(exp.Join)):
        yield "POSITIONAL JOIN pairs rows as they come."


def _window_of(call: exp.Expr) -> exp.Window | None:
    """Return the window that a call is over, also with FILTER or IGNORE NULLS in between."""
    inner, around = call, call.parent
    while isinstance(around, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
        inner, around = around, around.parent
    return around if isinstance(around, exp.Window) and around.this is inner else None


def _is_named(window: exp.Window) -> bool:
    """Return whether a window is declared under WINDOW, with an order."""
    name, select = window.args.get("alias"), window.find_ancestor(exp.Select)
    declared = (select.args.get("windows") or []) if select else []
    named = [w for w in declared if name is not None and w.name.lower() == str(name.name).lower()]
    return any(w.args.get("order") is not None for w in named)


def _has_order(call: exp.Expr) -> bool:
    return isinstance(call.this, exp.Order) or any(isinstance(e, exp.Order) for e in call.expressions)


def _text(call: exp.Expr) -> str:
    return call.sql(dialect="duckdb", comments=False)
