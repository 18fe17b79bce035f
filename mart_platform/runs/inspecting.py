"""What is there, how it came about, and what is wrong with it: read from the ledger, nothing is changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import Platform, Relation
from mart_platform.runs.deciding import Todo, what_to_do
from mart_platform.runs.relations import version_of
from mart_platform.runs.starting import builds_of
from mart_platform.runs.versions import known_mart
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.records import (
    Batch,
    Build,
    Event,
    FreshnessState,
    Hold,
    Publication,
    Verdict,
    Version,
)

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class MartStatus:
    """A mart as its readers see it. ``rows`` counts all its tables; ``due`` says what a build would do."""

    mart: str
    title: str
    owner: str
    on_call: str
    lifecycle: str
    live: Publication | None
    hold: Hold | None
    tables: int
    rows: int
    bytes: int
    checks_passed: int
    checks: int
    seconds: float
    freshness: tuple[FreshnessState, ...]
    due: str | None


@dataclass(frozen=True)
class TableStatus:
    """Everything about one table: what it is, what there is of it, why, and what is wrong with it.

    ``refused`` is the last delivery that was refused, while deliveries are due.
    """

    table: PlannedTable
    decision: str
    build: Build | None
    version: Version | None
    published: Publication | None
    verdicts: tuple[Verdict, ...]
    downstream: tuple[str, ...]
    batches: tuple[Batch, ...]
    refused: Event | None
    history: tuple[Build, ...]


def mart_statuses(
    platform: Platform, plan: Plan, marts: Iterable[str] = (), todo: Todo | None = None
) -> list[MartStatus]:
    """Return the status of the named marts, or of all; ``todo`` where it is known already.

    Raises UserError for an unknown mart.
    """
    names = tuple(marts) or tuple(plan.marts)
    for name in names:
        known_mart(plan, name)
    todo = what_to_do(platform, plan, names) if todo is None else todo
    freshness = platform.ledger.freshness()
    return [_mart_status(platform, plan, name, todo, freshness) for name in names]


def table_status(platform: Platform, plan: Plan, name: str) -> TableStatus:
    """Return all that is known about a table. Raises UserError for an unknown one."""
    table = _known_table(plan, name)
    build = platform.ledger.latest_build(name, table.fingerprint)
    todo = what_to_do(platform, plan, [name])
    mart = plan.mart_of(name)
    return TableStatus(
        table=table,
        decision=todo.tables.get(name, "up to date: nothing that it reads has changed"),
        build=build,
        version=version_of(platform, build) if build else None,
        published=platform.ledger.live(mart.spec.mart) if mart else None,
        verdicts=_current(platform, table),
        downstream=tuple(n for n in plan.downstream_of([name]) if n != name),
        batches=tuple(platform.ledger.batches(name)) if table.layer == "landing" else (),
        refused=_refused(platform, name) if name in todo.tables else None,
        history=tuple(platform.ledger.builds(name)),
    )


def _refused(platform: Platform, name: str) -> Event | None:
    """Return the last refusal of a delivery of a table, which is still due."""
    return next(iter(platform.ledger.events(subject=name, kind="batch_refused", limit=1)), None)


def quarantined(platform: Platform, plan: Plan, name: str, limit: int = 100) -> "pl.DataFrame":
    """Return the rows of a landed table that its present contract put into quarantine, newest batches first.

    Columns: batch, position, _row, reasons (a list), record (the row as JSON). Raises UserError when the
    table is not a landed one.
    """
    table = _known_table(plan, name)
    if table.layer != "landing":
        landed = ", ".join(n for n in plan.upstream_of([name]) if plan.tables[n].layer == "landing")
        raise UserError(
            f"{name} is not landed from a source, so it has no quarantine; it goes back to: {landed}."
        )
    batches = platform.ledger.batches(name, table.fingerprint)
    files = [batch.quarantine_file for batch in batches if batch.quarantine_file]
    columns = {
        "batch": "string",
        "position": "string",
        "_row": "bigint",
        "reasons": "list(string)",
        "record": "string",
    }
    newest_first = tuple(platform.data.absolute(file) for file in reversed(files))
    kept = [Relation("quarantine.rows", columns, newest_first)] if files else []
    read = ", ".join(columns if files else (f"NULL::VARCHAR AS {column}" for column in columns))
    source = f"quarantine.rows LIMIT {int(limit)}" if files else "range(0)"
    with platform.engine.session(kept) as session:
        return session.frame(f"SELECT {read} FROM {source}")


def watermark_path(platform: Platform, plan: Plan, table: str) -> tuple[str, datetime | None]:
    """Follow the earliest watermark upstream and return the first table that has it, and the watermark."""
    name = table
    while True:
        builds = {
            reads: build
            for reads in plan.tables[name].inputs
            if (build := platform.ledger.latest_build(reads, plan.tables[reads].fingerprint))
            and build.watermark is not None
        }
        if not builds:
            own = platform.ledger.latest_build(name, plan.tables[name].fingerprint)
            return name, own.watermark if own else None
        name = min(builds, key=lambda reads: (builds[reads].watermark, reads))


def _mart_status(
    platform: Platform, plan: Plan, name: str, todo: Todo, freshness: list[FreshnessState]
) -> MartStatus:
    mart, live = plan.marts[name], platform.ledger.live(name)
    builds = builds_of(platform, live) if live else {}
    verdicts = [verdict for table in mart.tables for verdict in _current(platform, plan.tables[table])]
    versions = [version_of(platform, build) for build in builds.values()]
    return MartStatus(
        mart=name,
        title=mart.spec.title,
        owner=mart.spec.owner.team,
        on_call=mart.spec.owner.on_call,
        lifecycle=mart.spec.lifecycle,
        live=live,
        hold=platform.ledger.hold_of(name),
        tables=len(mart.tables),
        rows=sum(version.rows for version in versions),
        bytes=sum(version.bytes for version in versions),
        checks_passed=sum(verdict.passed for verdict in verdicts),
        checks=sum(len(plan.tables[table].checks) for table in mart.tables),
        seconds=sum(build.seconds for build in builds.values()),
        freshness=tuple(state for state in freshness if state.mart == name),
        due=todo.marts.get(name),
    )


def _current(platform: Platform, table: PlannedTable) -> tuple[Verdict, ...]:
    """Return the newest verdict of each check that the table has now, be it on a candidate that failed."""
    newest = platform.ledger.last_verdicts(table.name)
    return tuple(newest[check.fingerprint] for check in table.checks if check.fingerprint in newest)


def _known_table(plan: Plan, name: str) -> PlannedTable:
    if name not in plan.tables:
        raise UserError(f"There is no table '{name}'. {nearest(name, plan.tables)}")
    return plan.tables[name]
