"""What a step of the maintenance did to a table, and what may keep it from being done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mart_platform.ports import CommitConflict, Platform
from mart_platform.runs.leasing import at_once
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Lease, Version

Step = Literal["retention", "compact", "vacuum"]

STEPS: tuple[Step, ...] = ("retention", "compact", "vacuum")
"""What maintenance does, in this order."""


@dataclass(frozen=True)
class Worked:
    """What a step did to a table, or would do.

    Files and bytes are those of its newest version, for the vacuum all that lie in its folders. ``busy`` says
    that somebody was writing the table, so that it was left alone, ``problem`` why it could not be done.
    """

    step: Step
    table: str
    told: str
    files: tuple[int, int] = (0, 0)
    bytes: tuple[int, int] = (0, 0)
    seconds: float = 0.0
    busy: bool = False
    problem: str = ""

    @classmethod
    def between(cls, step: Step, told: str, before: Version, after: Version, seconds: float) -> "Worked":
        """Return what led from one version of a table to the next."""
        files = (len(before.files), len(after.files))
        return cls(step, before.table, told, files, (before.bytes, after.bytes), seconds)


def worked_alone(
    platform: Platform, run: str, step: Step, table: str, work: Callable[[Lease], Worked | None]
) -> Worked | None:
    """Do something to a table that nobody else is writing; say so when somebody is, or when it fails."""
    platform.progress.begins(table, step)
    try:
        with at_once(platform, f"table {table}", run) as lease:
            busy = Worked(step, table, "somebody is writing it", busy=True)
            worked = busy if lease is None else work(lease)
    except (UserError, CommitConflict) as error:
        worked = Worked(step, table, "could not be done", problem=str(error))
    platform.progress.ends(table, worked.told if worked else "nothing to do")
    return worked
