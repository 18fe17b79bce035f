"""An answer in other forms than Arrow, and its digest: made row by row in a DuckDB of its own.

JSON is one object, ``{"columns": [{"name": …, "type": …}, …], "rows": [[…], …]}``. Integers and doubles are
numbers. Decimals with digits after the point are texts: readers of JSON make doubles of numbers, which cents
do not survive. Moments are texts in ISO 8601 (in UTC with a Z), bytes are base64, and a double that is no
number is null. CSV is that of RFC 4180: nothing between two commas is NULL, a quoted nothing an empty text.
"""

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Semaphore
from uuid import uuid4

import duckdb
from arro3.io import read_ipc_stream

from mart_platform.planning.quoting import identifier, literal
from mart_platform.ports import Result

_PIECE = 1_000_000
_ROWS = 4_096
_SMALL = 500_000
"""Bytes of an answer up to which it is no work to speak of."""
_EXACT = re.compile(r"BOOLEAN|U?(TINY|SMALL|BIG)INT|U?INTEGER|DECIMAL\(\d+,0\)")
_NESTED = re.compile(r".*\]|(STRUCT|MAP)\(.*", re.DOTALL)


class Encoder:
    """Makes other forms of answers, Parquet by way of a file in ``folder``. Safe for many threads.

    Large answers take turns, so that those who fetch many of them leave half of the machine to dashboards.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, half = folder, max(1, (os.cpu_count() or 1) // 2)
        self._turns = Semaphore(half)
        self._duckdb = duckdb.connect(config={"temp_directory": "", "autoinstall_known_extensions": False})
        self._duckdb.execute(f"SET GLOBAL threads = {half}")
        self._duckdb.execute("SET GLOBAL TimeZone = 'UTC'")

    def arrow(self, result: Result) -> Iterator[bytes]:
        """Yield the stream as it is kept."""
        with result.open() as stream:
            while piece := stream.read(_PIECE):
                yield piece

    def json(self, result: Result) -> Iterator[bytes]:
        columns = [{"name": name, "type": kind} for name, kind in result.columns.items()]
        yield f'{{"columns":{json.dumps(columns)},"rows":['.encode()
        cells = ", ".join(_in_json(name, kind) for name, kind in result.columns.items())
        between = ""
        for rows in self._texts(result, f"json_array({cells})::VARCHAR"):
            yield (between + ",\n".join(rows)).encode()
            between = ",\n"
        yield b"]}"

    def csv(self, result: Result) -> Iterator[bytes]:
        header = io.StringIO()
        csv.writer(header).writerow(result.columns)
        yield header.getvalue().encode()
        # A line with nothing on it is no row to most readers: a NULL that stands alone becomes an empty text.
        null = "''" if len(result.columns) > 1 else "'\"\"'"
        cells = (f"coalesce({_in_csv(name, kind)}, {null})" for name, kind in result.columns.items())
        for rows in self._texts(result, " || ',' || ".join(cells)):
            yield "".join(row + "\r\n" for row in rows).encode()

    def parquet(self, result: Result) -> Iterator[bytes]:
        file = self._folder / f"{uuid4().hex}.parquet"
        try:
            with self._scanning(result) as cursor, self._turn(result):
                cursor.execute(
                    f"COPY (FROM answer) TO {literal(str(file))} (FORMAT parquet, COMPRESSION zstd)"
                )
            with file.open("rb") as stream:
                while piece := stream.read(_PIECE):
                    yield piece
        finally:
            file.unlink(missing_ok=True)

    def digest(self, result: Result) -> str:
        """Return a digest of names, types and rows, whatever the order of the rows and the release of DuckDB.

        DuckDB's own ``hash`` would take a tenth of the time (0.1 CPU seconds for a million rows of 8 columns
        against 1.3), but may be another one in its next release, when receipts of today are replayed. Doubles
        count with 10 digits: threads add them up in an order that differs from run to run.
        """
        cells = ", ".join(_in_digest(name, kind) for name, kind in result.columns.items())
        halves = "sum(md5_number_lower(line))::VARCHAR, sum(md5_number_upper(line))::VARCHAR"
        with self._scanning(result) as cursor, self._turn(result):
            cursor.execute(f"SELECT {halves} FROM (SELECT to_json([{cells}])::VARCHAR AS line FROM answer)")
            rows = cursor.fetchall()
        whole = json.dumps([list(result.columns.items()), result.rows, rows])
        return hashlib.sha256(whole.encode()).hexdigest()

    def close(self) -> None:
        self._duckdb.close()

    def _texts(self, result: Result, row: str) -> Iterator[list[str]]:
        """Yield rows, some at a time, as the text that SQL makes of each."""
        with self._scanning(result) as cursor:
            with self._turn(result):
                cursor.execute(f"SELECT {row} FROM answer")
            while texts := self._next_texts(cursor, result):
                yield texts

    def _next_texts(self, cursor: duckdb.DuckDBPyConnection, result: Result) -> list[str]:
        with self._turn(result):
            return [text for (text,) in cursor.fetchmany(_ROWS)]

    @contextmanager
    def _turn(self, result: Result) -> Iterator[None]:
        if result.bytes <= _SMALL:
            yield
        else:
            with self._turns:
                yield

    @contextmanager
    def _scanning(self, result: Result) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a cursor that can read ``answer`` once."""
        with result.open() as stream, closing(self._duckdb.cursor()) as cursor:
            cursor.register("answer", read_ipc_stream(stream))
            yield cursor


def _in_json(name: str, kind: str) -> str:
    column = identifier(name)
    if _EXACT.fullmatch(kind):
        return column
    if kind in ("DOUBLE", "FLOAT"):  # a FLOAT by its text, as 0.1 would be 0.10000000149011612 else
        return (
            f"CASE WHEN isfinite({column}) THEN {column}{'::VARCHAR::DOUBLE' if kind == 'FLOAT' else ''} END"
        )
    if not _NESTED.fullmatch(kind):
        return _as_text(column, kind)
    if not re.search("DOUBLE|FLOAT", kind):
        return f"to_json({column})"
    # Written as JSON, a list with a double in it that is no number would be none.
    strange = f"regexp_matches({column}::VARCHAR, '\\b(nan|inf)\\b')"
    return f"CASE WHEN {strange} THEN to_json({column}::VARCHAR) ELSE to_json({column}) END"


def _in_csv(name: str, kind: str) -> str:
    column = identifier(name)
    if _EXACT.fullmatch(kind):
        return f"{column}::VARCHAR"
    text = f"to_json({column})::VARCHAR" if _NESTED.fullmatch(kind) else _as_text(column, kind)
    in_quotes = f"""'"' || replace({text}, '"', '""') || '"'"""
    return (
        f"""CASE WHEN {text} = '' OR regexp_matches({text}, '[",\\r\\n]') THEN {in_quotes} ELSE {text} END"""
    )


def _in_digest(name: str, kind: str) -> str:
    column = identifier(name)
    if kind in ("DOUBLE", "FLOAT"):
        return f"format('{{:.9e}}', {column}::DOUBLE + 0)"
    return _as_text(column, kind)


def _as_text(column: str, kind: str) -> str:
    match kind:
        case "BLOB":
            return f"base64({column})"
        case "TIMESTAMP WITH TIME ZONE":
            return f"replace(replace({column}::VARCHAR, ' ', 'T'), '+00', 'Z')"
        case "TIMESTAMP" | "TIMESTAMP_S" | "TIMESTAMP_MS" | "TIMESTAMP_NS":
            return f"replace({column}::VARCHAR, ' ', 'T')"
    return f"{column}::VARCHAR"
