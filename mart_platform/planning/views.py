"""Views put in the place of their names, so that a query reads tables only."""

from collections.abc import Iterator, Mapping

from sqlglot import exp

from mart_platform.planning.queries import Query, parse_query, table_name
from mart_platform.spec.problems import InvalidDeclarations, Problem


def inlined(query: Query, views: Mapping[str, Query]) -> Query:
    """Return a query with each view that it names replaced by the view's text, as a subquery under its name.

    ``views`` may name one another. The text around is left as it stands, comments and all. Returns the same
    object when the query names no view; raises InvalidDeclarations for what is nested too deep.
    """
    changes = sorted(_changes(query, views), reverse=True)
    if not changes:
        return query
    text = query.text
    for start, end, replacement in changes:
        text = text[:start] + replacement + text[end:]
    parsed = parse_query(query.file, text)
    if isinstance(parsed, Problem):
        raise InvalidDeclarations([parsed])
    return parsed


def _changes(query: Query, views: Mapping[str, Query]) -> Iterator[tuple[int, int, str]]:
    """Yield what to put in the place of which part of the text."""
    for table in query.tree.find_all(exp.Table):
        view = views.get(table_name(table))
        if view is None:
            continue
        start, end = _start(table.args["db"]), _end(table.this)
        text = inlined(view, views).text.strip().rstrip(";")
        name = "" if table.alias else f" AS {query.text[_start(table.this) : end]}"
        yield start, end, f"(\n{text}\n){name}"
    for column in query.tree.find_all(exp.Column):
        if f"{column.db}.{column.table}".lower() in views:
            # A subquery has no schema: sales.line.day becomes line.day.
            yield _start(column.args["db"]), _start(column.args["table"]), ""


def _start(name: exp.Expr) -> int:
    return int(name.meta["start"])


def _end(name: exp.Expr) -> int:
    return int(name.meta["end"]) + 1
