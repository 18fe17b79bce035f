"""The engine behind the door: governed queries on publications, in DuckDB."""

from mart_platform.adapters.queries.engine import DuckDBQueries

__all__ = ["DuckDBQueries"]
