"""The yardstick: the same SELECTs over the same landed Parquet in one DuckDB process, and nothing else.

No plan, no checks, no versions, no log, no publication: each model is written as one zstd Parquet file, and
the models after it read that file.

    python benchmarks/bare.py job.json

``job.json`` holds ``landed`` (table: its Parquet files), ``models`` (table: its SQL file, in build order),
``into`` (a folder) and ``memory`` (as DuckDB writes it).
"""

import json
import sys
from pathlib import Path
from typing import Any

import duckdb


def main(job: dict[str, Any]) -> None:
    into = Path(job["into"])
    into.mkdir(parents=True)
    with duckdb.connect(config={"memory_limit": job["memory"], "temp_directory": str(into)}) as connection:
        for table, files in job["landed"].items():
            define(connection, table, files)
        for table, model in job["models"].items():
            written = into / f"{table}.parquet"
            query = Path(model).read_text(encoding="utf-8")
            connection.execute(f"COPY (\n{query}\n) TO '{written}' (FORMAT parquet, COMPRESSION zstd)")
            define(connection, table, [str(written)])


def define(connection: duckdb.DuckDBPyConnection, table: str, files: list[str]) -> None:
    schema, _, _ = table.partition(".")
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    connection.execute(f"CREATE VIEW {table} AS FROM read_parquet({files})")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
