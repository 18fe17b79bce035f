"""A source's table in one run: new deliveries landed, and the build recorded that the others read."""

import time
from collections.abc import Sequence

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import Platform
from mart_platform.runs.committing import BUILD
from mart_platform.runs.compacting import VERSION
from mart_platform.runs.deciding import deliveries
from mart_platform.runs.leasing import holding
from mart_platform.runs.relations import version_of
from mart_platform.runs.reporting import Outcome, TableReport
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Batch, Build, Version
from mart_platform.stages import landing


def land_table(platform: Platform, plan: Plan, run: str, name: str) -> TableReport:
    """Land what is new of a source's table, and record the version that is read from now on.

    Raises UserError when a delivery is refused; the deliveries before it stay landed.
    """
    table, began = plan.tables[name], time.monotonic()
    platform.progress.begins(name, "land")
    with holding(platform, f"table {name}", run):
        report = landing.land(platform, plan, table, run)
        if not report.batches:
            raise UserError(_never_delivered(plan, table))
        reason = _reason(report)
        build, version = _recorded(platform, plan, table, run, report.batches, reason, began)
    visible = [batch for batch in report.batches if batch.id in version.intervals]
    outcome: Outcome = "landed" if report.landed else "skipped"
    platform.progress.ends(name, outcome)
    return TableReport(
        table=name,
        outcome=outcome,
        reason=reason,
        rows=version.rows,
        bytes=version.bytes,
        version=version.id,
        watermark=build.watermark,
        seconds=time.monotonic() - began,
        warnings=tuple(report.warnings),
        facts={
            "batches": len(report.batches),
            "rows_read": sum(batch.rows_read for batch in visible),
            "quarantined_now": report.rows_quarantined,
            "quarantined": sum(batch.quarantined for batch in visible),
            "late_now": report.rows_late,
            "late": sum(batch.late for batch in visible),
        },
    )


def _never_delivered(plan: Plan, table: PlannedTable) -> str:
    source = plan.sources[table.schema_name]
    told = ", ".join(f"{option}: {value}" for option, value in source.options_of(table.short_name).items())
    sentence = (
        f"{table.name}: nothing was ever delivered as {table.file} says ({told}), seen from {plan.root}."
    )
    if source.tables[table.short_name].replay is None:
        return sentence
    return f"{sentence} It is played by the business clock: `mart clock` shows where that stands."


def _reason(report: landing.LandingReport) -> str:
    if report.landed:
        return deliveries(len(report.landed))
    if report.adopted:
        return f"{len(report.adopted)} batches of the lake were missing in the ledger"
    return "nothing new was delivered"


def _recorded(
    platform: Platform,
    plan: Plan,
    table: PlannedTable,
    run: str,
    batches: Sequence[Batch],
    reason: str,
    began: float,
) -> tuple[Build, Version]:
    """Let the run read what the batches make, and record that as a build where it is none yet."""
    contract = plan.sources[table.schema_name].tables[table.short_name]
    previous = _previous(platform, table)
    head, now = platform.lake.head(table.path), platform.clock.wall()
    version, watermark = landing.landed_version(
        table, contract, batches, previous, head.number if head else 0, now
    )
    present = platform.ledger.latest_build(table.name, table.fingerprint)
    if present is not None and (present.version, present.watermark) == (version.id, watermark):
        platform.ledger.pin(run, {table.name: present})
        return present, version
    build = Build(
        table=table.name,
        fingerprint=table.fingerprint,
        version=version.id,
        content=version.content,
        consumed={},
        roots={table.name: version.content},
        watermark=watermark,
        run=run,
        reason=reason,
        seconds=time.monotonic() - began,
        at=now,
    )
    platform.ledger.record_build(build, version)
    return build, version


def _previous(platform: Platform, table: PlannedTable) -> Version | None:
    """Return the version before this run; what compaction committed and nobody recorded is recorded first.

    A ledger that was lost knows none of it, and the files that were landed may be gone since.
    """
    present = platform.ledger.latest_build(table.name, table.fingerprint)
    version = version_of(platform, present) if present else None
    for entry in platform.lake.commits(table.path, version.number if version else -1):
        if VERSION in entry.metadata:
            version = Version.model_validate_json(entry.metadata[VERSION])
            platform.ledger.record_build(Build.model_validate_json(entry.metadata[BUILD]), version)
    return version
