"""What a process costs, from its start to its end: wall, CPU and peak memory."""

import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

MB = 1_000_000


@dataclass(frozen=True)
class Cost:
    """Seconds of wall and of CPU (user and system), and bytes of memory at the peak."""

    wall: float
    cpu: float
    peak: int

    def __str__(self) -> str:
        return f"{self.wall:6.2f} s wall {self.cpu:6.2f} s CPU {self.peak / MB:6,.0f} MB"


def cost_of(command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end and return what it cost, its children included.

    ``environment`` is added to what this process has. Raises SystemExit with the end of its output when it
    fails.
    """
    known = {**os.environ, **(environment or {})}
    os.sync()  # what an earlier process wrote is not on this one's bill
    with log.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=known)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        told = log.read_text(encoding="utf-8", errors="replace")[-4000:]
        raise SystemExit(f"{' '.join(command)}\nended with {process.returncode}:\n{told}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def middle(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(
        median(cost.wall for cost in costs),
        median(cost.cpu for cost in costs),
        round(median(cost.peak for cost in costs)),
    )


def machine() -> str:
    """Return in a line what the figures were measured on."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    libraries = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "dagster", "polars", "deltalake"))
    python = platform.python_version()
    return f"{cores} cores ({platform.machine()}), {memory:.0f} GiB; Python {python}, {libraries}"
