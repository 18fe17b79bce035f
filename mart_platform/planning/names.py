"""Each column of a query with the name of what it belongs to."""

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify

from mart_platform.planning.queries import Schemas


def qualified(tree: exp.Query, schemas: Schemas) -> exp.Query | None:
    """Return a copy of a query with its names qualified, or None where that cannot be done."""
    try:
        return qualify(
            tree.copy(), dialect="duckdb", schema=by_schema(schemas), validate_qualify_columns=False
        )
    except (SqlglotError, RecursionError):
        return None


def by_schema(schemas: Schemas) -> dict[str, object]:
    """Return columns by schema and table, as sqlglot takes them."""
    nested: dict[str, dict[str, dict[str, str]]] = {}
    for name, columns in schemas.items():
        schema, table = name.split(".", 1)
        nested.setdefault(schema, {})[table] = dict(columns)
    return dict(nested)
