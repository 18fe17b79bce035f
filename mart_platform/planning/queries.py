"""SQL read as a tree: which tables it names, what it calls, and what makes its rows unique."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from mart_platform.spec.problems import Place, Problem
from mart_platform.spec.sources import HIDDEN_COLUMNS

Schemas = Mapping[str, Mapping[str, str]]
"""Columns by name with their DuckDB types, of each table by its name ``schema.table``."""


@dataclass(frozen=True)
class Query:
    """A model's text and its tree."""

    file: str
    text: str
    tree: exp.Query


@dataclass(frozen=True)
class NamedTable:
    """A table as a query names it, and the line on which it does."""

    name: str
    line: int


def parse_query(file: str, text: str, line: int = 1) -> Query | Problem:
    """Parse one SELECT; a problem says where it does not parse, or what stands there instead.

    ``line`` is the line of ``file`` on which the text begins.
    """
    try:
        statements = [tree for tree in sqlglot.parse(text, dialect="duckdb") if tree is not None]
    except ParseError as error:
        first = error.errors[0]
        place = Place(file, line + (first.get("line") or 1) - 1)
        near = str(first.get("highlight") or "").strip()
        return Problem(place, f"the SQL does not parse near '{near}': {first.get('description')}.")
    except TokenError as error:
        return Problem(Place(file, line), f"the SQL does not parse: {error}.")
    except RecursionError:
        return Problem(Place(file, line), "the SQL is nested too deep.", "Name its parts by WITH.")
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        found = " and ".join(tree.key.upper() for tree in statements) or "nothing"
        return Problem(Place(file, line), f"a model is one SELECT, found {found}.", "Write one query.")
    return Query(file, text, statements[0])


def table_name(table: exp.Table) -> str:
    """Return the name ``schema.table`` by which a query calls a table."""
    return f"{table.db}.{table.name}".lower()


def named_tables(query: Query) -> Iterator[NamedTable]:
    """Yield the tables that a query reads, its own common table expressions left out."""
    common = {cte.alias_or_name.lower() for cte in query.tree.find_all(exp.CTE)}
    for table in query.tree.find_all(exp.Table):
        if table.db:
            name = table_name(table)
        elif isinstance(table.this, exp.Func) or table.name.lower() in common:
            continue
        else:
            name = table.name.lower()
        yield NamedTable(name, _line_of(table))


def table_functions(query: Query) -> Iterator[NamedTable]:
    """Yield the functions that stand in the place of a table, such as ``read_csv``."""
    for table in query.tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            yield NamedTable(
                table.this.sql_name() if not table.this.name else table.this.name, _line_of(table)
            )


def names_hidden_columns(query: Query) -> bool:
    """Return whether the query names a column that landing added."""
    return any(name.name.lower() in HIDDEN_COLUMNS for name in query.tree.find_all(exp.Identifier))


def has_volatile_call(query: Query) -> str | None:
    """Return the first call whose value differs from run to run, such as ``now()``, if there is one."""
    for node in query.tree.find_all(*_VOLATILE):
        return node.sql(dialect="duckdb").strip()
    for call in query.tree.find_all(exp.Anonymous):
        name = call.name.lower()
        if name in _VOLATILE_NAMES or (name == "age" and len(call.expressions) == 1):
            return call.sql(dialect="duckdb")
    return None


_VOLATILE = (
    exp.CurrentDate,
    exp.CurrentTime,
    exp.CurrentTimestamp,
    exp.Localtime,
    exp.Localtimestamp,
    exp.Rand,
    exp.TableSample,
    exp.Uuid,
)
_VOLATILE_NAMES = {
    "current_connection_id",
    "current_localtime",
    "current_query",
    "current_query_id",
    "current_transaction_id",
    "gen_random_uuid",
    "get_current_timestamp",
    "getvariable",
    "now",
    "random",
    "setseed",
    "today",
    "transaction_timestamp",
    "txid_current",
    "uuid",
    "uuidv4",
    "uuidv7",
}


def unique_by_construction(query: Query) -> frozenset[str]:
    """Return output columns of which no two rows can share the values: those that the query groups by.

    Empty when the outermost SELECT does not group, or not by output columns alone.
    """
    select = query.tree
    group = select.args.get("group")
    if not isinstance(select, exp.Select) or group is None or _multiplies(select):
        return frozenset()
    # An aggregate may bear the name of an input column, and then it is not what is grouped by.
    plain = [p for p in select.expressions if not p.find(exp.AggFunc, exp.Anonymous)]
    outputs = {_plain(projection): projection.alias_or_name.lower() for projection in plain}
    outputs |= {name: name for name in outputs.values()}
    grouped = [outputs.get(_plain(expression)) for expression in group.expressions]
    return frozenset(name for name in grouped if name) if grouped and all(grouped) else frozenset()


def _multiplies(select: exp.Select) -> bool:
    """Return whether a SELECT can give more than one row for a group."""
    sets = any(select.args["group"].args.get(kind) for kind in ("grouping_sets", "rollup", "cube", "all"))
    return bool(sets or any(p.find(exp.Explode, exp.Unnest) for p in select.expressions))


def _plain(expression: exp.Expr) -> str:
    return expression.unalias().sql(dialect="duckdb", comments=False, normalize=True).lower()


def _line_of(table: exp.Table) -> int:
    for identifier in table.find_all(exp.Identifier):
        if "line" in identifier.meta:
            return int(identifier.meta["line"])
    return 1
