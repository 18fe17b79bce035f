"""Parquet files, read by DuckDB in pieces: its reader does not hold a row group in memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl
from arro3.core import RecordBatchReader

from mart_platform.adapters.connectors.options import FormatOptions
from mart_platform.adapters.formats.broken import BROKEN
from mart_platform.ports import Delivered, Unreadable
from mart_platform.spec.sources import HIDDEN_COLUMNS, ROW_COLUMN
from mart_platform.spec.types import declared_type

_PIECE = 250_000

_ARROW_HAS = {
    *("FLOAT", "TINYINT", "SMALLINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
    *("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"),
}


@contextmanager
def open_parquet(file: Path, position: str, options: FormatOptions) -> Iterator[Delivered]:
    """Open a Parquet file; types that the lake does not know (UUID, TIME, …) come as text."""
    with duckdb.connect(config={"memory_limit": "1GB"}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        source = f"read_parquet({_literal(os.fspath(file))})"
        found = _described(connection, source, position)
        selected = ", ".join(_selected(name, kind) for name, kind in found.items())
        rows = connection.sql(f"SELECT {selected}, file_row_number + 1 AS {ROW_COLUMN} FROM {source}")
        yield Delivered(
            columns={name: _said(kind) for name, kind in found.items()},
            as_text=False,
            frames=_frames(rows, position),
            broken=BROKEN.clear,
        )


def _described(connection: duckdb.DuckDBPyConnection, source: str, position: str) -> dict[str, str]:
    try:
        described = connection.sql(f"DESCRIBE SELECT * FROM {source}").fetchall()
    except duckdb.Error as error:
        raise _unreadable(position, error) from error
    found = {row[0]: row[1] for row in described}
    if taken := sorted(set(found) & set(HIDDEN_COLUMNS)):
        raise Unreadable(f"{position}: the column name '{taken[0]}' is landing's own. Have it renamed.")
    return found


def _frames(rows: duckdb.DuckDBPyRelation, position: str) -> Iterator[pl.DataFrame]:
    try:
        for batch in RecordBatchReader.from_stream(rows):
            yield from pl.DataFrame(batch).iter_slices(_PIECE)
    except (duckdb.Error, OSError, RuntimeError) as error:
        raise _unreadable(position, error) from error


def _unreadable(position: str, error: Exception) -> Unreadable:
    said = str(error).splitlines()[0]
    return Unreadable(
        f"{position}: this is no whole Parquet file ({said}). Have it delivered again, or correct the option "
        "'format' of the source."
    )


def _selected(name: str, kind: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    return quoted if kind in _ARROW_HAS or _known(kind) else f"{quoted}::VARCHAR AS {quoted}"


def _said(kind: str) -> str:
    """Return a type in the words of the declarations, or in DuckDB's where these have none."""
    return declared_type(kind) if _known(kind) else kind


def _known(kind: str) -> bool:
    try:
        declared_type(kind)
    except ValueError:
        return False
    return kind not in _ARROW_HAS


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
