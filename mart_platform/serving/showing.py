"""The first rows of an answer as text, for a page."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from mart_platform.ports import Result

_ROWS = 200
_CHARACTERS = 300


@dataclass(frozen=True)
class ShownColumn:
    """A column and its DuckDB type."""

    name: str
    type: str
    is_number: bool


@dataclass(frozen=True)
class Shown:
    """Rows as text, None for NULL; ``left_out`` says that there are more."""

    columns: tuple[ShownColumn, ...]
    rows: tuple[tuple[str | None, ...], ...]
    left_out: bool


def shown(result: Result) -> Shown:
    """Return the first rows of an answer, which is left open."""
    with result.open() as stream:
        frame = pl.read_ipc_stream(stream, n_rows=_ROWS)
    kinds = zip(result.columns.items(), frame.dtypes, strict=True)
    return Shown(
        columns=tuple(ShownColumn(name, kind.lower(), dtype.is_numeric()) for (name, kind), dtype in kinds),
        rows=tuple(tuple(_texts(row)) for row in frame.iter_rows()),
        left_out=result.rows > frame.height,
    )


def _texts(row: tuple[Any, ...]) -> Iterator[str | None]:
    for value in row:
        text = None if value is None else value.hex() if isinstance(value, bytes) else str(value)
        yield text if text is None or len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…"
