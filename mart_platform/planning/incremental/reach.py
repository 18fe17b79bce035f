"""Which expression over an input's columns a filter on the interval becomes, by DuckDB's own optimiser.

Where ``interval = value`` becomes ``f = value`` on every scan of an input, the rows of an interval are made
from those rows of the input alone for which f gives it. Nothing else is taken for a proof.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.unnest_subqueries import unnest_subqueries

from mart_platform.planning.describing import CannotDescribe, EmptyTables, Scan
from mart_platform.planning.incremental.markers import Marker, markers_of
from mart_platform.planning.names import qualified
from mart_platform.planning.queries import Schemas
from mart_platform.planning.quoting import identifier, quoted


@dataclass(frozen=True)
class Reached:
    """An expression over columns of an input, as SQL, that equals the interval column."""

    expression: str
    columns: tuple[str, ...]


def reached_inputs(
    sql: str, tree: exp.Query, column: str, type_name: str, schemas: Schemas, empty: EmptyTables
) -> dict[str, Reached]:
    """Return the inputs that a filter on an output column reaches in all places, and as what."""
    markers = markers_of(type_name, tree) or []
    found = _probe(sql, column, markers, schemas, empty)
    if len(found) < len(schemas) and (flat := _flattened(tree, schemas)):
        # A filter does not enter a correlated subquery, but it does enter the join that this one stands for.
        found = _probe(flat, column, markers, schemas, empty) | found
    return found


def _probe(
    sql: str, column: str, markers: Sequence[Marker], schemas: Schemas, empty: EmptyTables
) -> dict[str, Reached]:
    try:
        unfiltered = empty.scans(f"SELECT * FROM (\n{sql}\n)")
        plans = [
            (m, empty.scans(f"SELECT * FROM (\n{sql}\n) WHERE {identifier(column)} = {m.sql}"))
            for m in markers
        ]
    except CannotDescribe:  # flattened to something that DuckDB does not take; the model itself is described
        return {}
    found = {}
    for name, columns in schemas.items():
        scans = sum(_is_of(name, scan) for scan in unfiltered)
        expressions = _common(name, scans, plans, columns)
        for expression in sorted(expressions or (), key=len):
            reached = _readable(expression, columns)
            if _means_the_same(reached, expression, name, markers, empty):
                found[name] = reached
                break
    return found


def _common(
    name: str, scans: int, plans: Iterable[tuple[Marker, list[Scan]]], columns: Iterable[str]
) -> set[str] | None:
    """Return what all scans of an input are filtered by, as DuckDB prints it, whatever the marker.

    A plan from which a scan of it is missing (the model has no rows for this marker) can contradict, but it
    proves nothing: at least one plan must have all scans.
    """
    common: set[str] | None = None
    complete = False
    for marker, found in plans:
        filters = [set(_equal_to(marker, scan)) for scan in found if _is_of(name, scan)]
        complete |= len(filters) >= scans
        for expressions in filters:
            common = expressions if common is None else common & expressions
    return common if complete else None


def _is_of(name: str, scan: Scan) -> bool:
    """Return whether a scan is of this table: DuckDB quotes the parts of its name that it has a use for."""
    return scan.table.replace('"', "") == name


def _equal_to(marker: Marker, scan: Scan) -> Iterator[str]:
    """Yield the expressions that a scan compares with a marker.

    A condition on a column is printed as ``name=value``, any other as ``(expression = value)``.
    """
    for printed in scan.filters:
        for condition in _conditions(printed):
            if condition.startswith("(") and condition.endswith(f" = {marker.printed})"):
                yield condition[1 : -len(f" = {marker.printed})")]
            elif not condition.startswith(("(", "optional:")) and condition.endswith(f"={marker.printed}"):
                yield identifier(condition[: -len(f"={marker.printed}")])


def _conditions(printed: str) -> list[str]:
    """Return what stands between the ANDs outside of parentheses and texts."""
    conditions, depth = [""], 0
    for part in re.findall(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"| AND |[()]|.", printed, re.DOTALL):
        depth += (part == "(") - (part == ")")
        if part == " AND " and depth == 0:
            conditions.append("")
        else:
            conditions[-1] += part
    return conditions


def _readable(printed: str, columns: Iterable[str]) -> Reached:
    """Return a printed expression as SQL: DuckDB does not quote the names of columns in it."""
    named = sorted(columns, key=len, reverse=True)
    known = {name.lower(): name for name in named}
    alternatives = "|".join(re.escape(name) for name in named)
    used: dict[str, None] = {}

    def quote(match: re.Match[str]) -> str:
        name = match["plain"] or (match["quoted"] or "").replace('""', '"')
        if name.lower() not in known or match[0].startswith("'"):
            return match[0]
        used[known[name.lower()]] = None
        return identifier(known[name.lower()])

    pattern = (
        rf"""'(?:[^']|'')*'|"(?P<quoted>(?:[^"]|"")*)"(?!\()|(?<![\w."])(?P<plain>{alternatives})(?![\w("])"""
    )
    return Reached(re.sub(pattern, quote, printed), tuple(used))


def _means_the_same(
    reached: Reached, printed: str, name: str, markers: Sequence[Marker], empty: EmptyTables
) -> bool:
    """Return whether the optimiser prints the SQL again as what it was read from."""
    # Below a subquery, where the optimiser does not make a range of it, as it is in the model.
    asked = f"SELECT * FROM (SELECT {reached.expression} AS f FROM {quoted(name)}) WHERE f = {markers[0].sql}"
    try:
        scans = empty.scans(asked)
    except CannotDescribe:
        return False
    return bool(reached.columns) and all(printed in _equal_to(markers[0], scan) for scan in scans)


def _flattened(tree: exp.Query, schemas: Schemas) -> str | None:
    """Return a query with its correlated subqueries as joins, or None where it has none."""
    before = qualified(tree, schemas) if any(map(_is_value, tree.find_all(exp.Query))) else None
    if before is None:
        return None
    try:
        after = unnest_subqueries(before.copy())
    except SqlglotError:
        return None
    return None if after == before else after.sql(dialect="duckdb", comments=False)


def _is_value(query: exp.Query) -> bool:
    """Return whether a query stands in a condition or in the place of a value, and not in that of a table."""
    around = query.parent
    while isinstance(around, exp.SetOperation | exp.Subquery):
        around = around.parent
    return not isinstance(around, exp.CTE | exp.From | exp.Join | exp.Lateral | None)
