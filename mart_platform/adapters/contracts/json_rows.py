"""Rows as JSON text, for quarantine and for columns that the contract does not know."""

import polars as pl


def json_rows(frame: pl.DataFrame) -> pl.Series:
    """Return each row as a JSON object; bytes as hexadecimal digits, numbers that JSON lacks as text."""
    if not frame.width:
        return pl.Series([None] * frame.height, dtype=pl.String)
    return frame.select(pl.struct(_writable(column) for column in frame).struct.json_encode()).to_series()


def _writable(column: pl.Series) -> pl.Series:
    if column.dtype == pl.Binary:
        return column.bin.encode("hex")
    if column.dtype.is_float() and not column.is_finite().all():
        return column.cast(pl.String)
    return column
