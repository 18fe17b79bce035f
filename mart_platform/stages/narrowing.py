"""Narrowing: which intervals of a table a change of its inputs reaches, asked of the rows that changed.

The rules are those of docs/change.md: a changed row leads to the interval that its binding gives, a changed
row of a lookup to the intervals of the fact's rows that hold its key.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from mart_platform.planning.plan import Binding, Lookup, PlannedTable
from mart_platform.planning.quoting import digest_sql, literal, quoted
from mart_platform.ports import EngineSession
from mart_platform.spec.records import DataFile
from mart_platform.spec.types import duckdb_type

OLD, NEW, FACT = "changed.old", "changed.new", "changed.fact"
"""The relations that are asked: rows as they were, as they are, and the fact that a lookup is joined to."""

NOWHERE = ""
"""Stands among intervals for rows whose interval is NULL, which a check has to refuse."""


def reached(session: EngineSession, binding: Binding, relations: Iterable[str]) -> frozenset[str]:
    """Return the intervals to which the rows of these relations go."""
    found: set[str] = set()
    for relation in relations:
        sql = f"SELECT DISTINCT ({binding.expression})::VARCHAR AS key FROM {quoted(relation)}"
        found.update(row["key"] or NOWHERE for row in session.rows(sql))
    return frozenset(found)


def interval_at(session: EngineSession, table: PlannedTable, moment: str) -> str:
    """Return the interval of a table in which a moment lies. Raises ValueError for a table without time."""
    if table.partition is None or table.interval is None:
        raise ValueError(f"{table.name} is not cut into intervals of time")
    column, kind = table.partition.column, duckdb_type(table.types[table.partition.column])
    row = f"SELECT {literal(moment)}::TIMESTAMP::{kind} AS {quoted(column)}"
    return str(session.rows(f"SELECT ({table.interval})::VARCHAR AS key FROM ({row})")[0]["key"])


def reached_by_key(
    session: EngineSession, binding: Binding, column_type: str, keys: Collection[str]
) -> dict[str, str]:
    """Return for each interval of an input the interval that its rows go to, from its key alone.

    ``column_type`` is DuckDB's type of the input's partition column.
    """
    if not keys:
        return {}
    [column] = binding.columns
    given = ", ".join(f"({literal(key)})" for key in sorted(keys))
    typed = f"SELECT key, key::{column_type} AS {quoted(column)} FROM (VALUES {given}) AS keys(key)"
    sql = f"SELECT key, ({binding.expression})::VARCHAR AS reached FROM ({typed})"
    return {row["key"]: row["reached"] or NOWHERE for row in session.rows(sql)}


def reached_by_lookup(
    session: EngineSession, lookup: Lookup, binding: Binding, columns: Sequence[str]
) -> frozenset[str]:
    """Return the intervals of the fact's rows that look up a row that changed in these columns."""
    shown = ", ".join(quoted(column) for column in columns)
    old, new = (f"SELECT {shown} FROM {quoted(relation)}" for relation in (OLD, NEW))
    keys = ", ".join(quoted(key) for _, key in lookup.on)
    changed = f"SELECT DISTINCT {keys} FROM (({old} EXCEPT ALL {new}) UNION ALL ({new} EXCEPT ALL {old}))"
    joined = " AND ".join(f"fact.{quoted(column)} = changed.{quoted(key)}" for column, key in lookup.on)
    rows = f"SELECT fact.* FROM {quoted(FACT)} AS fact SEMI JOIN ({changed}) AS changed ON {joined}"
    sql = f"SELECT DISTINCT ({binding.expression})::VARCHAR AS key FROM ({rows})"
    return frozenset(row["key"] or NOWHERE for row in session.rows(sql))


def differing(session: EngineSession, interval: str | None, columns: Sequence[str]) -> frozenset[str] | None:
    """Return the intervals in which rows of OLD and NEW differ in these columns; None: not cut, and they do.

    Digests are compared, as they are of whole rows.
    """
    key = f"({interval})::VARCHAR" if interval else "NULL"
    digests = f"SELECT {key} AS key, {digest_sql(columns)} AS digest, count(*) AS rows FROM"
    sql = (
        f"SELECT key FROM (({digests} {quoted(OLD)} GROUP BY 1) EXCEPT ({digests} {quoted(NEW)} GROUP BY 1)"
        f" UNION (({digests} {quoted(NEW)} GROUP BY 1) EXCEPT ({digests} {quoted(OLD)} GROUP BY 1)))"
    )
    found = session.rows(sql)
    if interval is None and found:
        return None
    return frozenset(row["key"] or NOWHERE for row in found)


def files_reaching(
    session: EngineSession,
    binding: Binding,
    column_type: str,
    files: Sequence[DataFile],
    wanted: Collection[str],
) -> tuple[DataFile, ...]:
    """Return the files that can hold rows of the wanted intervals, by the bounds of the binding's column.

    A binding that is not monotone, or a file without bounds, rules nothing out. A day is added to the bounds
    on both sides, for a binding may compute in another time zone, whose clock may go back.
    """
    bounded = [file for file in files if binding.monotone and binding.columns[0] in file.bounds]
    if not bounded or not wanted:
        return tuple(files)
    low, high = (_reached_bounds(session, binding, column_type, bounded, end) for end in (0, 1))
    keys = ", ".join(f"({literal(key)})" for key in sorted(wanted))
    spans = ", ".join(
        f"({number}, {literal(low[number])}, {literal(high[number])})"
        for number in range(len(bounded))
        if low[number] and high[number]
    )
    unknown = {file.path for number, file in enumerate(bounded) if not (low[number] and high[number])}
    kept = set[str]()
    if spans:
        sql = (
            f"SELECT DISTINCT number FROM (VALUES {spans}) AS spans(number, low, high)"
            f" JOIN (VALUES {keys}) AS wanted(key) ON key BETWEEN low AND high"
        )
        kept = {bounded[row["number"]].path for row in session.rows(sql)}
    ruled_out = {file.path for file in bounded} - kept - unknown
    return tuple(file for file in files if file.path not in ruled_out)


def _reached_bounds(
    session: EngineSession, binding: Binding, column_type: str, files: Sequence[DataFile], end: int
) -> Mapping[int, str]:
    """Return by a file's number the interval of a day below its lower (0), or above its upper (1) bound."""
    [column] = binding.columns
    given = ", ".join(f"({number}, {literal(file.bounds[column][end])})" for number, file in enumerate(files))
    widened = f"(bound::{column_type} {'-+'[end]} INTERVAL 1 DAY)::{column_type}"
    typed = f"SELECT number, {widened} AS {quoted(column)} FROM (VALUES {given}) AS b(number, bound)"
    sql = f"SELECT number, ({binding.expression})::VARCHAR AS key FROM ({typed})"
    return {row["number"]: row["key"] or NOWHERE for row in session.rows(sql)}
