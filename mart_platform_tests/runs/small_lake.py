"""Tables of a few bytes a file, committed and recorded as the platform does it, whose rows nobody reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from uuid import uuid4

from mart_platform.planning.plan import Plan, PlannedMart, PlannedTable
from mart_platform.runs.leasing import this_process
from mart_platform.spec.marts import Mart
from mart_platform.spec.records import (
    Backfill,
    BackfillPiece,
    Build,
    DataFile,
    Interval,
    Publication,
    PublishedTable,
    Reading,
    Run,
    Version,
    VersionName,
    ViewText,
    content_of,
    digest_of,
)
from mart_platform.spec.tables import Partition
from mart_platform_tests.stages.small_platform import SmallPlatform, plan_of, planned_table

COLUMNS = {"day": "date"}
DEAD = this_process().rsplit(":", 2)[0] + ":999999999:1"
"""A process of this machine that does not run."""

MART = {
    "mart": "m",
    "title": "M",
    "purpose": "p",
    "owner": {"team": "t", "contact": "a@b.example", "on_call": "c"},
    "consumers": ["c"],
    "pattern": "star",
    "built_from": "canonical",
    "lifecycle": "production",
    "cadence": "stream",
    "retention": {"keep": "1y"},
    "quota": {"spend_per_day": 1, "rows_per_query": 1},
    "questions": [{"ask": "a", "sql": "SELECT 1"}],
}


def incremental(name: str, fingerprint: str, inputs: tuple[str, ...] = ()) -> PlannedTable:
    """Return a table that is cut into days."""
    table = planned_table(name, COLUMNS, fingerprint=fingerprint)
    cut = {"kind": "incremental", "partition": Partition(column="day"), "interval": "day", "inputs": inputs}
    path = f"{name.replace('.', '/')}/{fingerprint}"
    return table.model_copy(update={**cut, "path": path})


def plan_with(*tables: PlannedTable) -> Plan:
    """Return a plan of these tables, with the mart ``m``."""
    plan = plan_of(*tables)
    own = tuple(table.name for table in tables if table.schema_name == "m")
    mart = PlannedMart(spec=Mart.model_validate(MART), folder="marts/m", tables=own)
    return plan.model_copy(update={"marts": {"m": mart}})


@dataclass
class SmallLake:
    """A data folder in which tables are built, published and read."""

    folder: Path
    platform: SmallPlatform = field(init=False)
    pins: dict[str, dict[str, Build]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.platform = SmallPlatform(self.folder)
        self.platform.data.lake.mkdir(parents=True)

    def file(self, table: PlannedTable, *intervals: str) -> DataFile:
        """Write a file that nothing refers to, as a killed writer leaves it."""
        place = self.platform.data.lake / table.path / f"part-{uuid4().hex}.parquet"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"rows")
        return DataFile(path=self.platform.data.relative(place), rows=1, bytes=4, intervals=intervals)

    def build(
        self, table: PlannedTable, days: Iterable[str], inputs: Mapping[str, Version] | None = None
    ) -> Version:
        """Build days of a table anew; the others stay as they are."""
        present = self.platform.ledger.latest_build(table.name, table.fingerprint)
        base = present and self.version(present)
        new = {day: self.file(table, day) for day in days}
        kept = [file for file in (base.files if base else ()) if file.intervals[0] not in new]
        intervals = {**(base.intervals if base else {}), **{day: _interval() for day in new}}
        return self.commit(table, [*kept, *new.values()], intervals, inputs)

    def commit(
        self,
        table: PlannedTable,
        files: list[DataFile],
        intervals: Mapping[str, Interval],
        inputs: Mapping[str, Version] | None = None,
        *,
        record: bool = True,
    ) -> Version:
        """Commit files, and record them unless the run is killed just then."""
        head = self.platform.lake.head(table.path)
        number = self.platform.lake.commit(
            table.path,
            COLUMNS,
            files,
            base=head.number if head else None,
            append=False,
            metadata={},
        )
        version = Version(
            table=table.name,
            fingerprint=table.fingerprint,
            id=digest_of(file.path for file in files),
            number=number,
            columns=COLUMNS,
            files=tuple(files),
            intervals=dict(intervals),
            content=content_of(intervals),
            created_at=self.platform.clock.wall(),
        )
        if record:
            self._record(version, inputs or {})
        return version

    def view(self, name: str, fingerprint: str, reads: Mapping[str, Version]) -> Version:
        """Build a view of versions."""
        version = Version(
            table=name,
            fingerprint=fingerprint,
            id=digest_of(version.id for version in reads.values()),
            number=0,
            columns=COLUMNS,
            files=(),
            view=ViewText(sql="", reads={table: name_of(version) for table, version in reads.items()}),
            content="v",
            created_at=self.platform.clock.wall(),
        )
        self._record(version, reads)
        return version

    def publish(self, versions: Iterable[Version], state: str = "live") -> Publication:
        """Make versions a publication of the mart ``m``."""
        clock, history = self.platform.clock, self.platform.ledger.publications("m")
        publication = Publication.model_validate(
            {
                "mart": "m",
                "number": history[0].number + 1 if history else 1,
                "state": state,
                "tables": {version.table: _published(version) for version in versions},
                "plan": "p",
                "watermark": None,
                "at": clock.wall(),
                "by": "test",
                "reason": "test",
                "run": "r",
            }
        )
        self.platform.ledger.publish(publication)
        return publication

    def begin_run(self, versions: Iterable[Version], holder: str) -> str:
        """Begin a run that reads versions."""
        run = uuid4().hex
        record = Run(
            id=run, cause="t", plan="p", targets=(), began_at=self.platform.clock.wall(), holder=holder
        )
        self.platform.ledger.begin_run(record, {v.table: self._build(v, {}) for v in versions})
        return run

    def begin_reading(self, version: Version, holder: str) -> None:
        """Begin a query of a version."""
        reads = {version.table: name_of(version)}
        at = self.platform.clock.wall()
        self.platform.ledger.begin_reading(Reading(id=uuid4().hex, tables=reads, holder=holder, at=at))

    def backfill(self, table: PlannedTable, state: str, pins: str = "") -> DataFile:
        """Write a piece of a backfill of a table, and return its file."""
        work, piece = uuid4().hex, self.file(table, "2017-01-01")
        at = self.platform.clock.wall()
        facts = {"id": work, "target": table.name, "first": "2017-01-01", "last": "2017-01-01", "owed": {}}
        record = Backfill.model_validate({**facts, "pins": pins, "state": state, "holder": DEAD, "at": at})
        self.platform.ledger.record_backfill(record)
        self.platform.ledger.add_piece(
            BackfillPiece(
                backfill=work,
                table=table.name,
                fingerprint=table.fingerprint,
                intervals={"2017-01-01": _interval()},
                files=(piece,),
                seconds=0.0,
                at=at,
            )
        )
        return piece

    def version(self, build: Build) -> Version:
        return self.platform.ledger.version(build.table, build.fingerprint, build.version)

    def on_disk(self) -> set[str]:
        """Return all data files of the lake."""
        found = self.platform.data.lake.rglob("*.parquet")
        return {self.platform.data.relative(file) for file in found if "_delta_log" not in file.parts}

    def _record(self, version: Version, inputs: Mapping[str, Version]) -> None:
        self.platform.ledger.record_build(self._build(version, inputs), version)

    def _build(self, version: Version, inputs: Mapping[str, Version]) -> Build:
        return Build(
            table=version.table,
            fingerprint=version.fingerprint,
            version=version.id,
            content=version.content,
            consumed={table: read.content for table, read in inputs.items()},
            read={table: name_of(read) for table, read in inputs.items()},
            roots={},
            watermark=None,
            rebuilt=tuple(version.intervals),
            run="built",
            reason="test",
            seconds=0.0,
            at=self.platform.clock.wall(),
        )


def name_of(version: Version) -> VersionName:
    return VersionName(fingerprint=version.fingerprint, version=version.id)


def paths(version: Version) -> set[str]:
    return {file.path for file in version.files}


def day(number: int) -> str:
    """Return a day of January 2017."""
    return date(2017, 1, 1 + number).isoformat()


def _interval() -> Interval:
    return Interval(content=uuid4().hex, rows=1)


def _published(version: Version) -> PublishedTable:
    return PublishedTable(fingerprint=version.fingerprint, version=version.id, content=version.content)
