"""Answers as Arrow IPC streams: in memory while they are small, else in a file."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from arro3.core import RecordBatch, RecordBatchReader, Schema
from arro3.io import write_ipc_stream

from mart_platform.adapters import disk

_IN_MEMORY = 4_000_000
"""Bytes up to which an answer is held in memory."""
_LARGEST = 4_000_000_000
"""Bytes up to which an answer is written, so that none fills the disk."""


class TooLarge(Exception):
    """An answer has more rows than allowed, or more bytes than any may have."""


@dataclass(frozen=True)
class Spool:
    """A whole answer: its bytes, or the file that holds them, which its owner removes. No log may show it."""

    rows: int
    size: int
    held: bytes | Path = field(repr=False)

    def open(self) -> BinaryIO:
        return self.held.open("rb") if isinstance(self.held, Path) else io.BytesIO(self.held)

    def remove(self) -> None:
        if isinstance(self.held, Path):
            self.held.unlink(missing_ok=True)


def spooled(schema: Schema, batches: Iterable[RecordBatch], rows: int, folder: Path) -> Spool:
    """Take an answer whole, batch by batch; nothing is left of one that fails.

    Raises TooLarge at the first batch with which it has more than so many rows, what ``batches`` raise, and
    UserError when the disk is full.
    """
    counted = _Counted(batches, rows)
    coming = iter(counted)
    first = list(_up_to_memory(coming, counted))
    if counted.size <= _IN_MEMORY:
        target = io.BytesIO()
        write_ipc_stream(RecordBatchReader.from_batches(schema, first), target, compression=None)
        return Spool(counted.rows, target.getbuffer().nbytes, target.getvalue())
    file = folder / f"{uuid4().hex}.arrow"
    try:
        reader = RecordBatchReader.from_batches(schema, chain(first, coming))
        write_ipc_stream(reader, str(file), compression=None)
        return Spool(counted.rows, file.stat().st_size, file)
    except BaseException as error:  # nobody knows the file yet, whatever ended it
        file.unlink(missing_ok=True)
        raise counted.broken_by or disk.refused(error, folder) or error from error


class _Counted:
    """Batches of an answer that are counted while they are taken; it remembers what broke them."""

    def __init__(self, batches: Iterable[RecordBatch], most: int) -> None:
        self.rows = self.size = 0
        self.broken_by: BaseException | None = None
        self._batches, self._most = batches, most

    def __iter__(self) -> Iterator[RecordBatch]:
        try:
            for batch in self._batches:
                self.rows += batch.num_rows
                self.size += batch.nbytes
                self._refuse_too_large()
                yield batch
        except BaseException as error:  # Arrow would make another error of it
            self.broken_by = error
            raise

    def _refuse_too_large(self) -> None:
        if self.rows > self._most:
            raise TooLarge(f"the answer has more than {self._most} rows")
        if self.size > _LARGEST:
            raise TooLarge(f"the answer has more than {_LARGEST} bytes")


def _up_to_memory(batches: Iterator[RecordBatch], counted: _Counted) -> Iterator[RecordBatch]:
    """Yield batches until they are more than is held in memory."""
    for batch in batches:
        yield batch
        if counted.size > _IN_MEMORY:
            return
