"""Lands deliveries, one after the other: each becomes a batch, or is refused as a whole."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import Delivery, Platform
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Batch, Event, delivery_order, digest_of
from mart_platform.spec.sources import HIDDEN_COLUMNS
from mart_platform.stages.landing.arrivals import (
    Arrival,
    Origin,
    arrivals,
    origin_of,
    remember_unchanged,
)
from mart_platform.stages.landing.landed_rows import LandedRows, Place, land_rows
from mart_platform.stages.landing.recording import adopt, batch_of, metadata_of, record
from mart_platform.stages.landing.versions import watermark_of


@dataclass(frozen=True)
class LandingReport:
    """What became of the pending deliveries of a table.

    ``unchanged`` are positions that hold the bytes that were landed from there already, ``adopted`` are
    batches that an earlier run had committed and the ledger did not know. ``batches`` are all that the table
    holds now by its present contract, oldest first.
    """

    table: str
    adopted: tuple[Batch, ...] = ()
    landed: tuple[Batch, ...] = ()
    unchanged: tuple[str, ...] = ()
    batches: tuple[Batch, ...] = ()

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
    def rows_late(self) -> int:
        return sum(batch.late for batch in self.landed)

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
    table stays as the deliveries before it left it, and those after it wait, for their order matters. Raises
    CommitConflict when somebody else has written to the table since this began.
    """
    head = platform.lake.head(table.path)
    known = platform.ledger.batches(table.name)
    report = LandingReport(table.name, adopted=adopt(platform, table, head, known))
    origin = origin_of(platform, plan, table)
    landing = _Landing(platform, origin, table, run, [*known, *report.adopted], head.number if head else None)
    due = arrivals(platform, origin, table, landing.known)
    for done, arrival in enumerate(due, start=1):
        try:
            batch = landing.land(arrival)
        except UserError as error:
            raise _refused(platform, table, arrival.delivery, error, len(due) - done, report) from error
        if batch is None:
            report = replace(report, unchanged=(*report.unchanged, arrival.delivery.position))
        else:
            report = replace(report, landed=(*report.landed, batch))
    return replace(report, batches=tuple(landing.present()))


class _Landing:
    """Lands deliveries one after the other.

    ``known`` are the table's batches so far, oldest first, and ``base`` the number of its newest commit as
    they were found: who has lost the lease meanwhile cannot land once more what the next holder has landed.
    """

    def __init__(
        self,
        platform: Platform,
        origin: Origin,
        table: PlannedTable,
        run: str,
        known: list[Batch],
        base: int | None,
    ) -> None:
        self.platform, self.origin, self.table, self.run = platform, origin, table, run
        self.known, self.base = known, base

    def present(self) -> list[Batch]:
        """Return the batches that were landed by the present contract."""
        return [batch for batch in self.known if batch.fingerprint == self.table.fingerprint]

    def land(self, arrival: Arrival) -> Batch | None:
        """Land one delivery; None when its bytes are those that were landed from its position last."""
        delivery = arrival.delivery
        kept, sha256 = _kept(self.platform, self.origin, self.table, arrival)
        last = next((batch for batch in reversed(self.known) if batch.position == delivery.position), None)
        if arrival.landed_as is None and last is not None and last.sha256 == sha256:
            remember_unchanged(self.platform.ledger, last, delivery)
            return None
        place = _place(self.table, arrival, sha256, self.known)
        complete_before = watermark_of(self.origin.contract, self.present())
        rows = land_rows(self.platform, self.origin, self.table, place, kept, complete_before)
        batch = self._batch(arrival, place, kept, sha256, rows)
        self._commit(batch, rows)
        self.known.append(batch)
        self._tell(batch)
        return batch

    def _batch(self, arrival: Arrival, place: Place, kept: Path, sha256: str, rows: LandedRows) -> Batch:
        delivery, landed_as = arrival.delivery, arrival.landed_as
        return Batch(
            id=place.batch,
            table=self.table.name,
            fingerprint=self.table.fingerprint,
            position=delivery.position,
            size=delivery.size,
            modified_ns=delivery.modified_ns,
            sha256=sha256,
            kept_as=self.platform.data.relative(kept),
            rows_read=rows.read,
            landed=rows.landed,
            quarantined=rows.quarantined,
            delivered_columns=dict(rows.columns),
            new_columns=rows.new_columns,
            newest_event=rows.times.newest,
            complete_through=delivery.complete_through,
            late=rows.times.late,
            files=tuple(file.committed() for file in rows.files),
            quarantine_file=rows.quarantine_file,
            warnings=(*_twins(delivery, sha256, self.known), *rows.warnings),
            run=self.run,
            arrived_at=landed_as.arrived_at if landed_as else self.platform.clock.now(),
        )

    def _commit(self, batch: Batch, rows: LandedRows) -> None:
        """Add the batch's files to the table, then the batch to the ledger."""
        lake, declared = self.platform.lake, self.origin.contract.columns
        metadata = metadata_of(batch, _told_of(self.platform, self.table, batch, rows))
        try:
            self.base = lake.commit(
                self.table.path,
                {**{name: column.type for name, column in declared.items()}, **HIDDEN_COLUMNS},
                rows.files,
                base=self.base,
                append=True,
                metadata=metadata,
            )
        except BaseException:
            if (newest := batch_of(lake.head(self.table.path))) is None or newest.id != batch.id:
                rows.discard(self.platform.data)
            raise
        record(self.platform, batch, metadata)

    def _tell(self, batch: Batch) -> None:
        self.platform.telemetry.record(
            "batch",
            table=batch.table,
            batch=batch.id,
            run=batch.run,
            read=batch.rows_read,
            landed=batch.landed,
            quarantined=batch.quarantined,
            late=batch.late,
        )


def _kept(platform: Platform, origin: Origin, table: PlannedTable, arrival: Arrival) -> tuple[Path, str]:
    """Return the kept copy of a delivery and its SHA-256; what was landed before is kept already."""
    if arrival.landed_as is None:
        into = platform.data.landing / table.schema_name / table.short_name
        return origin.connector.fetch(arrival.delivery, origin.options, origin.folder, into)
    kept = platform.data.absolute(arrival.landed_as.kept_as)
    if wrong := _wrong_with(kept, arrival.landed_as.sha256):
        raise UserError(
            f"{arrival.delivery.position}: the contract changed, and the copy from which it would be landed "
            f"again, {arrival.landed_as.kept_as}, {wrong}. Put it back from a backup."
        )
    return kept, arrival.landed_as.sha256


def _wrong_with(kept: Path, sha256: str) -> str | None:
    """Return why a kept copy is not what was delivered, or None when it is."""
    try:
        with kept.open("rb") as copy:
            whole = hashlib.file_digest(copy, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if whole else "is damaged: its bytes are not those that were delivered"


def _place(table: PlannedTable, arrival: Arrival, sha256: str, known: list[Batch]) -> Place:
    """Return what a batch is called, and where it stands among the deliveries.

    Both are the same wherever the same deliveries come in the same order.
    """
    position = arrival.delivery.position
    landings = list(dict.fromkeys(batch.id for batch in known if batch.position == position))
    if arrival.landed_as is not None:
        batch, landing = arrival.landed_as.id, landings.index(arrival.landed_as.id) + 1
    else:
        batch = digest_of([json.dumps([table.name, position, sha256, len(landings)])])
        landing = len(landings) + 1
    return Place(batch, position, f"{delivery_order(position)}{landing:06}")


def _twins(delivery: Delivery, sha256: str, known: list[Batch]) -> tuple[str, ...]:
    others = sorted({batch.position for batch in known if batch.sha256 == sha256} - {delivery.position})
    if not others:
        return ()
    return (f"{delivery.position} has the same content as {others[0]}, landed before; both are landed.",)


def _told_of(platform: Platform, table: PlannedTable, batch: Batch, rows: LandedRows) -> tuple[Event, ...]:
    """Return the event that tells of rows that came later than allowed, where any did."""
    if rows.times.earliest is None:
        return ()
    details = {"batch": batch.id, "rows": batch.late, "earliest": rows.times.earliest.isoformat()}
    return (Event(at=platform.clock.wall(), kind="late_rows", subject=table.name, details=details),)


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
