"""The CPU seconds of a query that runs beside others in one process.

DuckDB's own profile gives seconds of the clock, not of CPU, and none for a query that fails. A query runs in
the thread that asks, whose CPU is exact, and in DuckDB's helpers, which several queries share: what these
take is given to the queries that run meanwhile, in equal parts. So the queries of an instance are never
charged more than was taken, and one that runs alone exactly what it took.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TASKS = Path("/proc/self/task")
_CPU_OF_THREAD = 6
"""The low bits of the clock of a thread's CPU, see clock_getcpuclockid(3)."""


@dataclass
class Taken:
    """CPU seconds; known when the block that gave it has ended."""

    seconds: float = 0.0


class Meter:
    """The CPU of an instance of DuckDB. Where there is no /proc, that of the helpers is not counted."""

    def __init__(self) -> None:
        self._helpers: tuple[int, ...] = ()
        self._running: list[Taken] = []
        self._shared_out = 0.0
        self._lock = threading.Lock()

    @classmethod
    @contextmanager
    def of_new_instance(cls) -> Iterator[Self]:
        """Give the meter of the instance that is opened in the block."""
        meter, before = cls(), _threads()
        yield meter
        ours = {thread.native_id for thread in threading.enumerate()}
        meter._helpers = tuple(sorted(_threads() - before - ours))

    @contextmanager
    def metering(self) -> Iterator[Taken]:
        """Measure the query that is run in the block."""
        taken, before = Taken(), time.thread_time()
        self._share_out(begins=taken)
        try:
            yield taken
        finally:
            self._share_out(ends=taken)
            taken.seconds += time.thread_time() - before

    def _share_out(self, begins: Taken | None = None, ends: Taken | None = None) -> None:
        with self._lock:
            now = sum(time.clock_gettime((~thread << 3) | _CPU_OF_THREAD) for thread in self._helpers)
            for taken in self._running:
                taken.seconds += (now - self._shared_out) / len(self._running)
            self._shared_out = now
            self._running = [taken for taken in self._running if taken is not ends]
            if begins:
                self._running.append(begins)


def _threads() -> set[int]:
    return {int(task.name) for task in _TASKS.iterdir()} if _TASKS.exists() else set()
