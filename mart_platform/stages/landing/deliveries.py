"""Lands deliveries, one after the other: each becomes a batch, or is refused as a whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import Commit, Delivery, Platform
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Batch, Event, digest_of
from mart_platform.spec.sources import HIDDEN_COLUMNS
from mart_platform.stages.landing.arrivals import (
    Arrival,
    Origin,
    arrivals,
    origin_of,
    remember_unchanged,
)
from mart_platform.stages.landing.landed_rows import LandedRows, land_rows


@dataclass(frozen=True)
class LandingReport:
    """What became of the pending deliveries of a table.

    ``unchanged`` are positions that hold the bytes that were landed from there already.
    """

    table: str
    landed: tuple[Batch, ...] = ()
    unchanged: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(warning for batch in self.landed for warning in batch.warnings)

    @property
    def rows_read(self) -> int:
        return sum(batch.rows_read for batch in self.landed)

    @property
    def rows_landed(self) -> int:
        return sum(batch.landed for batch in self.landed)

    @property
    def rows_quarantined(self) -> int:
        return sum(batch.quarantined for batch in self.landed)


class Refused(UserError):
    """A delivery was refused; ``report`` tells of those before it, which are landed."""

    def __init__(self, message: str, report: LandingReport) -> None:
        self.report = report
        super().__init__(message)


def land(platform: Platform, plan: Plan, table: PlannedTable, run: str) -> LandingReport:
    """Land what is pending of a table, in order, and return what became of it.

    Whoever calls holds the table's lease. Raises Refused at the first delivery that cannot be landed: the
    table stays as the deliveries before it left it, and those after it wait, for their order matters.
    """
    _adopt(platform, table)
    known = platform.ledger.batches(table.name)
    origin = origin_of(platform, plan, table)
    report = LandingReport(table.name)
    due = arrivals(platform, plan, table)
    for done, arrival in enumerate(due, start=1):
        try:
            batch = _land_one(platform, origin, table, arrival, known, run)
        except UserError as error:
            raise _refused(platform, table, arrival.delivery, error, len(due) - done, report) from error
        if batch is None:
            report = LandingReport(table.name, report.landed, (*report.unchanged, arrival.delivery.position))
        else:
            known.append(batch)
            report = LandingReport(table.name, (*report.landed, batch), report.unchanged)
    return report


def _land_one(
    platform: Platform, origin: Origin, table: PlannedTable, arrival: Arrival, known: list[Batch], run: str
) -> Batch | None:
    """Land one delivery; None when its bytes are those that were landed from its position last.

    ``known`` are the table's batches so far, oldest first.
    """
    kept, sha256 = _kept(platform, origin, table, arrival)
    last = next((batch for batch in reversed(known) if batch.position == arrival.delivery.position), None)
    if arrival.landed_as is None and last is not None and last.sha256 == sha256:
        remember_unchanged(platform.ledger, last, arrival.delivery)
        return None
    batch_id = arrival.landed_as.id if arrival.landed_as else _batch_id(table, arrival, sha256, known)
    rows = land_rows(platform, origin, table, batch_id, kept, arrival.delivery.position)
    batch = Batch(
        id=batch_id,
        table=table.name,
        fingerprint=table.fingerprint,
        position=arrival.delivery.position,
        size=arrival.delivery.size,
        modified_ns=arrival.delivery.modified_ns,
        sha256=sha256,
        kept_as=platform.data.relative(kept),
        rows_read=rows.read,
        landed=rows.landed,
        quarantined=rows.quarantined,
        delivered_columns=dict(rows.columns),
        new_columns=rows.new_columns,
        newest_event=_in_utc(rows.newest_event, origin),
        complete_through=arrival.delivery.complete_through,
        files=tuple(file.committed() for file in rows.files),
        quarantine_file=rows.quarantine_file,
        warnings=(*_twins(arrival.delivery, sha256, known), *rows.warnings),
        run=run,
        arrived_at=arrival.landed_as.arrived_at if arrival.landed_as else platform.clock.now(),
    )
    _commit(platform, origin, table, batch, rows)
    platform.telemetry.record(
        "batch",
        table=table.name,
        batch=batch.id,
        run=run,
        read=batch.rows_read,
        landed=batch.landed,
        quarantined=batch.quarantined,
    )
    return batch


def _kept(platform: Platform, origin: Origin, table: PlannedTable, arrival: Arrival) -> tuple[Path, str]:
    """Return the kept copy of a delivery and its SHA-256; what was landed before is kept already."""
    if arrival.landed_as is None:
        into = platform.data.landing / table.schema_name / table.short_name
        return origin.connector.fetch(arrival.delivery, origin.options, origin.folder, into)
    kept = platform.data.absolute(arrival.landed_as.kept_as)
    if not kept.exists():
        raise UserError(
            f"{arrival.delivery.position}: the contract changed, and the copy from which it would be landed "
            f"again, {arrival.landed_as.kept_as}, is gone. Put it back from a backup."
        )
    return kept, arrival.landed_as.sha256


def _batch_id(table: PlannedTable, arrival: Arrival, sha256: str, known: list[Batch]) -> str:
    """Return an id that is the same wherever the same deliveries come in the same order."""
    position = arrival.delivery.position
    before = len({batch.id for batch in known if batch.position == position})
    return digest_of([json.dumps([table.name, position, sha256, before])])


def _twins(delivery: Delivery, sha256: str, known: list[Batch]) -> tuple[str, ...]:
    others = sorted({batch.position for batch in known if batch.sha256 == sha256} - {delivery.position})
    if not others:
        return ()
    return (f"{delivery.position} has the same content as {others[0]}, landed before; both are landed.",)


def _in_utc(newest: date | datetime | None, origin: Origin) -> datetime | None:
    """Return an event time as a moment; a day is its midnight on the source's clock."""
    if newest is None or origin.contract.event_time is None:
        return None
    moment = newest if isinstance(newest, datetime) else datetime.combine(newest, datetime.min.time())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(origin.contract.event_time.zone))
    return moment.astimezone(UTC)


def _commit(platform: Platform, origin: Origin, table: PlannedTable, batch: Batch, rows: LandedRows) -> None:
    """Add the batch's files to the table, then the batch to the ledger."""
    head = platform.lake.head(table.path)
    try:
        platform.lake.commit(
            table.path,
            {**{name: column.type for name, column in origin.contract.columns.items()}, **HIDDEN_COLUMNS},
            rows.files,
            base=head.number if head else None,
            append=True,
            metadata=_metadata(batch, head),
        )
    except BaseException:
        if (newest := _batch_of(platform.lake.head(table.path))) is None or newest.id != batch.id:
            rows.discard(platform.data)
        raise
    platform.ledger.add_batch(batch)


def _metadata(batch: Batch, head: Commit | None) -> dict[str, str]:
    """Return what recovery needs: the batch itself, and which one it comes after."""
    before = _batch_of(head)
    return {
        "cause": "landing",
        "run": batch.run,
        "fingerprint": batch.fingerprint,
        "after": before.id if before else "",
        "batch": batch.model_dump_json(),
    }


def _batch_of(head: Commit | None) -> Batch | None:
    written = head.metadata.get("batch") if head else None
    return Batch.model_validate_json(written) if written else None


def _adopt(platform: Platform, table: PlannedTable) -> None:
    """Take into the ledger a batch that was committed by a run that was killed before it could say so.

    Raises UserError when lake and ledger differ by more than that, for landing would repeat or lose rows.
    """
    head = platform.lake.head(table.path)
    newest = _batch_of(head)
    recorded = {batch.id for batch in platform.ledger.batches(table.name, table.fingerprint)}
    if head is None or newest is None:
        if recorded:
            raise UserError(
                f"{table.name}: the ledger knows {len(recorded)} batches, and "
                f"{platform.data.lake / table.path} holds none. "
                "Put the folder back from a backup, or start with an empty data folder."
            )
        return
    if newest.id in recorded:
        return
    after = head.metadata.get("after")
    if after and after not in recorded:
        raise UserError(
            f"{table.name}: {platform.data.lake / table.path} holds batches that the ledger does not know. "
            "Put the ledger back from a backup, or remove that folder to have the deliveries landed anew."
        )
    platform.ledger.add_batch(newest)


def _refused(
    platform: Platform,
    table: PlannedTable,
    delivery: Delivery,
    error: UserError,
    waiting: int,
    report: LandingReport,
) -> Refused:
    details: Mapping[str, Any] = {"position": delivery.position, "reason": str(error), "waiting": waiting}
    platform.ledger.add_event(
        Event(at=platform.clock.wall(), kind="batch_refused", subject=table.name, details=dict(details))
    )
    after = "1 delivery after it waits" if waiting == 1 else f"{waiting} deliveries after it wait"
    waits = f" {after} until it is put right." if waiting else ""
    return Refused(
        f"{table.name}: the delivery {delivery.position} is refused, and the table stays as it was."
        f"{waits}\n{error}",
        report,
    )
