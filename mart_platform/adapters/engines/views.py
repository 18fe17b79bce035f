"""A view's SELECT over relations that only the view can name."""

from collections.abc import Mapping

import sqlglot
from sqlglot import exp

from mart_platform.planning.quoting import quoted


def moved(sql: str, schemas: Mapping[str, str]) -> str:
    """Return a SELECT that reads tables from other schemas; all else in its text stays as it is.

    ``schemas`` maps the names of tables, ``schema.table``, to the schemas that they are in now. Only the
    schema changes, so that a column may still be qualified by its table. A common table expression has no
    schema and is never taken for a table.

    >>> moved("SELECT fact.n FROM sales.fact -- sales.fact", {"sales.fact": "mine"})
    'SELECT fact.n FROM "mine".fact -- sales.fact'
    """
    places = {name.lower(): quoted(schema) for name, schema in schemas.items()}
    for begin, end, name in sorted(_named(sql), reverse=True):
        if name in places:
            sql = sql[:begin] + places[name] + sql[end:]
    return sql


def _named(sql: str) -> set[tuple[int, int, str]]:
    """Return where in the text the schema of a table stands, and which table it is."""
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    return {
        (schema.meta["start"], schema.meta["end"] + 1, f"{schema.name}.{table}".lower())
        for node in tree.find_all(exp.Table, exp.Column)
        if isinstance(schema := node.args.get("db"), exp.Identifier) and not node.args.get("catalog")
        for table in [node.name if isinstance(node, exp.Table) else node.text("table")]
    }
