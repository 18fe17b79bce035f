"""DuckDB as the engine: queries and models over Parquet files, each session in a connection of its own."""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import duckdb
from arro3.core import RecordBatch, RecordBatchReader, Table

from mart_platform.adapters.engines.casting import Misfit, cast_columns, refuse_other_types
from mart_platform.adapters.engines.delta_statistics import delta_statistics
from mart_platform.planning.quoting import literal, quoted
from mart_platform.ports import Relation
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.records import DataFile
from mart_platform.spec.settings import EngineSettings
from mart_platform.spec.types import duckdb_type

if TYPE_CHECKING:
    import polars as pl


class DuckDBEngine:
    """Opens sessions that take no more of the machine than the settings allow."""

    def __init__(self, data: DataFolder, settings: EngineSettings) -> None:
        self._data = data
        self._settings = settings

    @contextmanager
    def session(self, relations: Iterable[Relation]) -> "Iterator[DuckDBSession]":
        """Open a session in which ``relations`` can be named; what it spilled is removed with it."""
        scratch = self._data.temporary / f"engine-{uuid4().hex}"
        scratch.mkdir(parents=True)
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
        }


class DuckDBSession:
    """A connection with views over Parquet files. One thread at a time."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, data: DataFolder, scratch: Path) -> None:
        self._connection = connection
        self._data = data
        self._scratch = scratch
        self._relations: dict[str, Relation] = {}

    def define(self, relation: Relation) -> None:
        """Add a relation, or put another in the place of the one with that name."""
        if gone := next((file for file in relation.files if not file.exists()), None):
            raise UserError(
                f"{relation.name}: its file {gone} is gone. Put it back from a backup, or start with an "
                "empty data folder."
            )
        columns = ", ".join(quoted(column) for column in relation.columns)
        schema = quoted(relation.name.split(".", 1)[0])
        with self._problems_as_sentences():
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            self._connection.execute(
                f"CREATE OR REPLACE VIEW {quoted(relation.name)} AS"
                f" SELECT {columns} FROM {_parquet(relation.files)}"
            )
        self._relations[relation.name] = relation

    def write(self, sql: str, columns: Mapping[str, str], into: Path) -> tuple[DataFile, ...]:
        """Write a query's rows, in its order, as one new Parquet file; raises UserError when it fails."""
        return self._write(f"(\n{sql.strip().rstrip(';')}\n)", columns, into)

    def write_model(
        self, file: Path, parameters: Mapping[str, str], columns: Mapping[str, str], into: Path
    ) -> tuple[DataFile, ...]:
        """Run a Python model and write what it returns; raises UserError with file, line and remedy."""
        # importing polars takes 0.2 s, which only a Python model should pay
        from mart_platform.adapters.engines.polars_model import load_model  # noqa: PLC0415

        model = load_model(file)
        inputs = {parameter: self._relation(name) for parameter, name in parameters.items()}
        given = self._scratch / f"{uuid4().hex}.parquet"
        try:
            model.write(inputs, given)
            refuse_other_types(self._described(_parquet([given])), columns)
            return self._write(_parquet([given]), columns, into)
        except Misfit as misfit:
            raise UserError(f"{file}:{model.line}: {misfit}") from misfit
        finally:
            given.unlink(missing_ok=True)

    def write_frames(
        self, frames: "Iterable[pl.DataFrame]", columns: Mapping[str, str], into: Path
    ) -> tuple[DataFile, ...]:
        """Write a stream of frames of one schema, of which only a few are in memory at a time.

        An error that is raised while a frame is made arrives unchanged.
        """
        coming = iter(frames)
        first = next(coming, None)
        if first is None:
            return self.write(_no_row(columns), columns, into)
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

    def _write(self, source: str, columns: Mapping[str, str], into: Path) -> tuple[DataFile, ...]:
        into.mkdir(parents=True, exist_ok=True)
        file = into / f"part-{uuid4().hex}.parquet"
        try:
            with self._problems_as_sentences():
                selected = cast_columns(self._described(source), columns)
                [written] = self._connection.execute(
                    f"COPY (SELECT {selected} FROM {source}) TO {literal(str(file))}"
                    " (FORMAT parquet, COMPRESSION zstd, RETURN_STATS)"
                ).fetchall()
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        _, rows, size, _, statistics, _ = written
        stats = delta_statistics(rows, columns, statistics)
        return (DataFile(path=self._data.relative(file), rows=rows, bytes=size, stats=stats),)

    def _described(self, source: str) -> dict[str, str]:
        with self._problems_as_sentences():
            return {row[0]: row[1] for row in self._connection.execute(f"DESCRIBE FROM {source}").fetchall()}

    def _relation(self, name: str) -> Relation:
        if name not in self._relations:
            raise UserError(f"'{name}' is not in this session. {nearest(name, self._relations)}")
        return self._relations[name]

    @contextmanager
    def _problems_as_sentences(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.InternalException, duckdb.FatalException):
            raise
        except duckdb.Error as error:
            raise UserError(_sentence(error)) from error
        except RuntimeError as error:
            if str(error) != "Query interrupted":
                raise
            self._connection.close()  # another statement on it may wait for ever for the interrupted one
            raise KeyboardInterrupt from error


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


def _for_polars(name: str, kind: object) -> str:
    foreign = re.search("INTERVAL|UNION|BIGNUM", str(kind))
    return f"{quoted(name)}::VARCHAR AS {quoted(name)}" if foreign else quoted(name)


def _value(value: Any) -> str:
    """Return a value as SQL; one that is bound makes DuckDB import pandas if it is there, 0.5 s."""
    if isinstance(value, datetime):
        kind = "TIMESTAMP" if value.tzinfo is None else "TIMESTAMPTZ"
        return f"{kind} {literal(value.isoformat())}"
    return literal(value)


def _parquet(files: Iterable[Path]) -> str:
    listed = ", ".join(literal(str(file)) for file in files)
    return f"read_parquet([{listed}], hive_partitioning = false)"


def _no_row(columns: Mapping[str, str]) -> str:
    nothing = ", ".join(f"NULL::{duckdb_type(kind)} AS {quoted(name)}" for name, kind in columns.items())
    return f"SELECT {nothing} LIMIT 0"


def _sentence(error: duckdb.Error) -> str:
    """Return the first line of DuckDB's message without the class of the error."""
    first = str(error).strip().partition("\n")[0]
    return re.sub(r"^[\w ]+ Error: ", "", first)
