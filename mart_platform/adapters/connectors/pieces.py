"""The deliveries of a replay as they lie in the cache: a file each, and the list of them."""

import json
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from mart_platform.adapters.connectors.options import FormatOptions
from mart_platform.durable import sync
from mart_platform.spec.records import Record
from mart_platform.spec.sources import SourceTable

TRUTH, _LIST = "truth.parquet", "pieces.json"

_PLANTING = "1"
"""Raised when the same source and settings would be cut otherwise than before."""


class Piece(Record):
    """One delivery of a replay: its file, when its day or hour is over, and what it declares."""

    position: str
    file: str
    ends: datetime
    complete_through: datetime
    size: int
    sha256: str


_PIECES = TypeAdapter(tuple[Piece, ...])


def settings_of(contract: SourceTable, options: FormatOptions) -> str:
    """Return all of a declaration that decides what the files of a replay hold, as text."""
    decided = contract.model_dump_json(include={"replay", "event_time", "key", "columns"})
    return json.dumps([_PLANTING, decided, options.model_dump_json()])


def read_pieces(folder: Path) -> tuple[Piece, ...]:
    """Return the deliveries in a folder, in order. Raises FileNotFoundError when they are not there."""
    return _PIECES.validate_json((folder / _LIST).read_bytes())


def write_pieces(pieces: tuple[Piece, ...], folder: Path) -> None:
    """Write the list of what lies in a folder, synced."""
    file = folder / _LIST
    file.write_bytes(_PIECES.dump_json(pieces))
    sync(file)
    sync(folder)
