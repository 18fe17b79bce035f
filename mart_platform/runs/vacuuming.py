"""The vacuum: what nobody needs is found and removed while nobody writes, publishes or goes back."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.leasing import at_once, is_alive
from mart_platform.runs.worked import Worked
from mart_platform.spec.records import Reading
from mart_platform.spec.words import timedelta_of
from mart_platform.stages.maintaining import sweeping, vacuuming
from mart_platform.stages.maintaining.keeping import Kept, kept, marts_known
from mart_platform.stages.maintaining.vacuuming import Folder


@dataclass(frozen=True)
class Vacuumed:
    """What the vacuum removed: files of tables, bytes of logs and half-made work, rows of the ledger."""

    tables: tuple[Worked, ...]
    swept: int
    forgotten: int


def vacuum(platform: Platform, plan: Plan, run: str, *, dry_run: bool = False) -> Vacuumed:
    """Remove what nobody needs; tables that somebody is writing or publishing are left for the next time.

    Every lease is taken before anything is looked at: what is written or published afterwards is never taken
    for forsaken.
    """
    with ExitStack() as leases:
        free, busy = _taken(platform, plan, run, leases)
        needed = kept(platform, plan, _runs_under_way(platform, run), _living_readings(platform))
        folders = [folder for folder in vacuuming.folders(platform) if folder.table in free]
        tables = (*_cleaned(platform, plan, folders, needed, dry_run=dry_run), *map(_left_alone, busy))
    return Vacuumed(
        tables,
        swept=_swept(platform, plan, dry_run=dry_run),
        forgotten=0 if dry_run else _forgotten(platform, plan, needed),
    )


def _taken(platform: Platform, plan: Plan, run: str, leases: ExitStack) -> tuple[set[str], list[str]]:
    """Lease all tables that nobody is writing and whose mart nobody publishes; name them, and the rest."""

    def is_ours(name: str) -> bool:
        return leases.enter_context(at_once(platform, name, run)) is not None

    tables = sorted({folder.table for folder in vacuuming.folders(platform)})
    marts = marts_known(plan, platform.ledger.latest_builds())
    quiet = {mart for mart in sorted(marts) if is_ours(f"publication {mart}")}
    free = {
        table for table in tables if table.split(".", 1)[0] not in marts - quiet and is_ours(f"table {table}")
    }
    return free, [table for table in tables if table not in free]


def _cleaned(
    platform: Platform, plan: Plan, folders: list[Folder], needed: Kept, *, dry_run: bool
) -> Iterator[Worked]:
    """Yield each table of which something went, or would go."""
    by_table: dict[str, list[Folder]] = {}
    for folder in folders:
        by_table.setdefault(folder.table, []).append(folder)
    for table, of_table in by_table.items():
        began, files, taken = time.monotonic(), 0, 0
        forsaken = [folder for folder in of_table if vacuuming.is_forsaken(plan, folder, needed)]
        for folder in of_table:
            gone = folder.files if folder in forsaken else vacuuming.unneeded(folder, needed)
            files, taken = files + len(gone), taken + sum(gone.values())
            if dry_run:
                continue
            if folder in forsaken:
                vacuuming.remove_folder(platform, folder)
            else:
                platform.lake.delete(gone)
        if files or forsaken:
            before = sum(len(folder.files) for folder in of_table), sum(folder.bytes for folder in of_table)
            yield Worked(
                "vacuum",
                table,
                _told(files, len(forsaken), dry_run=dry_run),
                (before[0], before[0] - files),
                (before[1], before[1] - taken),
                time.monotonic() - began,
            )


def _told(files: int, forsaken: int, *, dry_run: bool) -> str:
    also = f" and {forsaken} {'folder' if forsaken == 1 else 'folders'} of former logic" if forsaken else ""
    return f"{'would remove' if dry_run else 'removed'} {files:,} {'file' if files == 1 else 'files'}{also}"


def _left_alone(table: str) -> Worked:
    return Worked("vacuum", table, "somebody is writing or publishing it", busy=True)


def _runs_under_way(platform: Platform, own: str) -> list[str]:
    runs = platform.ledger.runs(limit=None)
    return [run.id for run in runs if run.outcome == "running" and run.id != own]


def _living_readings(platform: Platform) -> list[Reading]:
    """Return the queries that are under way; those of processes that died have ended."""
    living = []
    for reading in platform.ledger.readings():
        if is_alive(reading.holder):
            living.append(reading)
        else:
            platform.ledger.end_reading(reading.id)
    return living


def _swept(platform: Platform, plan: Plan, *, dry_run: bool) -> int:
    kept_for = timedelta_of(plan.settings.maintenance.keep_logs)
    old = sweeping.sweepable(platform.data, platform.clock.wall(), kept_for)
    swept = sum(sweeping.bytes_below(path) for path in old)
    if not dry_run:
        sweeping.sweep(old)
    return swept


def _forgotten(platform: Platform, plan: Plan, needed: Kept) -> int:
    """Let the ledger forget what is older than the logs and refers to nothing that is kept.

    Entries of the audit log go when their own time is over.
    """
    now, settings = platform.clock.wall(), plan.settings
    retired = platform.audit.retire(now - timedelta_of(settings.serving.audit.keep_for))
    return retired + platform.ledger.forget(
        now - timedelta_of(settings.maintenance.keep_logs), needed.versions
    )
