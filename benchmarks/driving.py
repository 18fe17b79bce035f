"""A platform driven in this process: its use cases called one after the other, with Dagster or without."""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from mart_platform.assembly import Assembled, Places, plan_of
from mart_platform.planning.plan import Plan
from mart_platform.runs import building, landing, maintaining, publishing, starting
from mart_platform.runs.deciding import Todo, what_to_do
from mart_platform.runs.reporting import MartReport, TableReport


@dataclass(frozen=True)
class Built:
    """What a build did: a report of each table that was looked at, and of each mart."""

    tables: tuple[TableReport, ...] = ()
    marts: tuple[MartReport, ...] = ()

    @property
    def changed(self) -> tuple[str, ...]:
        """The tables that hold other rows than before."""
        return tuple(report.table for report in self.tables if report.outcome in ("landed", "built"))


class Driven:
    """A warehouse folder and a data folder, with all that was imported for them staying in memory."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.plan: Plan = plan_of(places)
        self.platform = Assembled(places, self.plan.settings)

    def todo(self, *targets: str) -> Todo:
        return what_to_do(self.platform, self.plan, targets)

    def build(self, *targets: str) -> Built:
        """Bring the targets up to date, all of them without any, and publish."""
        todo = self.todo(*targets)
        if not todo:
            return Built()
        run = uuid4().hex
        starting.begin(self.platform, self.plan, run, "benchmark")
        tables = tuple(self.step(run, name) for name in todo.tables)
        marts = tuple(publishing.publish_mart(self.platform, self.plan, run, mart) for mart in todo.marts)
        starting.end(self.platform, run, succeeded=True)
        return Built(tables, marts)

    def build_by_dagster(self, *targets: str) -> Built:
        """Do the same by Dagster's steps, as the command line does. Raises SystemExit when one fails."""
        from mart_platform.orchestration.running import build  # noqa: PLC0415  Dagster takes a second

        todo = self.todo(*targets)
        done = build(
            self.platform, self.plan, self.places, tuple(todo.tables), tuple(todo.marts), cause="benchmark"
        )
        if not done.succeeded:
            raise SystemExit("\n".join(f"{failure.subject}: {failure.message}" for failure in done.failures))
        return Built(done.tables, done.marts)

    def maintain(self) -> None:
        """Retire, join and remove what is due."""
        maintaining.maintain(self.platform, self.plan, uuid4().hex)

    def set_clock(self, moment: datetime) -> None:
        self.platform.clock.set(moment)

    def close(self) -> None:
        self.platform.ledger.close()

    def step(self, run: str, name: str) -> TableReport:
        """Land or build one table within a run."""
        landed = self.plan.tables[name].layer == "landing"
        make = landing.land_table if landed else building.build_table
        return make(self.platform, self.plan, run, name)
