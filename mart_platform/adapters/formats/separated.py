"""CSV, read strictly: a row is a value for each column of the header, or it is broken and kept as text.

A text is cut into records, a record is matched whole against the one regular expression of a good row, and
only what matches is handed to Polars to be taken apart. So nothing is padded, cut off or skipped: each
record is either a row of a frame or a broken row. Empty lines are no records.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import polars as pl

from mart_platform.adapters.connectors.options import FormatOptions
from mart_platform.adapters.formats.broken import BrokenRows
from mart_platform.adapters.formats.unpacking import text_blocks, unpacked_name
from mart_platform.ports import Delivered, Unreadable
from mart_platform.spec.sources import HIDDEN_COLUMNS, ROW_COLUMN

_LONGEST = 4 << 20
_UNIT = "\x1f"


@contextmanager
def open_separated(file: Path, position: str, options: FormatOptions) -> Iterator[Delivered]:
    """Open a CSV file with a header; all values come as text, the empty unquoted field as NULL."""
    dialect = Dialect(options.separator or _usual_separator(file, position, options), options.quote)
    records = Records(dialect, position)
    pieces = records.of(text_blocks(file, position, options))
    first = next((piece for piece in pieces if len(piece)), None)
    if first is None:
        raise Unreadable(f"{position}: the file holds no line. Have it delivered again.")
    header = _header(dialect, first[0], position)
    table = _Table(dialect, header, position, options.nulls)
    yield Delivered(
        columns={name: "string" for name in header if name},
        as_text=True,
        frames=table.frames(chain([first[1:]], pieces), records),
        broken=table.broken.taken,
    )


def _usual_separator(file: Path, position: str, options: FormatOptions) -> str:
    return "\t" if unpacked_name(file, position, options).lower().endswith(".tsv") else ","


class Dialect:
    """How a record looks: its separator, its quote, and the expressions that recognise it."""

    def __init__(self, separator: str, quote: str) -> None:
        self.written = separator
        self.separator = separator if len(separator) == 1 and separator.isascii() else _UNIT
        self.quote = quote
        apart = re.escape(self.separator)
        bare = rf"[^{re.escape(quote)}{apart}\r\n]*"
        self._field = rf"(?:{quote}(?:[^{quote}]|{quote}{quote})*{quote}|{bare})" if quote else bare
        self._apart = apart
        self._any_row = re.compile(rf"{self._field}(?:{apart}{self._field})*", re.DOTALL)

    def row_of(self, columns: int) -> str:
        """Return the expression of a record with so many fields."""
        return rf"\A{self._field}(?:{self._apart}{self._field}){{{columns - 1}}}\z"

    def is_row(self, record: str) -> bool:
        """Whether a record has well-formed fields, however many."""
        return self._any_row.fullmatch(self.marked(record.removesuffix("\r"))) is not None

    def marked(self, record: str) -> str:
        """Return a record with its separators, outside of quotes, as the one character they stand for."""
        if self.written == self.separator:
            return record
        parts = record.split(self.quote) if self.quote else [record]
        parts[::2] = [part.replace(self.written, _UNIT) for part in parts[::2]]
        return (self.quote or "").join(parts)

    def fields_in(self, record: str) -> int | None:
        """Return the number of fields of a well-formed record, None for one with a wrong quote."""
        marked = self.marked(record)
        if not self.is_row(record):
            return None
        outside = marked.split(self.quote)[::2] if self.quote else [marked]
        return 1 + sum(part.count(self.separator) for part in outside)


@dataclass
class Records:
    """Cuts blocks of text into records; afterwards ``ends_open`` says that the last line has no end."""

    dialect: Dialect
    position: str
    ends_open: bool = False

    def of(self, blocks: Iterator[str]) -> Iterator[pl.Series]:
        """Yield records in order, without the ends of their lines, empty lines left out."""
        rest = ""
        for block in blocks:
            records, rest = self._cut(rest + block, last=False)
            yield _without_empty(records)
        self.ends_open = bool(rest) and not rest.endswith("\n")
        records, _ = self._cut(rest.removesuffix("\n") + "\n" if rest else "", last=True)
        yield _without_empty(records)

    def _cut(self, text: str, *, last: bool) -> tuple[list[str], str]:
        lines = text.split("\n")
        rest = lines.pop()
        if len(rest) > _LONGEST:
            raise Unreadable(
                f"{self.position}: a line is longer than {_LONGEST:,} characters. Is this a CSV file? "
                "Lines end in LF or CRLF."
            )
        quote = self.dialect.quote
        if not quote or quote not in text:
            return lines, rest
        open_lines = [number for number, line in enumerate(lines) if line.count(quote) % 2]
        return self._joined(lines, open_lines, rest, last)

    def _joined(
        self, lines: list[str], open_lines: list[int], rest: str, last: bool
    ) -> tuple[list[str], str]:
        """Join the lines between an opening and a closing quote, where that gives a well-formed record.

        Where it does not, the line with the opening quote is a broken record by itself: a lost quote costs
        one row, not all that follow.
        """
        records: list[str] = []
        at = 0
        for this, opening in enumerate(open_lines):
            if opening < at:
                continue
            records += lines[at:opening]
            at = opening
            if this + 1 == len(open_lines):
                waiting = "\n".join([*lines[at:], rest])
                if not last and len(waiting) <= _LONGEST:
                    return records, waiting
                continue
            closing = open_lines[this + 1]
            record = "\n".join(lines[opening : closing + 1])
            if len(record) <= _LONGEST and self.dialect.is_row(record):
                records.append(record)
                at = closing + 1
        return records + lines[at:], rest


def _without_empty(records: list[str]) -> pl.Series:
    series = pl.Series(records, dtype=pl.String).str.strip_suffix("\r")
    return series.filter(series != "")


def _header(dialect: Dialect, record: str, position: str) -> list[str]:
    """Return the names of the columns, '' for one without a name."""
    count = dialect.fields_in(record)
    if count is None or "\r" in record:
        raise Unreadable(
            f"{position}: the header cannot be split into names: {record[:120]!r}. Set the options "
            "'separator' and 'quote', or have the file delivered with lines that end in LF or CRLF."
        )
    names = [
        str(name or "").strip() for name in _split(dialect, pl.Series([dialect.marked(record)]), count).row(0)
    ]
    named = [name for name in names if name]
    if repeated := sorted({name for name in named if named.count(name) > 1}):
        raise Unreadable(
            f"{position}: the header names the column '{repeated[0]}' more than once. Have it delivered with "
            "one name for each column."
        )
    if taken := sorted(set(named) & set(HIDDEN_COLUMNS)):
        raise Unreadable(f"{position}: the column name '{taken[0]}' is landing's own. Have it renamed.")
    if not named:
        raise Unreadable(
            f"{position}: the header names no column: {record[:120]!r}. Have it delivered again."
        )
    return names


def _split(dialect: Dialect, records: pl.Series, count: int, nulls: tuple[str, ...] = ()) -> pl.DataFrame:
    """Take records of ``count`` fields apart, into columns named f0, f1 and so on."""
    names = [f"f{number}" for number in range(count)]
    if records.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    frame = pl.read_csv(
        records.str.join("\n").item().encode(),
        has_header=False,
        schema=dict.fromkeys(names, pl.String),
        separator=dialect.separator,
        quote_char=dialect.quote or None,
        null_values=list(nulls) or None,
    )
    if frame.height != len(records):  # would lose rows: a defect, never a matter of the data
        raise AssertionError(f"{len(records)} records gave {frame.height} rows")
    return frame


@dataclass
class _Table:
    """Makes frames of records; those that are no row of the header's columns are gathered as broken."""

    dialect: Dialect
    header: list[str]
    position: str
    nulls: tuple[str, ...]
    broken: BrokenRows = field(default_factory=BrokenRows)

    def frames(self, pieces: Iterator[pl.Series], records: Records) -> Iterator[pl.DataFrame]:
        done = 0
        last: tuple[int, str] | None = None
        for piece in pieces:
            if piece.is_empty():
                continue
            rows = pl.Series(ROW_COLUMN, range(done + 1, done + 1 + len(piece)), dtype=pl.Int64)
            frame, lost = self._frame(piece, rows)
            done += len(piece)
            last = (done, lost) if lost else None
            yield frame
        if last is not None and records.ends_open:
            raise Unreadable(
                f"{self.position}: the file is truncated: its last row ({last[0]}) {last[1]}, and the line "
                "has no end. Have it delivered again."
            )

    def _frame(self, records: pl.Series, rows: pl.Series) -> tuple[pl.DataFrame, str]:
        """Return the good rows, and why the last record is broken, '' when it is not."""
        marked = self._marked(records)
        good = marked.str.contains(self.dialect.row_of(len(self.header)))
        frame = _split(self.dialect, marked.filter(good), len(self.header), self.nulls)
        frame = frame.with_columns(rows.filter(good))
        reasons = [self._reason(record) for record in records.filter(~good)]
        self.broken.add(rows.filter(~good), records.filter(~good), reasons)
        frame = self._named(frame, records, rows)
        return frame, "" if good[-1] else reasons[-1]

    def _marked(self, records: pl.Series) -> pl.Series:
        if self.dialect.written == self.dialect.separator:
            return records
        return pl.Series([self.dialect.marked(record) for record in records], dtype=pl.String)

    def _named(self, frame: pl.DataFrame, records: pl.Series, rows: pl.Series) -> pl.DataFrame:
        """Name the columns. One without a name is dropped; a row with a value in it is broken."""
        nameless = [f"f{number}" for number, name in enumerate(self.header) if not name]
        if nameless:
            filled = pl.any_horizontal(pl.col(name).fill_null("") != "" for name in nameless)
            lost = frame.filter(filled)[ROW_COLUMN]
            lines = records.filter(rows.is_in(lost.implode()))
            self.broken.add(lost, lines, ["has a value in a column without a name"] * len(lost))
            frame = frame.filter(~filled).drop(nameless)
        return frame.rename({f"f{number}": name for number, name in enumerate(self.header) if name})

    def _reason(self, record: str) -> str:
        count = self.dialect.fields_in(record)
        if count is None:
            return "has a quote where none may stand, or one that is not closed"
        if count == len(self.header):
            return "has a carriage return inside a field without quotes"
        return f"has {count} fields, the header has {len(self.header)}"
