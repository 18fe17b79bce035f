"""Answering a query in this process: in the server for dashboards, in a worker for all others."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arro3.core import RecordBatch

from mart_platform.adapters.queries.adbc import Answer, Connection, Failed
from mart_platform.adapters.queries.instances import Instance, Instances, Limits
from mart_platform.adapters.queries.metering import Taken
from mart_platform.adapters.queries.parameters import Parameters, Unbindable, bound, row
from mart_platform.adapters.queries.publications import Held
from mart_platform.adapters.queries.spools import Spool, TooLarge, spooled
from mart_platform.adapters.queries.watching import Watch, Watched
from mart_platform.planning.quoting import identifier
from mart_platform.ports import Cancel, ExecutionEnded


@dataclass(frozen=True)
class Task:
    """A query to answer, and what it reads. ``memory`` is what it may take, where others may take more."""

    sql: str
    held: frozenset[Held]
    parameters: Parameters = field(default=(), repr=False)
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    seconds: float = 60.0
    rows: int = 5_000_000
    memory: int | None = None


@dataclass(frozen=True)
class Answered:
    """The answer to a task: names and DuckDB types of its columns, its rows, and what it took."""

    columns: Mapping[str, str]
    spool: Spool
    cpu_seconds: float
    seconds: float


class Answering:
    """Answers tasks in this process, with some instances kept open. Safe for many threads.

    ``folder`` takes what is large; ``empty`` is a DuckDB file with nothing in it.
    """

    def __init__(self, folder: Path, empty: Path, limits: Limits, kept: int) -> None:
        self._folder = folder
        self._instances = Instances(limits, empty, kept)
        self._watch = Watch(folder)

    def answer(self, task: Task, cancel: Cancel | None = None) -> Answered:
        """Return the answer whole. Raises ExecutionEnded, and UserError when the disk is full."""
        begun, taken = time.monotonic(), Taken()
        try:
            with (
                self._instances.using(task.held, task.memory) as instance,
                instance.meter.metering() as taken,
            ):
                columns, spool = self._answer(instance, task, cancel)
        except (Failed, Unbindable, TooLarge, _Stopped) as error:
            raise ExecutionEnded(_code(error), str(error), taken.seconds) from error
        return Answered(columns, spool, taken.seconds, time.monotonic() - begun)

    def forget(self, is_kept: Callable[[Held], bool]) -> None:
        """Close what holds anything else, as soon as no query reads it."""
        self._instances.forget(is_kept)

    def close(self) -> None:
        """Cancel what runs, and return when it has ended."""
        self._watch.close()
        self._instances.forget(lambda _: False)

    def _answer(
        self, instance: Instance, task: Task, cancel: Cancel | None
    ) -> tuple[Mapping[str, str], Spool]:
        sql, parameters = bound(task.sql, task.parameters)
        with (
            instance.connect() as connection,
            self._watch.over(connection, task.seconds, cancel) as watched,
        ):
            try:
                _set(connection, task.variables)
                shape = instance.shapes.of(connection, sql, parameters)
                with connection.answer(shape.sql, parameters) as answer:
                    batches = _while_wanted(answer, watched)
                    return shape.columns, spooled(answer.schema, batches, task.rows, self._folder)
            except Failed as error:
                raise _Stopped(watched.ended, str(error)) if watched.ended else error from error


class _Stopped(Exception):
    """A query was ended by the watch, for this reason."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def _set(connection: Connection, variables: Mapping[str, Any]) -> None:
    for name, value in variables.items():
        given = "$1" if value is not None else "NULL"
        try:
            connection.execute(
                f"SET VARIABLE {identifier(name)} = {given}", row({name: value} if value is not None else {})
            )
        except Failed:  # whose text might say what the value is
            raise Failed(f"the variable '{name}' could not be set") from None


def _while_wanted(answer: Answer, watched: Watched) -> Iterator[RecordBatch]:
    for batch in answer:
        if watched.ended:
            raise Failed("the query was ended between two batches")
        yield batch


def _code(error: Exception) -> str:
    if isinstance(error, _Stopped):
        return error.code
    if isinstance(error, TooLarge):
        return "too_many_rows"
    return "out_of_memory" if "Out of Memory Error" in str(error) else "error"
