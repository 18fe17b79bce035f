"""Measuring storage: what each mart, each source and the canonical tables take on disk, day by day."""

from collections.abc import Iterable

from mart_platform.planning.plan import Plan
from mart_platform.ports import Ledger, Platform
from mart_platform.spec.records import Storage
from mart_platform.stages.maintaining.vacuuming import Folder


def measured(platform: Platform, plan: Plan, folders: Iterable[Folder]) -> list[Storage]:
    """Return what is taken now; ``live_bytes`` are those of the live tables of a mart, else of the newest."""
    found: dict[str, tuple[int, int]] = {}
    for folder in folders:
        subject = folder.table.split(".", 1)[0]
        files, taken = found.get(subject, (0, 0))
        found[subject] = (files + len(folder.files), taken + folder.bytes)
    day = platform.clock.wall().date()
    return [
        Storage(
            day=day,
            subject=subject,
            files=files,
            bytes=taken,
            live_bytes=_live_bytes(platform.ledger, plan, subject),
        )
        for subject, (files, taken) in sorted(found.items())
    ]


def _live_bytes(ledger: Ledger, plan: Plan, subject: str) -> int:
    live = ledger.live(subject)
    if live is not None:
        published = live.tables.items()
        names = [(table, of.fingerprint, of.version) for table, of in published]
    else:
        tables = [table for table in plan.tables.values() if table.schema_name == subject]
        builds = [ledger.latest_build(table.name, table.fingerprint) for table in tables]
        names = [(build.table, build.fingerprint, build.version) for build in builds if build]
    return sum(ledger.version(*name).bytes for name in names)
