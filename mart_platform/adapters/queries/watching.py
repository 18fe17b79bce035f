"""A watch over the queries that run in this process: it ends those that take too long or are cancelled."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mart_platform.adapters.queries.adbc import Connection, Failed
from mart_platform.ports import Cancel

_EVERY = 0.02
"""Seconds between two looks: how much later than asked a query may end."""
_BEAT = 3_600.0
"""Seconds between two touches of the folder."""


@dataclass(eq=False)
class Watched:
    """A query that runs. ``ended`` says why it was told to end: too_long or cancelled."""

    connection: Connection
    until: float
    cancel: Cancel | None
    ended: str = ""


class Watch:
    """Looks after queries in a thread of its own.

    That looks all the time: to wake it for each query would cost every query more than all looks together.
    Now and then it touches the folder of the answers, which would be swept away as left by a killed process
    when nothing was written there for a day.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._touched = folder, time.monotonic()
        self._watched: set[Watched] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="queries-watch", daemon=True)
        self._thread.start()

    @contextmanager
    def over(self, connection: Connection, seconds: float, cancel: Cancel | None) -> Iterator[Watched]:
        """Watch the query that runs in the block; when that has ended, so has every interrupt."""
        watched = Watched(connection, time.monotonic() + seconds, cancel)
        with self._lock:
            self._watched.add(watched)
        try:
            yield watched
        finally:
            with self._lock:
                self._watched.remove(watched)

    def close(self) -> None:
        """Cancel what runs, and return when all of it has ended."""
        self._closed.set()
        self._thread.join()

    def _look_on(self) -> None:
        while self._watched or not self._closed.is_set():
            with self._lock:
                for watched in self._watched:
                    _end_if_due(watched, is_closed=self._closed.is_set())
            if time.monotonic() > self._touched + _BEAT:
                os.utime(self._folder)
                self._touched = time.monotonic()
            time.sleep(_EVERY)  # whoever cancels only sets a flag, of whatever kind: it has to be looked at


def _end_if_due(watched: Watched, *, is_closed: bool) -> None:
    """Interrupt a query that is due; again at each look, as there is nothing to do so between statements."""
    if is_closed or (watched.cancel and watched.cancel.is_set()):
        watched.ended = watched.ended or "cancelled"
    elif time.monotonic() > watched.until:
        watched.ended = watched.ended or "too_long"
    if watched.ended:
        with suppress(Failed):
            watched.connection.interrupt()
