"""The interval of a row, as SQL over the columns of its table."""

from collections.abc import Mapping

from mart_platform.planning.quoting import identifier
from mart_platform.spec.tables import KEYED, Contract, Grain

BUCKETS = 64
"""Into how many buckets the keys of a table of kind upsert or scd2 are cut."""

_ZONED = "TIMESTAMP WITH TIME ZONE"


def interval_of(contract: Contract, types: Mapping[str, str]) -> str | None:
    """Return SQL over a table's own columns that gives the interval of a row; None for a table of one piece.

    It is a DATE or, by the hour, a TIMESTAMP, and of kind upsert or scd2 the BIGINT bucket of the first key
    column. ``types`` are the DuckDB types of the columns.

    >>> contract = Contract(table="m.t", description="", kind="upsert", key=("id",), order_by="at")
    >>> interval_of(contract, {"id": "BIGINT"})
    '(hash("id") % 64)::BIGINT'
    """
    if contract.kind in KEYED:
        return bucket_of(identifier(contract.key[0]))
    if contract.kind != "incremental" or contract.partition is None:
        return None
    column = contract.partition.column
    return start_of(contract.partition.grain, identifier(column), types[column])


def interval_type_of(contract: Contract) -> str:
    """Return the DuckDB type of the intervals of a table that has some."""
    if contract.kind in KEYED:
        return "BIGINT"
    return "TIMESTAMP" if contract.partition and contract.partition.grain == "hour" else "DATE"


def interval_column(contract: Contract) -> str | None:
    """Return the output column that decides a row's interval, or None for a table of one piece."""
    if contract.kind in KEYED:
        return contract.key[0]
    return contract.partition.column if contract.kind == "incremental" and contract.partition else None


def bucket_of(value: str) -> str:
    """Return SQL for the bucket of a key."""
    return f"(hash({value}) % {BUCKETS})::BIGINT"


def start_of(grain: Grain, value: str, type_name: str) -> str:
    """Return SQL for the start of the interval that a date or a moment lies in, spelled as DuckDB prints it.

    A TIMESTAMP WITH TIME ZONE lies in the interval of its UTC time, whatever the zone of a session.
    """
    moment = f"timezone('UTC', {value})" if type_name == _ZONED else value
    if grain == "hour":
        return f"date_trunc('hour', {_cast(moment, 'TIMESTAMP') if type_name == 'DATE' else moment})"
    if grain == "day":
        return moment if type_name == "DATE" else _cast(moment, "DATE")
    if value.startswith(f"CAST(date_trunc('{grain}', ") and value.endswith(" AS DATE)"):
        return value  # it is the start of the interval already
    return _cast(f"date_trunc('{grain}', {moment})", "DATE")


def _cast(value: str, type_name: str) -> str:
    return f"CAST({value} AS {type_name})"
