"""Types from DuckDB itself: queries described over empty tables in memory."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import duckdb

from mart_platform.planning.quoting import quoted
from mart_platform.spec.sources import HIDDEN_COLUMNS
from mart_platform.spec.types import duckdb_type


class CannotDescribe(Exception):
    """DuckDB refuses a query: ``line`` of the query (from 1), what was found, and a remedy."""

    def __init__(self, line: int, found: str, remedy: str) -> None:
        super().__init__(found)
        self.line, self.found, self.remedy = line, found, remedy


@dataclass(frozen=True)
class Scan:
    """One scan of a table in the plan of a query, and the conditions that reach it, as DuckDB prints them."""

    table: str
    filters: tuple[str, ...]


_HIDING = (
    "statistics_propagation",  # would find that the tables are empty, and leave nothing to look at
    "top_n_window_elimination",  # these join a table to itself, or share what is scanned twice
    "window_self_join",
    "late_materialization",
    "common_subplan",
    "join_filter_pushdown",
)
"""Optimisers that hide from a plan which rows a query needs."""
_SHOW_PLAIN_PLANS = f"SET disabled_optimizers = '{','.join(_HIDING)}'"


class EmptyTables:
    """A DuckDB in memory that holds each table of the plan, empty; use it as a context manager."""

    def __init__(self) -> None:
        # Without files DuckDB itself refuses every way of naming one in the place of a table.
        self._connection = duckdb.connect(config={"threads": 1, "enable_external_access": False})
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute(_SHOW_PLAIN_PLANS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add(self, name: str, columns: Mapping[str, str]) -> None:
        """Add a table with columns of declared types."""
        declared = ", ".join(f"{quoted(column)} {duckdb_type(kind)}" for column, kind in columns.items())
        schema = quoted(name.split(".", 1)[0])
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        self._connection.execute(f"CREATE OR REPLACE TABLE {quoted(name)} ({declared})")

    def describe(self, sql: str) -> dict[str, str]:
        """Return the columns of a query with their DuckDB types. Raises CannotDescribe."""
        try:
            rows = self._connection.execute(f"DESCRIBE {sql.strip().rstrip(';')}").fetchall()
        except duckdb.Error as error:
            raise _explained(str(error)) from error
        return {row[0]: row[1] for row in rows}

    def scans(self, sql: str) -> list[Scan]:
        """Return the scans in the optimised plan of a query. Raises CannotDescribe."""
        try:
            row = self._connection.execute(f"EXPLAIN (FORMAT json) {sql}").fetchone()
        except duckdb.Error as error:
            raise _explained(str(error)) from error
        return list(_scans_of(json.loads(row[1]))) if row else []

    @contextmanager
    def trial(self) -> Iterator[Callable[[str], list[Any]]]:
        """Give a way to run SQL in a database of its own, where all names are free; it is gone afterwards."""
        # No schema is called so: a name of two parts would be ambiguous.
        self._connection.execute("ATTACH ':memory:' AS \"a trial\"")
        self._connection.execute("RESET disabled_optimizers")
        self._connection.execute('USE "a trial"')
        try:
            yield lambda sql: self._connection.execute(sql).fetchall()
        finally:
            self._connection.execute("USE memory")
            self._connection.execute('DETACH "a trial"')
            self._connection.execute(_SHOW_PLAIN_PLANS)


def visible_columns(columns: Mapping[str, str], *, hidden: bool) -> dict[str, str]:
    """Return the columns of a landed table as a query sees them."""
    return {**columns, **(HIDDEN_COLUMNS if hidden else {})}


def _scans_of(nodes: list[dict[str, Any]]) -> Iterator[Scan]:
    for node in nodes:
        details = node["extra_info"]
        if "Table" in details:
            filters = details.get("Filters", [])
            catalogue, _, name = details["Table"].partition(".")
            yield Scan(name if catalogue == "memory" else details["Table"], _listed(filters))
        yield from _scans_of(node["children"])


def _listed(printed: str | list[str]) -> tuple[str, ...]:
    return (printed,) if isinstance(printed, str) else tuple(printed)


def _explained(message: str) -> CannotDescribe:
    """Take DuckDB's message apart: line, sentence, and the candidates that it names."""
    located = re.search(r"^LINE (\d+):", message, re.MULTILINE)
    line = int(located[1]) if located else 1
    first, _, rest = message.partition("\n")
    if outside := re.search(r'access file "(.*)" - file system operations are disabled', first):
        found = f"'{outside[1]}' is a file outside of the warehouse."
        return CannotDescribe(line, found, "Declare a source for it and read the landed table.")
    sentence = re.sub(r"^[\w ]+ Error: ", "", first).rstrip(".!")
    candidates = re.search(r"Candidate bindings: (.*)|Did you mean (.*?)\?|(Either add it .*)", rest)
    remedy = ""
    if candidates and candidates[1]:
        remedy = f"Did you mean {candidates[1].replace(chr(34), chr(39))}?"
    elif candidates and candidates[2] and "duckdb_" not in candidates[2]:
        remedy = f"Did you mean {candidates[2].replace(chr(34), chr(39))}?"
    elif candidates and candidates[3]:
        remedy = candidates[3]
    return CannotDescribe(line, sentence + ".", remedy)
