"""What a query answers with, found before it runs."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

import duckdb
from arro3.core import RecordBatch

from mart_platform.adapters.engines.relations import subquery
from mart_platform.adapters.queries.adbc import Connection, Failed
from mart_platform.planning.quoting import identifier, literal

_UNREADABLE = re.compile(r"INTERVAL|UNION|BIGNUM|\bBIT\b|\bTIME WITH TIME ZONE|ENUM|VARIANT|UHUGEINT")
"""Types that Arrow lacks, or that its readers do not know."""
_FUNCTION = re.compile(r'"function_name":"([^"]*)"')
_NEVER = {
    *("enable_logging", "disable_logging", "truncate_duckdb_logs", "write_log"),
    *("checkpoint", "force_checkpoint"),
    *("query", "query_table", "json_execute_serialized_sql"),
    *("arrow_scan", "arrow_scan_dumb", "pandas_scan", "python_map_function"),
}
"""Functions that change the instance although it is locked (with a log in a file that may not be written, the
process aborts), that hide a query from this look, or that take addresses in memory."""
_KEPT = 1_000


@dataclass(frozen=True)
class Shape:
    """The names and types of an answer's columns, no name twice, and the query that gives them so."""

    columns: Mapping[str, str]
    sql: str


class Shapes:
    """The shapes of the queries of an instance, kept by their text. Safe for many threads.

    To find one takes 0.9 ms, of which DuckDB plans the query in 0.4.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Shape] = {}
        self._parser = duckdb.connect(config={"threads": 1})
        self._parsing = Lock()

    def of(self, connection: Connection, sql: str, parameters: RecordBatch | None) -> Shape:
        """Return the shape of a query. Raises Failed, also for anything but one SELECT."""
        name = sql, str(parameters.schema) if parameters else ""
        if shape := self._found.get(name):
            return shape
        self._refuse_all_but_select(sql)  # which the gate has done already, with another parser
        described = connection.execute(f"DESCRIBE FROM {subquery(sql)}", parameters)
        shape = _shape(sql, {column: kind for column, kind, *_ in described})
        self._found = {**(self._found if len(self._found) < _KEPT else {}), name: shape}
        return shape

    def close(self) -> None:
        self._parser.close()

    def _refuse_all_but_select(self, sql: str) -> None:
        """Raise Failed unless DuckDB's own parser sees one SELECT, without functions that nobody may call."""
        with self._parsing:
            parsed = self._parser.execute(f"SELECT json_serialize_sql({literal(sql)})").fetchall()[0][0]
        said = json.loads(parsed)
        if said["error"]:
            raise Failed(said["error_message"])
        if len(said["statements"]) != 1:
            raise Failed("The query is not one SELECT.")
        if never := _NEVER.intersection(_FUNCTION.findall(parsed)):
            raise Failed(f"The query calls {min(never)}, which nobody may.")


def _shape(sql: str, columns: Mapping[str, str]) -> Shape:
    """Return a shape; what nobody could read is given as text.

    Arrow has no HUGEINT, which sums of integers are: a decimal holds 38 of its 39 digits.
    """
    casts = {name: "VARCHAR" for name, kind in columns.items() if _UNREADABLE.search(kind)}
    casts |= {name: "DECIMAL(38,0)" for name, kind in columns.items() if kind == "HUGEINT"}
    if not casts:
        return Shape(columns, f"FROM {subquery(sql)}")
    inner = {name: f"c{number}" for number, name in enumerate(columns)}
    selected = ", ".join(
        f"{f'CAST({short} AS {casts[name]})' if name in casts else short} AS {identifier(name)}"
        for name, short in inner.items()
    )
    return Shape(
        {**columns, **casts}, f"SELECT {selected} FROM {subquery(sql)} AS answer({', '.join(inner.values())})"
    )
