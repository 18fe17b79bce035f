"""What can be read of a landed table: which batches and files, and up to which event time it is complete."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from mart_platform.planning.plan import PlannedTable
from mart_platform.spec.records import (
    Batch,
    DataFile,
    Interval,
    Version,
    content_of,
    digest_of,
    newest_delivery,
)
from mart_platform.spec.sources import SourceTable
from mart_platform.spec.words import timedelta_of


def landed_version(
    table: PlannedTable,
    contract: SourceTable,
    batches: Sequence[Batch],
    previous: Version | None,
    number: int,
    now: datetime,
) -> tuple[Version, datetime | None]:
    """Return the version that a table's batches make, oldest first, and its watermark.

    Of changes all batches are read, of snapshots the newest: the last one by its name, so that an older
    file which is delivered once more, corrected, does not take the place of those after it. Each batch is an
    interval, named by itself, so that the same deliveries landed elsewhere have the same content. What the
    ``previous`` version holds stays in the files in which it has it, which need not be those that were
    landed: compaction may have joined them.
    """
    visible = [newest_delivery(batches)] if contract.delivers == "snapshot" and batches else batches
    intervals = {batch.id: Interval(content=batch.id, rows=batch.landed) for batch in visible}
    files = (*_kept(previous, intervals), *_added(previous, visible))
    version = Version(
        table=table.name,
        fingerprint=table.fingerprint,
        id=digest_of(file.path for file in files),
        number=number,
        columns=table.types,
        files=files,
        intervals=intervals,
        floor=previous.floor if previous else "",
        content=content_of(intervals),
        created_at=now,
    )
    return version, watermark_of(contract, batches)


def watermark_of(contract: SourceTable, batches: Sequence[Batch]) -> datetime | None:
    """Return the event time up to which batches make a table complete; None for one that knows no time.

    It is what a delivery declares to be complete through; without that, the smaller of newest event and
    arrival, less the allowed lateness. A delivery that comes late never takes it back.
    """
    declared = [batch.complete_through for batch in batches if batch.complete_through is not None]
    undeclared = [batch for batch in batches if batch.complete_through is None]
    events = [batch.newest_event for batch in undeclared if batch.newest_event is not None]
    if events and contract.event_time is not None:
        lateness = contract.event_time.lateness
        reached = min(max(events), max(batch.arrived_at for batch in undeclared))
        declared.append(reached - (timedelta_of(lateness) if lateness else timedelta()))
    return max(declared, default=None)


def _kept(previous: Version | None, visible: dict[str, Interval]) -> tuple[DataFile, ...]:
    return previous.files_of(visible.keys()) if previous else ()


def _added(previous: Version | None, visible: Sequence[Batch]) -> tuple[DataFile, ...]:
    held = previous.intervals if previous else {}
    return tuple(
        file.model_copy(update={"intervals": (batch.id,)})
        for batch in visible
        if batch.id not in held
        for file in batch.files
    )
