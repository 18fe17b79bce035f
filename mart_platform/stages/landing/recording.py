"""Batches in the log of their table: each carries itself, so that a ledger can be written again from it."""

import json
from collections.abc import Sequence

from mart_platform.planning.plan import PlannedTable
from mart_platform.ports import Commit, Platform
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Batch, Event

_BATCH, _EVENTS = "batch", "events"


def metadata_of(batch: Batch, events: tuple[Event, ...]) -> dict[str, str]:
    """Return what a batch is committed with."""
    return {
        "cause": "landing",
        "run": batch.run,
        "fingerprint": batch.fingerprint,
        _BATCH: batch.model_dump_json(),
        _EVENTS: json.dumps([event.model_dump_json() for event in events]),
    }


def batch_of(commit: Commit | None) -> Batch | None:
    """Return the batch that a commit added; None for one that added none, such as a compaction."""
    written = commit.metadata.get(_BATCH) if commit else None
    return Batch.model_validate_json(written) if written else None


def record(platform: Platform, batch: Batch, commit_metadata: dict[str, str]) -> None:
    """Take a batch that is committed into the ledger, and what there is to tell of it."""
    for event in json.loads(commit_metadata[_EVENTS]):
        platform.ledger.add_event(Event.model_validate_json(event))
    platform.ledger.add_batch(batch)


def adopt(
    platform: Platform, table: PlannedTable, head: Commit | None, known: Sequence[Batch]
) -> tuple[Batch, ...]:
    """Take the batches into the ledger that are committed and not among those it knows, and return them.

    That is the last one of a run that was killed between the two, or all of them when the ledger was lost.
    Raises UserError when the ledger knows a batch that the table does not hold.
    """
    recorded = [batch.id for batch in known if batch.fingerprint == table.fingerprint]
    newest = batch_of(head)
    if newest is not None and recorded and newest.id == recorded[-1]:
        return ()
    entries = platform.lake.commits(table.path, -1) if head else ()
    found = [(entry, batch) for entry in entries if (batch := batch_of(entry)) is not None]
    if lost := set(recorded) - {batch.id for _, batch in found}:
        raise UserError(
            f"{table.name}: the ledger knows {len(recorded)} batches, and "
            f"{platform.data.lake / table.path} lacks {len(lost)} of them. "
            "Put the folder back from a backup, or start with an empty data folder."
        )
    missing = [(entry, batch) for entry, batch in found if batch.id not in recorded]
    for entry, batch in missing:
        record(platform, batch, dict(entry.metadata))
    return tuple(batch for _, batch in missing)
