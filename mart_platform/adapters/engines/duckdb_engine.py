"""DuckDB as the engine: queries and models over Parquet files, each session in a connection of its own."""

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import duckdb
from arro3.core import RecordBatch, RecordBatchReader, Table

from mart_platform.adapters import disk
from mart_platform.adapters.engines.casting import Misfit, cast_columns, refuse_other_types
from mart_platform.adapters.engines.file_statistics import bounds_of_time, delta_statistics
from mart_platform.adapters.engines.relations import Relations, no_row, parquet, subquery
from mart_platform.planning.quoting import identifier, literal, quoted
from mart_platform.ports import Relation
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.records import ALL, DataFile
from mart_platform.spec.settings import EngineSettings

if TYPE_CHECKING:
    import polars as pl

_PARQUET = "FORMAT parquet, COMPRESSION zstd, RETURN_STATS"
_ROWS_HELD = 1_000_000
"""Rows that a thread gathers by interval before it writes them. With half as many, as DuckDB has it, rows
without order end in twice the files at a third more CPU; many more make a small memory spill, at twice the
CPU."""


class DuckDBEngine:
    """Opens sessions that take no more of the machine than the settings allow."""

    def __init__(self, data: DataFolder, settings: EngineSettings) -> None:
        self._data = data
        self._settings = settings

    @contextmanager
    def session(self, relations: Iterable[Relation]) -> "Iterator[DuckDBSession]":
        """Open a session in which ``relations`` can be named; what it spilled is removed with it."""
        scratch = self._data.temporary / f"engine-{uuid4().hex}"
        _make(scratch)
        try:
            with closing(duckdb.connect(config=self._config(scratch))) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                session = DuckDBSession(connection, self._data, scratch)
                for relation in relations:
                    session.define(relation)
                yield session
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _config(self, scratch: Path) -> dict[str, str | bool | int | float | list[str]]:
        # The order of rows is kept (it costs nothing that could be measured): a table whose rows come
        # clustered from its input stays clustered, which lets readers skip most of it.
        limits = {"threads": self._settings.threads} if self._settings.threads else {}
        return {
            **limits,
            "memory_limit": self._settings.memory,
            "temp_directory": str(scratch),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "partitioned_write_flush_threshold": _ROWS_HELD,
        }


class DuckDBSession:
    """A connection with views over Parquet files. One thread at a time."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, data: DataFolder, scratch: Path) -> None:
        self._connection = connection
        self._data = data
        self._scratch = scratch
        self._relations: dict[str, Relation] = {}
        self._defined = Relations(self._execute)

    def define(self, relation: Relation) -> None:
        """Add a relation, or put another in the place of the one with that name.

        Raises UserError, naming the relation, when a file of it is gone or its SQL does not hold.
        """
        self._defined.define(relation, relation.name)
        self._relations[relation.name] = relation

    def write(
        self, sql: str, columns: Mapping[str, str], into: Path, interval: str | None = None
    ) -> tuple[DataFile, ...]:
        """Write a query's rows as new Parquet files; raises UserError when it fails.

        Without ``interval`` that is one file in the order of the query. With it, a file holds the rows of its
        interval nearly in that order (threads take turns), and there may be several files of one interval.
        """
        return self._write(subquery(sql), columns, into, interval)

    def write_model(
        self,
        file: Path,
        parameters: Mapping[str, str],
        columns: Mapping[str, str],
        into: Path,
        interval: str | None = None,
    ) -> tuple[DataFile, ...]:
        """Run a Python model and write what it returns; raises UserError with file, line and remedy."""
        # importing polars takes 0.2 s, which only a Python model should pay
        from mart_platform.adapters.engines.polars_model import load_model  # noqa: PLC0415

        model = load_model(file)
        with tempfile.TemporaryDirectory(dir=self._scratch) as scratch:
            given = Path(scratch) / "given.parquet"
            inputs = {name: self._as_files(table, Path(scratch)) for name, table in parameters.items()}
            try:
                model.write(inputs, given)
                refuse_other_types(self._described(parquet([given])), columns)
                return self._write(parquet([given]), columns, into, interval)
            except Misfit as misfit:
                raise UserError(f"{file}:{model.line}: {misfit}") from misfit

    def write_frames(
        self, frames: "Iterable[pl.DataFrame]", columns: Mapping[str, str], into: Path
    ) -> tuple[DataFile, ...]:
        """Write a stream of frames of one schema, of which only a few are in memory at a time.

        An error that is raised while a frame is made arrives unchanged.
        """
        coming = iter(frames)
        first = next(coming, None)
        if first is None:
            return self.write(no_row(columns), columns, into)
        stream = _FrameStream(first, coming)
        name = f"frames_{uuid4().hex}"
        self._connection.register(name, stream.reader)
        try:
            files = self._write(name, columns, into)
        except UserError as error:
            raise stream.broken_by or error from None
        self._connection.unregister(name)
        return files

    def rows(self, sql: str, variables: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return a small answer; ``variables`` can be read by ``getvariable``."""
        with self._problems_as_sentences():
            for name, value in (variables or {}).items():
                self._connection.execute(f"SET VARIABLE {quoted(name)} = {_value(value)}")
            answer = self._connection.execute(sql)
            names = [column[0] for column in answer.description]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def frame(self, sql: str) -> "pl.DataFrame":
        """Return an answer as a Polars frame.

        Of columns that share a name, all but the first get a number; a type that Polars lacks comes as text.
        """
        import polars as pl  # noqa: PLC0415 (0.2 s, which only those who want frames should pay)

        with self._problems_as_sentences():
            answer = self._connection.sql(sql).project("*")  # which tells columns of one name apart
            columns = zip(answer.columns, answer.types, strict=True)
            return pl.DataFrame(answer.project(", ".join(_for_polars(*column) for column in columns)))

    def _as_files(self, name: str, scratch: Path) -> Relation:
        """Return a relation that is nothing but files: for one that is more, its rows go to a new file."""
        relation = self._relation(name)
        if relation.files and relation.where is None:
            return relation
        file = scratch / f"{uuid4().hex}.parquet"
        with self._problems_as_sentences():
            self._connection.execute(
                f"COPY (FROM {quoted(name)}) TO {literal(str(file))} (FORMAT parquet, COMPRESSION lz4)"
            )
        return Relation(name, relation.columns, (file,))

    def _write(
        self, source: str, columns: Mapping[str, str], into: Path, interval: str | None = None
    ) -> tuple[DataFile, ...]:
        _make(into)
        name = f"part-{uuid4().hex}"
        try:
            with self._problems_as_sentences():
                selected = cast_columns(self._described(source), columns)
                copy = _copy(f"SELECT {selected} FROM {source}", into, name, interval)
                written = self._connection.execute(copy).fetchall()
        except BaseException:
            for half_made in into.glob(f"{name}*"):
                half_made.unlink(missing_ok=True)
            raise
        return tuple(self._data_file(columns, *row) for row in written)

    def _data_file(
        self,
        columns: Mapping[str, str],
        file: str,
        rows: int,
        size: int,
        _footer: int,
        found: Mapping[str, Mapping[str, str]],
        keys: Mapping[str, str | None] | None,
    ) -> DataFile:
        """Return a written file from the row that DuckDB gives for it; the only key is the interval's."""
        intervals = (ALL,) if keys is None else keys.values()
        return DataFile(
            path=self._data.relative(Path(file)),
            rows=rows,
            bytes=size,
            stats=delta_statistics(rows, columns, found),
            intervals=tuple(key for key in intervals if key is not None),
            bounds=bounds_of_time(columns, found),
        )

    def _described(self, source: str) -> dict[str, str]:
        with self._problems_as_sentences():
            return {row[0]: row[1] for row in self._connection.execute(f"DESCRIBE FROM {source}").fetchall()}

    def _relation(self, name: str) -> Relation:
        if name not in self._relations:
            raise UserError(f"'{name}' is not in this session. {nearest(name, self._relations)}")
        return self._relations[name]

    def _execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        with self._problems_as_sentences():
            return self._connection.execute(sql)

    @contextmanager
    def _problems_as_sentences(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.InternalException, duckdb.FatalException):
            raise
        except duckdb.Error as error:
            raise disk.full(error, self._data.root) or _as_sentence(error) from error
        except RuntimeError as error:
            if str(error) != "Query interrupted":
                raise
            self._wait_for_its_threads()
            raise KeyboardInterrupt from error

    def _wait_for_its_threads(self) -> None:
        """Return when nothing is left of a statement that was interrupted: its threads would write on."""
        self._connection.interrupt()  # tells the threads; without it the next statement waits for ever
        with suppress(duckdb.InterruptException):
            self._connection.execute("SELECT 1")


class _FrameStream:
    """Frames as one Arrow stream that is read once; it remembers what broke it."""

    def __init__(self, first: "pl.DataFrame", others: "Iterator[pl.DataFrame]") -> None:
        self.broken_by: BaseException | None = None
        self._schema = first.schema
        batches = self._batches(chain([first], others))
        self.reader = RecordBatchReader.from_batches(Table.from_arrow(first).schema, batches)

    def _batches(self, frames: "Iterable[pl.DataFrame]") -> Iterator[RecordBatch]:
        try:
            for frame in frames:
                self._refuse_other_columns(frame)
                yield from Table.from_arrow(frame).to_batches()
        except BaseException as error:
            self.broken_by = error
            raise

    def _refuse_other_columns(self, frame: "pl.DataFrame") -> None:
        if frame.schema != self._schema:
            raise ValueError(f"a frame has the columns {frame.schema}, those before it {self._schema}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if sentence := disk.refused(error, folder):
            raise sentence from error
        raise


def _for_polars(name: str, kind: object) -> str:
    foreign = re.search("INTERVAL|UNION|BIGNUM", str(kind))
    whole = identifier(name)
    return f"{whole}::VARCHAR AS {whole}" if foreign else whole


def _value(value: Any) -> str:
    """Return a value as SQL; one that is bound makes DuckDB import pandas if it is there, 0.5 s."""
    if isinstance(value, datetime):
        kind = "TIMESTAMP" if value.tzinfo is None else "TIMESTAMPTZ"
        return f"{kind} {literal(value.isoformat())}"
    return literal(value)


def _copy(select: str, into: Path, name: str, interval: str | None) -> str:
    """Return a COPY into one file, or into files of one interval each, which lie flat in the folder."""
    if interval is None:
        return f"COPY ({select}) TO {literal(str(into / name) + '.parquet')} ({_PARQUET})"
    key = quoted(f"interval-{uuid4().hex}")
    return (
        f"COPY (SELECT *, (\n{interval}\n) AS {key} FROM ({select})) TO {literal(str(into))} ({_PARQUET},"
        f" PARTITION_BY ({key}), WRITE_PARTITION_COLUMNS false, HIVE_FILE_PATTERN false,"
        f" FILENAME_PATTERN {literal(name + '-{i}')}, OVERWRITE_OR_IGNORE)"
    )


def _as_sentence(error: duckdb.Error) -> UserError:
    """Return the first line of the message without the class of the error."""
    first = str(error).strip().partition("\n")[0]
    return UserError(re.sub(r"^[\w ]+ Error: ", "", first))
