"""The rows of an input from which some intervals of a table are made, and as few files as may be."""

from collections.abc import Collection
from dataclasses import replace

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.planning.quoting import literal
from mart_platform.ports import EngineSession, Platform, Relation
from mart_platform.runs.relations import Pins, input_of, version_of
from mart_platform.spec.records import DataFile
from mart_platform.spec.sources import HIDDEN_COLUMNS
from mart_platform.spec.types import duckdb_type
from mart_platform.stages import narrowing


def restricted_input(
    platform: Platform,
    session: EngineSession,
    plan: Plan,
    table: PlannedTable,
    name: str,
    pins: Pins,
    intervals: Collection[str],
) -> Relation:
    """Return a bound input as its model sees it, with the rows alone that go to these intervals."""
    files = files_read(platform, session, plan, table, name, pins, intervals)
    wanted = ", ".join(literal(key) for key in sorted(intervals)) or "NULL"
    return replace(
        input_of(platform, plan, table, name, pins),
        files=tuple(platform.data.absolute(file.path) for file in files),
        where=f"({table.bindings[name].expression}) IN ({wanted})",
    )


def files_read(
    platform: Platform,
    session: EngineSession,
    plan: Plan,
    table: PlannedTable,
    name: str,
    pins: Pins,
    intervals: Collection[str] | None,
) -> tuple[DataFile, ...]:
    """Return the files of an input that are opened to build these intervals of a table; None for all."""
    version, binding = version_of(platform, pins[name]), table.bindings.get(name)
    if intervals is None or binding is None:
        return version.files
    kind = duckdb_type({**HIDDEN_COLUMNS, **plan.tables[name].types}[binding.columns[0]])
    if binding.from_key:
        goes_to = narrowing.reached_by_key(session, binding, kind, version.intervals.keys())
        return version.files_of([key for key, reached in goes_to.items() if reached in intervals])
    return narrowing.files_reaching(session, binding, kind, version.files, intervals)
