"""Relations as views and tables of a DuckDB database."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from uuid import uuid4

import duckdb

from mart_platform.adapters.engines.casting import cast_columns
from mart_platform.planning.quoting import identifier, literal, quoted
from mart_platform.ports import Relation
from mart_platform.spec.problems import UserError
from mart_platform.spec.types import duckdb_type

Execute = Callable[[str], duckdb.DuckDBPyConnection]
"""Runs a statement; raises UserError when it fails."""


class Relations:
    """Defines relations in a database: as views, or as tables where ``copied`` says so."""

    def __init__(self, execute: Execute, copied: Callable[[Relation], bool] = lambda _: False) -> None:
        self._execute = execute
        self._copied = copied

    def define(self, relation: Relation, name: str) -> None:
        """Add a relation under a name ``schema.table``, or put it in the place of the one with that name.

        Raises UserError, naming the relation, when a file of it is gone or its SQL does not hold.
        """
        where = f" WHERE (\n{relation.where}\n)" if relation.where else ""
        kind = "TABLE" if self._copied(relation) else "VIEW"
        try:
            rows = self._rows_of(relation)
            self._execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(name.split('.', 1)[0])}")
            self._execute(f"CREATE OR REPLACE {kind} {quoted(name)} AS SELECT * FROM ({rows}){where}")
        except UserError as error:
            raise UserError(f"{relation.name}: {error}") from error

    def _rows_of(self, relation: Relation) -> str:
        """Return a SELECT of a relation's columns, each of the declared type."""
        if relation.sql is not None:
            return self._view(relation.sql, relation)
        if not relation.files:
            return no_row(relation.columns)
        if gone := next((file for file in relation.files if not file.exists()), None):
            raise UserError(
                f"its file {gone} is gone. Put it back from a backup, or start with an empty data folder."
            )
        columns = ", ".join(quoted(column) for column in relation.columns)
        return f"SELECT {columns} FROM {parquet(relation.files)}"

    def _view(self, sql: str, relation: Relation) -> str:
        # sqlglot takes 0.1 s to import, which only those who read a view should pay
        from mart_platform.adapters.engines.views import moved  # noqa: PLC0415 (as said)

        schemas = {}
        for over in relation.over:
            schema, table = over.name.split(".", 1)
            schemas[over.name] = f"{schema} {uuid4().hex}"
            self.define(over, f"{schemas[over.name]}.{table}")
        query = subquery(moved(sql, schemas))
        described = self._execute(f"DESCRIBE FROM {query}").fetchall()
        found = {name: kind for name, kind, *_ in described if name in relation.columns}
        return f"SELECT {cast_columns(found, relation.columns)} FROM {query}"


def subquery(sql: str) -> str:
    """Return a SELECT in parentheses, whatever comment it ends with."""
    return f"(\n{sql.strip().rstrip(';')}\n)"


def parquet(files: Iterable[Path]) -> str:
    """Return the table function that reads Parquet files."""
    listed = ", ".join(literal(str(file)) for file in files)
    return f"read_parquet([{listed}], hive_partitioning = false)"


def no_row(columns: Mapping[str, str]) -> str:
    """Return a SELECT that gives the columns and no row of them."""
    nothing = ", ".join(f"NULL::{duckdb_type(kind)} AS {quoted(name)}" for name, kind in columns.items())
    return f"SELECT {nothing} LIMIT 0"
