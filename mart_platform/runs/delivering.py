"""What a source has delivered, table by table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.stages.landing import pending


@dataclass(frozen=True)
class DeliveredTable:
    """A landed table: its batches so far, their rows, and how many deliveries wait to be landed."""

    table: str
    batches: int
    newest: datetime | None
    rows_read: int
    landed: int
    quarantined: int
    watermark: datetime | None
    waiting: int


def delivered_tables(platform: Platform, plan: Plan, sources: Sequence[str]) -> list[DeliveredTable]:
    """Return the landed tables of the named sources. Raises UserError when a source cannot be reached."""
    found = []
    for table in plan.landed():
        if table.schema_name in sources:
            batches = platform.ledger.batches(table.name, table.fingerprint)
            build = platform.ledger.latest_build(table.name, table.fingerprint)
            found.append(
                DeliveredTable(
                    table=table.name,
                    batches=len(batches),
                    newest=max((batch.arrived_at for batch in batches), default=None),
                    rows_read=sum(batch.rows_read for batch in batches),
                    landed=sum(batch.landed for batch in batches),
                    quarantined=sum(batch.quarantined for batch in batches),
                    watermark=build.watermark if build else None,
                    waiting=len(pending(platform, plan, table)),
                )
            )
    return found
