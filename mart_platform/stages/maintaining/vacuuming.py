"""Vacuuming: files that nobody needs are removed from the lake, and physical tables of which nothing is.

Whoever calls holds the leases of the tables, so that nobody is writing to them.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import uuid4

from mart_platform.durable import sync
from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.stages.maintaining.keeping import Kept, Physical


@dataclass(frozen=True)
class Folder:
    """A physical table as it lies on the disk: its data files with their bytes, needed or not."""

    table: str
    fingerprint: str
    path: str
    files: Mapping[str, int]

    @property
    def physical(self) -> Physical:
        return self.table, self.fingerprint

    @property
    def bytes(self) -> int:
        return sum(self.files.values())


def folders(platform: Platform) -> Iterator[Folder]:
    """Yield all physical tables of the lake: folders ``schema/table/fingerprint``."""
    for place in sorted(platform.data.lake.glob("*/*/*")):
        if place.is_dir():
            schema, table, fingerprint = place.parts[-3:]
            path = place.relative_to(platform.data.lake).as_posix()
            yield Folder(f"{schema}.{table}", fingerprint, path, platform.lake.present(path))


def unneeded(folder: Folder, kept: Kept) -> dict[str, int]:
    """Return the files of a physical table that nobody needs, with their bytes."""
    if folder.physical in kept.unclear:
        return {}
    return {file: size for file, size in folder.files.items() if file not in kept.files}


def is_forsaken(plan: Plan, folder: Folder, kept: Kept) -> bool:
    """Return whether no kept version is of this physical table, and the plan has another logic for it."""
    planned = plan.tables.get(folder.table)
    known = planned is not None and planned.fingerprint == folder.fingerprint
    return not known and folder.physical not in kept.tables | kept.unclear


def remove_folder(platform: Platform, folder: Folder) -> None:
    """Forget a physical table and remove it, log and all, in one step: no half of it is ever found."""
    platform.ledger.forget_table(folder.table, folder.fingerprint)
    place = platform.data.lake / folder.path
    aside = platform.data.temporary / f"removed-{uuid4().hex}"
    aside.parent.mkdir(parents=True, exist_ok=True)
    place.rename(aside)
    sync(place.parent)
    shutil.rmtree(aside, ignore_errors=True)
