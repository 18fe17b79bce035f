"""The plan that is in use: that of the warehouse folder as it was last found right."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mart_platform.planning.plan import Plan
from mart_platform.spec.problems import InvalidDeclarations

_log = logging.getLogger(__name__)

_LOOKS_EVERY = 2.0
"""Seconds between two looks at the names and times of the files."""
_KINDS = (".yaml", ".sql", ".py", ".md")
_State = tuple[tuple[str, int, int], ...]


class Declared:
    """Gives the plan in use; ``look`` reads the folder again when files of it have changed.

    A folder that holds mistakes leaves the plan before in use, and the mistakes are logged once.
    """

    def __init__(self, folder: Path, read: Callable[[], Plan]) -> None:
        self._folder, self._read = folder, read
        self._looking = threading.Lock()
        self._state: _State | None = tuple(_files(folder))
        self._looked_at = time.monotonic()
        self._plan = read()

    def __call__(self) -> Plan:
        return self._plan

    def forget(self) -> None:
        """Let the next look read the folder again, whatever it looks like."""
        self._state, self._looked_at = None, 0.0

    def look(self) -> None:
        """Read the folder again if it has changed."""
        with self._looking:
            if self._looked_at and time.monotonic() - self._looked_at < _LOOKS_EVERY:
                return
            self._looked_at, state = time.monotonic(), tuple(_files(self._folder))
            if state == self._state:
                return
            self._state = state
            try:
                self._plan = self._read()
            except InvalidDeclarations as error:
                _log.warning(
                    "the declarations hold mistakes", extra={"problems": list(map(str, error.problems))}
                )


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Yield name, time and size of all declarations below a folder."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(_KINDS):
                try:
                    found = Path(place, name).stat()
                except FileNotFoundError:  # renamed meanwhile
                    continue
                yield f"{place}/{name}", found.st_mtime_ns, found.st_size
