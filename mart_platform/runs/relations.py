"""Versions of tables as the engine sees them: all of their rows, or those of some intervals."""

from collections.abc import Collection, Iterable, Mapping

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.planning.quoting import literal, quoted
from mart_platform.ports import Platform, Relation
from mart_platform.spec.records import Build, DataFile, Publication, Version, VersionName
from mart_platform.spec.sources import BATCH_COLUMN, HIDDEN_COLUMNS

Pins = Mapping[str, Build]
"""For each table the build that is read."""


def relation(platform: Platform, build: Build, *, hidden: bool = False) -> Relation:
    """Return a build of a table as a relation; ``hidden`` shows the columns that landing added."""
    return relation_of(platform, version_of(platform, build), hidden=hidden)


def relation_of(platform: Platform, version: Version, *, hidden: bool = False) -> Relation:
    """Return a version of a table as a relation, with the columns that it was written with."""
    if version.view is None:
        columns = {**version.columns, **(HIDDEN_COLUMNS if hidden else {})}
        return of_files(platform, version.table, columns, version.files)
    reads = {name: named(platform, name, read) for name, read in version.view.reads.items()}
    over = tuple(relation_of(platform, read, hidden=_shows_hidden(version)) for read in reads.values())
    return Relation(version.table, version.columns, (), sql=version.view.sql, over=over)


def rows_of(platform: Platform, name: str, version: Version, intervals: Collection[str]) -> Relation:
    """Return the rows of some intervals of a version, under another name; in a landed table, of batches."""
    files = version.files_of(intervals)
    landed = any(not set(file.intervals) <= set(intervals) for file in files)
    batches = ", ".join(literal(batch) for batch in sorted(intervals))
    where = f"{quoted(BATCH_COLUMN)} IN ({batches})" if landed else None
    columns = {**version.columns, **(HIDDEN_COLUMNS if is_landed(version) else {})}
    return of_files(platform, name, columns, files, where)


def of_files(
    platform: Platform,
    name: str,
    columns: Mapping[str, str],
    files: Iterable[DataFile],
    where: str | None = None,
) -> Relation:
    """Return files as a relation."""
    return Relation(name, columns, tuple(platform.data.absolute(file.path) for file in files), where)


def inputs_of(platform: Platform, plan: Plan, table: PlannedTable, pins: Pins) -> list[Relation]:
    """Return what a table is made from and checked against, as its model sees it."""
    return [input_of(platform, plan, table, name, pins) for name in table.after]


def input_of(platform: Platform, plan: Plan, table: PlannedTable, name: str, pins: Pins) -> Relation:
    """Return one input of a table, as its model sees it."""
    hidden = sees_hidden(table) and plan.tables[name].layer == "landing"
    return relation(platform, pins[name], hidden=hidden)


def sees_hidden(table: PlannedTable) -> bool:
    """Return whether a table's model names the columns that landing added."""
    return table.model is not None and table.model.names_hidden


def version_of(platform: Platform, build: Build) -> Version:
    """Return the version that a build made."""
    return platform.ledger.version(build.table, build.fingerprint, build.version)


def named(platform: Platform, table: str, name: VersionName) -> Version:
    """Return a version by its name."""
    return platform.ledger.version(table, name.fingerprint, name.version)


def is_landed(version: Version) -> bool:
    """Return whether a version is of a table that a source delivers: its intervals name themselves."""
    return bool(version.intervals) and all(key == part.content for key, part in version.intervals.items())


def gone(platform: Platform, version: Version) -> tuple[DataFile, ...]:
    """Return the files of a version that are not on the disk any more."""
    return tuple(file for file in version.files if not platform.data.absolute(file.path).exists())


def is_broken(platform: Platform, publication: Publication) -> bool:
    """Return whether files of a publication's tables are not on the disk any more."""
    return any(
        gone(platform, platform.ledger.version(name, table.fingerprint, table.version))
        for name, table in publication.tables.items()
    )


def _shows_hidden(version: Version) -> bool:
    return version.view is not None and any(column in version.view.sql.lower() for column in HIDDEN_COLUMNS)
