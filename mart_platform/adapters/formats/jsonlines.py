"""JSON lines: an object on each line. Values come as the text that was delivered, nested ones as JSON."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from mart_platform.adapters.connectors.options import FormatOptions
from mart_platform.adapters.formats.broken import BrokenRows
from mart_platform.adapters.formats.unpacking import text_blocks
from mart_platform.ports import Delivered, Unreadable
from mart_platform.spec.sources import HIDDEN_COLUMNS, ROW_COLUMN

_LONGEST = 64 << 20


@contextmanager
def open_json_lines(file: Path, position: str, options: FormatOptions) -> Iterator[Delivered]:
    """Open a file of JSON lines; its columns are the keys of the first piece, a missing key is NULL."""
    lines = _Lines(position)
    objects = _Objects(position, options.nulls)
    frames = objects.frames(lines.of(text_blocks(file, position, options)), lines)
    first = next(frames, None)
    if first is None:
        raise Unreadable(f"{position}: the file holds no line. Have it delivered again.")
    yield Delivered(
        columns={name: "string" for name in first.columns if name != ROW_COLUMN},
        as_text=True,
        frames=chain([first], frames),
        broken=objects.broken.taken,
    )


@dataclass
class _Lines:
    position: str
    ends_open: bool = False

    def of(self, blocks: Iterator[str]) -> Iterator[list[str]]:
        """Yield the lines in pieces, empty ones left out."""
        rest = ""
        for block in blocks:
            lines = (rest + block).split("\n")
            rest = lines.pop()
            if len(rest) > _LONGEST:
                raise Unreadable(
                    f"{self.position}: a line is longer than {_LONGEST:,} characters. "
                    "Have one object delivered on each line."
                )
            yield [line for line in lines if line.strip()]
        self.ends_open = bool(rest.strip())
        yield [rest] if self.ends_open else []


class _Exact(str):
    """A number as it was written."""


@dataclass
class _Objects:
    position: str
    nulls: tuple[str, ...]
    broken: BrokenRows = field(default_factory=BrokenRows)

    def frames(self, pieces: Iterator[list[str]], lines: _Lines) -> Iterator[pl.DataFrame]:
        done = 0
        reason = ""
        for piece in pieces:
            if not piece:
                continue
            if done == 0:
                self._refuse_other_formats(piece[0])
            frame, reason = self._frame(piece, done + 1)
            done += len(piece)
            yield frame
        if reason and lines.ends_open:
            raise Unreadable(
                f"{self.position}: the file is truncated: its last row ({done}) {reason}, and the line has "
                "no end. Have it delivered again."
            )

    def _frame(self, lines: list[str], start: int) -> tuple[pl.DataFrame, str]:
        """Return the good rows, and why the last line is broken, '' when it is not."""
        columns: dict[str, list[str | None]] = {}
        rows: list[int] = []
        lost: list[tuple[int, str, str]] = []
        for row, line in enumerate(lines, start):
            try:
                found = _object(line)
            except (ValueError, RecursionError) as error:
                lost.append((row, line, f"is no JSON object: {error}"))
                continue
            for name, value in found.items():
                values = columns.get(name)
                if values is None:
                    values = columns[name] = []
                if len(values) < len(rows):  # earlier rows lack this key
                    values.extend([None] * (len(rows) - len(values)))
                values.append(self._text(value))
            rows.append(row)
        for values in columns.values():
            values.extend([None] * (len(rows) - len(values)))
        self._keep(lost)
        frame = pl.DataFrame({**columns, ROW_COLUMN: rows}, schema=self._schema(columns))
        return frame, lost[-1][2] if lost and lost[-1][0] == start + len(lines) - 1 else ""

    def _keep(self, lost: list[tuple[int, str, str]]) -> None:
        self.broken.add(
            pl.Series([row for row, _, _ in lost], dtype=pl.Int64),
            pl.Series([line for _, line, _ in lost], dtype=pl.String),
            [reason for _, _, reason in lost],
        )

    def _schema(self, columns: dict[str, list[str | None]]) -> dict[str, pl.DataType]:
        if taken := sorted(set(columns) & set(HIDDEN_COLUMNS)):
            raise Unreadable(f"{self.position}: the key '{taken[0]}' is landing's own. Have it renamed.")
        return {**dict.fromkeys(columns, pl.String()), ROW_COLUMN: pl.Int64()}

    def _text(self, value: Any) -> str | None:
        text = value if isinstance(value, str) else _written(value) if value is not None else None
        return None if text in self.nulls else text

    def _refuse_other_formats(self, line: str) -> None:
        if not line.lstrip().startswith("{"):
            raise Unreadable(
                f"{self.position}: the first line is no JSON object, it begins with {line[:40]!r}. Have one "
                "object delivered on each line, or correct the option 'format' of the source."
            )


def _object(line: str) -> dict[str, Any]:
    found: Any = _FLAT.decode(line)
    if not isinstance(found, dict):
        raise ValueError(f"found {line[:40]!r}")  # noqa: TRY004 one family for all that a line can be wrong in
    if any(isinstance(value, dict | list) for value in found.values()):
        nested: dict[str, Any] = _NESTED.decode(line)
        return nested
    return found


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _decoder(number: type[str]) -> json.JSONDecoder:
    return json.JSONDecoder(
        parse_int=number,
        parse_float=number,
        parse_constant=_refuse_constant,
        object_pairs_hook=_without_repeats,
    )


# Inside a nested value, which is written as JSON again, numbers must be told from strings: that costs
# four times as much.
_FLAT, _NESTED = _decoder(str), _decoder(_Exact)


def _written(value: Any) -> str:
    """Return a value as JSON, numbers as they were written."""
    if isinstance(value, _Exact):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{_written(key)}:{_written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False)
