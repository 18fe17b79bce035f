"""The ledger, kept in SQLite or PostgreSQL."""

from mart_platform.adapters.ledger.opening import open_ledger

__all__ = ["open_ledger"]
