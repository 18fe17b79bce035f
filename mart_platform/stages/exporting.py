"""Exporting: what is published of a mart, copied into one DuckDB file that needs nothing else."""

from contextlib import closing
from pathlib import Path
from uuid import uuid4

import duckdb

from mart_platform.durable import sync
from mart_platform.planning.quoting import literal, quoted
from mart_platform.spec.problems import UserError


def copy_database(published: Path, file: Path, memory: str) -> dict[str, int]:
    """Copy all views of a published database as tables into ``file``, and return the rows of each.

    The file appears at once and whole; one that is there is replaced. ``memory`` is what DuckDB may take.
    Raises UserError when the file cannot be written.
    """
    half_written = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        rows = _copied(published, half_written, memory)
        sync(half_written)
        half_written.replace(file)
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        half_written.unlink(missing_ok=True)
        half_written.with_name(f"{half_written.name}.wal").unlink(missing_ok=True)
    return rows


def _copied(published: Path, into: Path, memory: str) -> dict[str, int]:
    try:
        connection = duckdb.connect(str(into), config={"memory_limit": memory})
    except duckdb.IOException as error:
        raise UserError(f"{into.parent} cannot be written to: {error}") from error
    with closing(connection):
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH {literal(str(published))} AS published (READ_ONLY)")
        views = connection.execute(
            "SELECT view_name FROM duckdb_views()"
            " WHERE database_name = 'published' AND NOT internal ORDER BY view_name"
        ).fetchall()
        rows = {view: _copy_table(connection, view) for (view,) in views}
        connection.execute("DETACH published")
        connection.execute("CHECKPOINT")
    return rows


def _copy_table(connection: duckdb.DuckDBPyConnection, view: str) -> int:
    name = quoted(view)
    connection.execute(f"CREATE TABLE main.{name} AS SELECT * FROM published.main.{name}")
    [(rows,)] = connection.execute(f"SELECT count(*) FROM main.{name}").fetchall()
    return int(rows)
