"""A platform with the real lake and engine, with fakes for what remembers, and small tables for it."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from mart_platform.assembly import Assembled, Places
from mart_platform.planning.check_sql import compile_check
from mart_platform.planning.plan import Plan, PlannedColumn, PlannedModel, PlannedTable
from mart_platform.ports import Relation
from mart_platform.spec.checks import Check
from mart_platform.spec.records import Publication, PublishedTable, Version, digest_of
from mart_platform.spec.settings import EngineSettings, Settings
from mart_platform.stages import building
from mart_platform.stages.publishing import Source, Sources
from mart_platform_tests.fakes import MemoryDirectory, MemoryLedger, SettableClock

SETTINGS = Settings(engine=EngineSettings(memory="1GB", threads=2))


class SmallPlatform(Assembled):
    """Below one folder; its clock stands still."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Places(warehouse=folder / "warehouse", data=folder / "data"), SETTINGS)

    @cached_property
    def clock(self) -> SettableClock:  # type: ignore[override]  # it stands for the real one
        return SettableClock()

    @cached_property
    def ledger(self) -> MemoryLedger:
        return MemoryLedger()

    @cached_property
    def directory(self) -> MemoryDirectory:
        return MemoryDirectory()


def planned_table(
    name: str,
    columns: Mapping[str, str],
    *,
    labels: Iterable[str] = (),
    checks: Iterable[Check] = (),
    model: PlannedModel | None = None,
    fingerprint: str = "f1",
) -> PlannedTable:
    """Return a mart table; ``labels`` names its sensitive columns."""
    return PlannedTable(
        name=name,
        layer="mart",
        description=f"The table {name}.",
        owner="team",
        fingerprint=fingerprint,
        path=f"{name}-{fingerprint}",
        file=f"tables/{name}.yaml",
        columns=tuple(
            PlannedColumn(
                name=column,
                type=kind,
                meaning=f"The {column}.",
                labels=("personal",) if column in labels else (),
            )
            for column, kind in columns.items()
        ),
        checks=tuple(compile_check(check, name) for check in checks),
        model=model,
    )


def plan_of(*tables: PlannedTable, root: str = "/warehouse") -> Plan:
    """Return a plan of these tables and nothing else."""
    named = {table.name: table for table in tables}
    return Plan(digest="p1", root=root, settings=SETTINGS, sources={}, tables=named, marts={})


def build(platform: SmallPlatform, table: PlannedTable, sql: str) -> Version:
    """Write and commit a version of a table from a query."""
    planned = table.model_copy(update={"model": PlannedModel(file="model.sql", sql=sql)})
    base = platform.lake.head(table.path)
    with platform.engine.session([]) as session:
        files = building.write_candidate(platform, session, plan_of(planned), planned)
    number = platform.lake.commit(
        table.path, table.types, files, base=base.number if base else None, append=False, metadata={}
    )
    return Version(
        table=table.name,
        fingerprint=table.fingerprint,
        id=digest_of(file.path for file in files),
        number=number,
        columns=table.types,
        files=files,
        content="c",
        created_at=platform.clock.wall(),
    )


def publish(platform: SmallPlatform, versions: Mapping[str, Version]) -> Publication:
    """Make versions of the mart ``sales`` live in the ledger."""
    live = platform.ledger.live("sales")
    publication = Publication(
        mart="sales",
        number=live.number + 1 if live else 1,
        tables={
            name: PublishedTable(fingerprint=v.fingerprint, version=v.id, content=v.content)
            for name, v in versions.items()
        },
        plan="p1",
        watermark=platform.clock.now(),
        at=platform.clock.wall(),
        by="test",
        reason="test",
        run="r1",
    )
    platform.ledger.publish(publication)
    return publication


def relation(platform: SmallPlatform, table: PlannedTable, version: Version) -> Relation:
    """Return a version as the engine sees it."""
    columns = {column.name: column.type for column in table.columns}
    return Relation(table.name, columns, tuple(platform.data.absolute(file.path) for file in version.files))


def sources(platform: SmallPlatform, versions: Mapping[str, Version]) -> Sources:
    """Return what gives a version by the name of its table, and that version as the engine sees it."""

    def source(name: str) -> Source:
        version = versions[name]
        files = tuple(platform.data.absolute(file.path) for file in version.files)
        sql = version.view.sql if version.view else None
        return Source(version, lambda: Relation(name, version.columns, files, sql=sql))

    return source
