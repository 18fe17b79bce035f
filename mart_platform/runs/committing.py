"""A version becomes the newest of its table: committed in the lake, then recorded in the ledger.

The commit carries what the ledger is told after it, so that a run which is killed between the two is taken
up, and a ledger that was lost is written again from the lake.
"""

import json
from collections.abc import Mapping, Sequence

from pydantic import TypeAdapter

from mart_platform.planning.plan import PlannedTable
from mart_platform.ports import Commit, Platform
from mart_platform.runs.leasing import refuse_taken_over
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import (
    Build,
    DataFile,
    Interval,
    Lease,
    Record,
    Restatement,
    Version,
)

BUILD, STEP, RESTATED = "mart_platform.build", "mart_platform.step", "mart_platform.restated"

_RESTATEMENTS = TypeAdapter(tuple[Restatement, ...])


class Step(Record):
    """What leads from one version to the next, so that an entry of the log need not repeat all files."""

    base: str | None
    version: Version
    added: tuple[DataFile, ...]
    removed: tuple[str, ...]
    changed: dict[str, Interval]
    ended: tuple[str, ...]


def commit(
    platform: Platform,
    table: PlannedTable,
    build: Build,
    version: Version,
    base: Version | None,
    lease: Lease,
    restatements: Sequence[Restatement] = (),
) -> None:
    """Make a version the newest of its table, by compare-and-swap on ``base``.

    Raises CommitConflict when somebody else committed since, or has taken over the lease.
    """
    refuse_taken_over(platform, lease)
    metadata = {
        BUILD: build.model_dump_json(),
        STEP: _step(version, base).model_dump_json(),
        RESTATED: _RESTATEMENTS.dump_json(tuple(restatements)).decode(),
    }
    platform.lake.commit(
        table.path,
        version.columns,
        version.files,
        base=version.number - 1 if version.number else None,
        append=False,
        metadata=metadata,
        changes_data=build.cause != "compaction",
    )
    platform.ledger.record_build(build, _without_statistics(version), restatements)


def adopt(platform: Platform, table: PlannedTable, head: Commit | None) -> Build | None:
    """Return the newest build; those that were committed and not recorded are taken into the ledger first.

    Raises UserError when the lake lacks what the ledger knows, or the ledger what the lake builds on.
    """
    present = platform.ledger.latest_build(table.name, table.fingerprint)
    known = _recorded_number(platform, table, present)
    found = head.number if head else -1
    if found < known:
        raise UserError(
            f"{table.name}: the ledger knows version {known}, and {platform.data.lake / table.path} does not "
            "hold it. Put the folder back from a backup, or start with an empty data folder."
        )
    if found == known:
        return present
    for entry in platform.lake.commits(table.path, known):
        if BUILD in entry.metadata:
            present = _adopted(platform, table, entry.metadata)
    return present


def _recorded_number(platform: Platform, table: PlannedTable, present: Build | None) -> int:
    if present is None:
        return -1
    return platform.ledger.version(table.name, table.fingerprint, present.version).number


def _adopted(platform: Platform, table: PlannedTable, metadata: Mapping[str, str]) -> Build:
    build = Build.model_validate_json(metadata[BUILD])
    step = Step.model_validate(json.loads(metadata[STEP]))
    try:
        base = platform.ledger.version(table.name, table.fingerprint, step.base) if step.base else None
    except LookupError as error:
        raise UserError(
            f"{table.name}: {platform.data.lake / table.path} builds on a version that the ledger does not "
            "know. Put the ledger back from a backup, or remove that folder to have the table built anew."
        ) from error
    restatements = _RESTATEMENTS.validate_json(metadata[RESTATED])
    platform.ledger.record_build(build, _applied(step, base), restatements)
    return build


def _step(version: Version, base: Version | None) -> Step:
    before = {file.path for file in base.files} if base else set[str]()
    after = {file.path for file in version.files}
    intervals = base.intervals if base else {}
    return Step(
        base=base.id if base else None,
        version=version.model_copy(update={"files": (), "intervals": {}}),
        added=tuple(file.committed() for file in version.files if file.path not in before),
        removed=tuple(sorted(before - after)),
        changed={key: part for key, part in version.intervals.items() if intervals.get(key) != part},
        ended=tuple(sorted(intervals.keys() - version.intervals.keys())),
    )


def _applied(step: Step, base: Version | None) -> Version:
    removed, ended = set(step.removed), set(step.ended)
    files = tuple(file for file in base.files if file.path not in removed) if base else ()
    intervals = {key: part for key, part in base.intervals.items() if key not in ended} if base else {}
    update = {"files": (*files, *step.added), "intervals": {**intervals, **step.changed}}
    return step.version.model_copy(update=update)


def _without_statistics(version: Version) -> Version:
    return version.model_copy(update={"files": tuple(file.committed() for file in version.files)})
