"""Rows that could not be split into columns, on their way to quarantine."""

from collections.abc import Iterable

import polars as pl

from mart_platform.spec.sources import ROW_COLUMN

BROKEN = pl.DataFrame(schema={ROW_COLUMN: pl.Int64, "line": pl.String, "reason": pl.String})
"""No broken row: the shape of what ``Delivered.broken`` gives."""


class BrokenRows:
    """Gathers broken rows while a file is read."""

    def __init__(self) -> None:
        self._pieces = [BROKEN]

    def add(self, rows: pl.Series, lines: pl.Series, reasons: Iterable[str]) -> None:
        """Keep rows by number, text and reason."""
        piece = pl.DataFrame([rows, lines, pl.Series(reasons, dtype=pl.String)], schema=BROKEN.schema)
        self._pieces.append(piece)

    def taken(self) -> pl.DataFrame:
        """Return all rows kept so far."""
        return pl.concat(self._pieces)
