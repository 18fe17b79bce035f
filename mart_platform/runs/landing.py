"""A source's table in one run: new deliveries landed, and the build recorded that the others read."""

import time

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.leasing import holding
from mart_platform.runs.reporting import Outcome, TableReport
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Build
from mart_platform.stages import landing


def land_table(platform: Platform, plan: Plan, run: str, name: str) -> TableReport:
    """Land what is new of a source's table, and record the version that is read from now on.

    Raises UserError when a delivery is refused; the deliveries before it stay landed.
    """
    table, began = plan.tables[name], time.monotonic()
    contract = plan.sources[table.schema_name].tables[table.short_name]
    platform.progress.begins(name, "land")
    with holding(platform, f"table {name}", run):
        report = landing.land(platform, plan, table, run)
        batches = platform.ledger.batches(name, table.fingerprint)
        if not batches:
            raise UserError(f"{name}: nothing was ever delivered; look at the options of {table.file}.")
        head = platform.lake.head(table.path)
        version, watermark = landing.landed_version(
            table, contract, batches, head.number if head else 0, platform.clock.wall()
        )
        present = platform.ledger.latest_build(name, table.fingerprint)
        if present is None or (present.version, present.watermark) != (version.id, watermark):
            present = Build(
                table=name,
                fingerprint=table.fingerprint,
                version=version.id,
                content=version.content,
                consumed={},
                roots={name: version.content},
                watermark=watermark,
                run=run,
                reason=_deliveries(len(report.landed)),
                seconds=time.monotonic() - began,
                at=platform.clock.wall(),
            )
        platform.ledger.record_build(present.model_copy(update={"run": run}), version)
    visible = [batch for batch in batches if any(file in version.files for file in batch.files)]
    outcome: Outcome = "landed" if report.landed else "skipped"
    platform.progress.ends(name, outcome)
    return TableReport(
        table=name,
        outcome=outcome,
        reason=present.reason if report.landed else "nothing new was delivered",
        rows=version.rows,
        bytes=version.bytes,
        version=version.id,
        watermark=watermark,
        seconds=time.monotonic() - began,
        warnings=tuple(report.warnings),
        facts={
            "batches": len(batches),
            "rows_read": sum(batch.rows_read for batch in visible),
            "quarantined": sum(batch.quarantined for batch in visible),
        },
    )


def _deliveries(count: int) -> str:
    return f"{count} new {'delivery' if count == 1 else 'deliveries'}"
