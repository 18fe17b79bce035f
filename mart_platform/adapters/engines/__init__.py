"""Engines that compute tables: DuckDB for SQL, Polars for Python models."""

from mart_platform.adapters.engines.duckdb_engine import DuckDBEngine

__all__ = ["DuckDBEngine"]
