"""What steps and sensors are handed: the platform, and the databases that are published."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs import starting
from mart_platform.runs.reporting import MartReport, TableReport
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError

Connect = Callable[[], Platform]
"""Gives the platform, opened when it is first needed."""

Reported = Callable[[TableReport | MartReport], None]
"""Is handed the report of each step that went well, in the process that runs it."""


class OpenPlatform:
    """The platform as one run uses it: opened by the first step, told when the run begins and ends."""

    def __init__(self, connect: Connect, reported: Reported) -> None:
        self._connect, self.reported = connect, reported
        self._begun: str | None = None

    @cached_property
    def ports(self) -> Platform:
        """All ports, each with an adapter in it."""
        return self._connect()

    def begin(self, plan: Plan, run: str, cause: str, targets: tuple[str, ...]) -> None:
        """Record the run with what it reads; every step calls this, since nobody knows which comes first."""
        if self._begun is None:
            starting.begin(self.ports, plan, run, cause, targets)
            self._begun = run

    def end(self, *, succeeded: bool) -> None:
        """Record how the run ended, if it began."""
        if self._begun is not None:
            starting.end(self.ports, self._begun, succeeded=succeeded)


def platform_resource(connect: Connect, reported: Reported) -> dg.ResourceDefinition:
    """Return the resource ``platform``, one for each run.

    Steps run in the run's own process, so Dagster takes the resource down once, when the last step is done:
    this is where the end of a run is recorded, whoever started it. A run that was killed is reaped.
    """

    @dg.resource(description="Lake, engine, ledger and all other ports of the platform.")
    def platform(context: dg.InitResourceContext) -> Iterator[OpenPlatform]:
        opened = OpenPlatform(connect, reported)
        try:
            yield opened
        finally:
            if context.run and context.instance:
                opened.end(succeeded=context.instance.get_run_stats(context.run.run_id).steps_failed == 0)

    return platform


class PublishedDuckDB(DuckDBResource):
    """Reads the DuckDB file of a mart's live publication: for sensors, checks, and analysts' own assets.

    There is one for each mart, ``published_<mart>``; its views have the names of the mart's tables:

        @dg.asset(deps=[["sales", "publication"]])
        def best_day(published_sales: PublishedDuckDB) -> str:
            with published_sales.get_connection() as connection:
                return connection.execute("SELECT max(sold_on) FROM daily_store").fetchone()[0]

    A connection stays on the publication that was live when it was opened, and is closed however the block
    ends.
    """

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file for reading. Raises UserError when the mart was never published."""
        if not Path(self.database).exists():
            raise UserError(f"There is no {self.database}; publish the mart first, with `mart build`.")
        with super().get_connection() as connection:
            try:
                yield connection
            finally:
                connection.close()


def published_database_of(data: DataFolder, mart: str) -> PublishedDuckDB:
    """Return the resource that reads a mart's published file."""
    return PublishedDuckDB(
        database=str(data.published / mart / "current" / f"{mart}.duckdb"),
        connection_config={"access_mode": "READ_ONLY"},
    )
