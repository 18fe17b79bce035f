"""The engine behind the door: two lanes over locked-down instances of DuckDB."""

import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from uuid import uuid4

import duckdb

from mart_platform.adapters.queries.answering import Answered, Answering, Task
from mart_platform.adapters.queries.encoding import Encoder
from mart_platform.adapters.queries.instances import Limits
from mart_platform.adapters.queries.publications import Held, Publications
from mart_platform.adapters.queries.sizes import column_sizes
from mart_platform.adapters.queries.worker import Manners
from mart_platform.adapters.queries.workers import Workers
from mart_platform.durable import occupy
from mart_platform.ports import Cancel, Execution, ExecutionEnded, Form, QueryEngine, Relation, Result
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.settings import ServingSettings
from mart_platform.spec.words import bytes_of

_KEPT = 4
"""Sets of publications that are kept open for dashboards."""
_THREADS = os.cpu_count() or 1


class DuckDBQueries(QueryEngine):
    """Answers queries: those of dashboards in this process, all others in workers that may be killed.

    A dashboard's query spills nothing: one that needs more than ``memory`` ends, and nothing in this process
    can write. ``memory`` of an execution holds for workers; the gate sees to it that what runs here is small.
    """

    def __init__(self, data: DataFolder, settings: ServingSettings) -> None:
        self._folder = data.temporary / f"queries-{uuid4().hex}"
        self._folder.mkdir(mode=0o700, parents=True)
        self._occupied: int | None = occupy(self._folder)  # so that `mart maintain` leaves it alone
        empty = self._folder / "empty.duckdb"
        duckdb.connect(str(empty)).close()
        self._publications = Publications(data.serving, bytes_of(settings.in_memory))
        self._dashboards = Answering(self._folder, empty, Limits(bytes_of(settings.memory), _THREADS), _KEPT)
        # The workers leave half of the machine to the dashboards.
        threads = max(1, _THREADS // (2 * settings.workers))
        manners = Manners(bytes_of(settings.worker_memory), threads, self._folder, empty)
        self._workers = Workers(manners, settings.workers)
        self._encoder = Encoder(self._folder)

    def prepare(self, mart: str, number: int, relations: Sequence[Relation]) -> None:
        """Make a publication ready to be read. Raises UserError when a file of it is gone."""
        self._publications.prepare(mart, number, relations)

    def sizes(self, mart: str, number: int) -> Mapping[str, Mapping[str, int]]:
        """Return how many bytes of Parquet each column of each table of a publication takes, by name."""
        return {each.name: column_sizes(each) for each in self._publications.relations(mart, number)}

    def run(self, execution: Execution, cancel: Cancel | None = None) -> Result:
        """Return the answer of a query, whole. Raises ExecutionEnded, and UserError when the disk is full."""
        lane = self._dashboards if execution.lane == "dashboard" else self._workers
        try:
            with self._publications.reading(execution.versions.items()) as held:
                return _result(lane.answer(_task(execution, held), cancel))
        except LookupError as error:
            raise ExecutionEnded("error", str(error)) from error

    def encode(self, result: Result, form: Form) -> Iterator[bytes]:
        """Yield an answer's bytes in a form, in pieces; encoding.py says what the forms look like."""
        forms = {
            "arrow": self._encoder.arrow,
            "json": self._encoder.json,
            "csv": self._encoder.csv,
            "parquet": self._encoder.parquet,
        }
        return forms[form](result)

    def digest(self, result: Result) -> str:
        """Return the digest of an answer's names, types and rows, whatever the order of the rows."""
        return self._encoder.digest(result)

    def forget(self, kept: Collection[tuple[str, int]]) -> None:
        """Let go of all publications but these; queries that read them end well."""
        self._publications.forget(kept)
        self._dashboards.forget(lambda held: (held.mart, held.number) in kept)

    def close(self) -> None:
        """Cancel what runs, end the workers, and remove what was made but for the publications' files."""
        self._dashboards.close()
        self._workers.close()
        self._encoder.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._occupied is not None:
            os.close(self._occupied)
            self._occupied = None


def _task(execution: Execution, held: frozenset[Held]) -> Task:
    return Task(
        sql=execution.sql,
        held=held,
        parameters=execution.parameters,
        variables=execution.variables,
        seconds=execution.seconds,
        rows=execution.rows,
        memory=execution.memory if execution.lane == "ad-hoc" else None,
    )


def _result(answered: Answered) -> Result:
    spool = answered.spool
    return Result(
        columns=answered.columns,
        rows=spool.rows,
        bytes=spool.size,
        cpu_seconds=answered.cpu_seconds,
        seconds=answered.seconds,
        open=spool.open,
        close=spool.remove,
    )
