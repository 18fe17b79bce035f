"""What can be read of a landed table: which files, and up to which event time it is complete."""

from datetime import datetime, timedelta

from mart_platform.planning.plan import PlannedTable
from mart_platform.spec.records import Batch, Version, digest_of, newest_delivery
from mart_platform.spec.sources import SourceTable
from mart_platform.spec.words import timedelta_of


def landed_version(
    table: PlannedTable, contract: SourceTable, batches: list[Batch], number: int, now: datetime
) -> tuple[Version, datetime | None]:
    """Return the version that a table's batches make, oldest first, and its watermark.

    Of changes all batches are read, of snapshots the newest: the last one by its name, so that an older
    file which is delivered once more, corrected, does not take the place of those after it. The content is
    named by the batches, so that the same deliveries landed elsewhere have the same content. The watermark
    is what the newest delivery declares to be complete through, else the smaller of newest event and
    arrival, less the allowed lateness; None for a table that knows no time.
    """
    visible = [newest_delivery(batches)] if contract.delivers == "snapshot" and batches else batches
    files = tuple(file for batch in visible for file in batch.files)
    version = Version(
        table=table.name,
        fingerprint=table.fingerprint,
        id=digest_of(file.path for file in files),
        number=number,
        columns=table.types,
        files=files,
        content=digest_of(batch.id for batch in visible),
        created_at=now,
    )
    return version, _watermark(contract, visible)


def _watermark(contract: SourceTable, batches: list[Batch]) -> datetime | None:
    if batches and batches[-1].complete_through is not None:
        return batches[-1].complete_through
    events = [batch.newest_event for batch in batches if batch.newest_event is not None]
    if not events or contract.event_time is None:
        return None
    lateness = contract.event_time.lateness
    reached = min(max(events), batches[-1].arrived_at)
    return reached - (timedelta_of(lateness) if lateness else timedelta())
