"""A source's table in one run: new deliveries landed, and the build recorded that the others read."""

import time

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import Platform
from mart_platform.runs.deciding import deliveries
from mart_platform.runs.leasing import holding
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
        batches = platform.ledger.batches(name, table.fingerprint)
        if not batches:
            options = plan.sources[table.schema_name].options_of(table.short_name)
            told = ", ".join(f"{option}: {value}" for option, value in options.items())
            raise UserError(
                f"{name}: nothing was ever delivered as {table.file} says ({told}), seen from {plan.root}."
            )
        reason = deliveries(len(report.landed))
        build, version = _recorded(platform, plan, table, run, batches, reason, began)
    read = {file.path for file in version.files}
    visible = [batch for batch in batches if any(file.path in read for file in batch.files)]
    outcome: Outcome = "landed" if report.landed else "skipped"
    platform.progress.ends(name, outcome)
    return TableReport(
        table=name,
        outcome=outcome,
        reason=reason if report.landed else "nothing new was delivered",
        rows=version.rows,
        bytes=version.bytes,
        version=version.id,
        watermark=build.watermark,
        seconds=time.monotonic() - began,
        warnings=tuple(report.warnings),
        facts={
            "batches": len(batches),
            "rows_read": sum(batch.rows_read for batch in visible),
            "quarantined_now": report.rows_quarantined,
            "quarantined": sum(batch.quarantined for batch in visible),
        },
    )


def _recorded(
    platform: Platform,
    plan: Plan,
    table: PlannedTable,
    run: str,
    batches: list[Batch],
    reason: str,
    began: float,
) -> tuple[Build, Version]:
    """Let the run read what the batches make, and record that as a build where it is none yet."""
    contract = plan.sources[table.schema_name].tables[table.short_name]
    head, now = platform.lake.head(table.path), platform.clock.wall()
    version, watermark = landing.landed_version(table, contract, batches, head.number if head else 0, now)
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
