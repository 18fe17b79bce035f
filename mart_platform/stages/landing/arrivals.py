"""What there is to land, found out without reading a byte of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import Connector, Delivery, Ledger, Platform
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.records import Batch, newest_delivery
from mart_platform.spec.sources import Source, SourceTable


@dataclass(frozen=True)
class Arrival:
    """A delivery to land; ``landed_as`` is its batch when it was landed before, by another contract."""

    delivery: Delivery
    landed_as: Batch | None = None


@dataclass(frozen=True)
class Origin:
    """Where the deliveries of a table come from."""

    source: Source
    contract: SourceTable
    connector: Connector
    options: Mapping[str, Any]
    folder: Path


def pending(platform: Platform, plan: Plan, table: PlannedTable) -> tuple[Delivery, ...]:
    """Return what may have to be landed, in order: what size and time of modification do not rule out.

    First come deliveries that were landed by another contract, then what the source offers now. Raises
    UserError when the source cannot be reached.
    """
    batches = platform.ledger.batches(table.name)
    origin = origin_of(platform, plan, table)
    return tuple(arrival.delivery for arrival in arrivals(platform, origin, table, batches))


def arrivals(
    platform: Platform, origin: Origin, table: PlannedTable, batches: Sequence[Batch]
) -> tuple[Arrival, ...]:
    """Return the deliveries to land, each with what is known about it, given the batches so far."""
    offered = origin.connector.deliveries(table.short_name, origin.options, origin.folder)
    again = _to_land_again(batches, table.fingerprint, origin.contract)
    newest = {batch.position: batch for batch in batches}
    new = (d for d in offered if not _known(d, newest.get(d.position), platform.ledger))
    return (
        *(Arrival(_delivery_of(batch, table), batch) for batch in again),
        *(Arrival(delivery) for delivery in new),
    )


def origin_of(platform: Platform, plan: Plan, table: PlannedTable) -> Origin:
    """Return where a table's deliveries come from. Raises UserError for a connector that is not there."""
    source = plan.sources[table.schema_name]
    if source.connector not in platform.connectors:
        raise UserError(
            f"{table.file}: there is no connector '{source.connector}'. "
            f"{nearest(source.connector, platform.connectors)}"
        )
    contract, connector = source.tables[table.short_name], platform.connectors[source.connector]
    if contract.replay is not None:
        connector = platform.replays.of(connector, source.source, contract)
    return Origin(
        source=source,
        contract=contract,
        connector=connector,
        options=source.options_of(table.short_name),
        folder=Path(plan.root),
    )


def remember_unchanged(ledger: Ledger, batch: Batch, delivery: Delivery) -> None:
    """Remember that a delivery, though written anew, holds the bytes of ``batch``."""
    ledger.set_setting(_note(delivery), _seen_as(batch, delivery))


def _known(delivery: Delivery, batch: Batch | None, ledger: Ledger) -> bool:
    """Return whether a delivery is what was landed last from its position, by whatever contract."""
    if batch is None:
        return False
    if (batch.size, batch.modified_ns) == (delivery.size, delivery.modified_ns):
        return True
    return ledger.setting(_note(delivery)) == _seen_as(batch, delivery)


def _note(delivery: Delivery) -> str:
    return f"unchanged {delivery.table} {delivery.position}"


def _seen_as(batch: Batch, delivery: Delivery) -> str:
    return f"{batch.id} {delivery.size} {delivery.modified_ns}"


def _to_land_again(batches: Sequence[Batch], fingerprint: str, contract: SourceTable) -> Iterable[Batch]:
    """Return the batches that the table lacks under its present contract, in the order they once came.

    Of snapshots only the newest is read, so that the older ones are not landed again.
    """
    landed = {batch.id for batch in batches if batch.fingerprint == fingerprint}
    first_landed = {batch.id: batch for batch in reversed(batches)}
    in_order = reversed(first_landed.values())
    missing = [batch for batch in in_order if batch.id not in landed]
    if contract.delivers == "snapshot":
        return [batch for batch in missing if batch.id == newest_delivery(batches).id]
    return missing


def _delivery_of(batch: Batch, table: PlannedTable) -> Delivery:
    return Delivery(table.short_name, batch.position, batch.size, batch.modified_ns, batch.complete_through)
