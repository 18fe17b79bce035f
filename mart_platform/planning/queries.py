"""SQL read as a tree: which tables it names, where its columns come from, and its canonical text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify

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


def named_tables(query: Query) -> Iterator[NamedTable]:
    """Yield the tables that a query reads, its own common table expressions left out."""
    common = {cte.alias_or_name.lower() for cte in query.tree.find_all(exp.CTE)}
    for table in query.tree.find_all(exp.Table):
        if table.db:
            name = f"{table.db}.{table.name}".lower()
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


def canonical_text(query: Query, schemas: Schemas) -> str:
    """Return the query without comments, case and formatting, names qualified and stars expanded.

    Where sqlglot cannot qualify a query that DuckDB accepts, its normalised text is as good.
    """
    try:
        tree = qualify(
            query.tree.copy(), dialect="duckdb", schema=_nested(schemas), validate_qualify_columns=False
        )
    except SqlglotError:
        tree = query.tree
    return tree.sql(dialect="duckdb", comments=False, normalize=True)


def column_lineage(query: Query, schemas: Schemas) -> dict[str, tuple[str, ...]]:
    """Return for each output column the columns ``schema.table.column`` that its value is made of.

    Names are in lower case. A column that cannot be traced to the end is left out: it may hold anything.
    """
    try:
        nodes = lineage(None, query.tree.copy(), schema=_nested(schemas), dialect="duckdb")
    except SqlglotError:
        return {}
    traced = {name: list(_leaves(node)) for name, node in nodes.items()}
    return {
        name.lower(): tuple(sorted({origin for leaf in leaves for origin in _origin(leaf)}))
        for name, leaves in traced.items()
        if not any(leaf.expression.find(*_UNTRACED) for leaf in leaves)
    }


_UNTRACED = (exp.TableColumn, exp.Columns, exp.Dot)
"""What sqlglot takes for a constant: a whole row (``to_json(t)``), ``COLUMNS('…')``, ``t.email.lower()``."""


def _leaves(node: Node) -> Iterator[Node]:
    return (leaf for leaf in node.walk() if not leaf.downstream)


def _origin(leaf: Node) -> Iterator[str]:
    table = leaf.expression
    if isinstance(table, exp.Table) and table.db:
        column = leaf.name.rsplit(".", 1)[-1].strip('"')
        yield f"{table.db}.{table.name}.{column}".lower()


def _nested(schemas: Schemas) -> dict[str, object]:
    nested: dict[str, dict[str, dict[str, str]]] = {}
    for name, columns in schemas.items():
        schema, table = name.split(".", 1)
        nested.setdefault(schema, {})[table] = dict(columns)
    return dict(nested)


def _line_of(table: exp.Table) -> int:
    for identifier in table.find_all(exp.Identifier):
        if "line" in identifier.meta:
            return int(identifier.meta["line"])
    return 1
