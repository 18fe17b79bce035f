"""The Telemetry port: facts appended as JSON lines, one file for each process."""

import logging
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic_core import to_json

log = logging.getLogger(__name__)


class JsonlTelemetry:
    """Appends each fact as one line, in one write, to a file that is made with the first fact.

    Facts about work must not stop the work: what cannot be written is lost. The first loss is logged with
    its reason, those after it are only counted in ``lost``.
    """

    def __init__(self, folder: Path) -> None:
        self.lost = 0
        self._folder = folder
        self._opened: tuple[int, int] | None = None  # process, file descriptor
        self._opening = threading.Lock()

    def record(self, kind: str, **facts: Any) -> None:
        """Append a fact: its moment (``at``, UTC), ``kind``, ``pid``, and what is known of it."""
        try:
            line = to_json(
                {"at": datetime.now(UTC), "kind": kind, "pid": os.getpid(), **facts},
                inf_nan_mode="null",
                bytes_mode="base64",
                fallback=str,
            )
            self._append(line + b"\n")
        except (OSError, ValueError) as error:
            self._lose(error)

    def close(self) -> None:
        """Close the file; another fact opens another one."""
        if self._opened is not None:
            os.close(self._opened[1])
            self._opened = None

    def _append(self, line: bytes) -> None:
        written = os.write(self._file(), line)
        if written < len(line):
            raise OSError(f"only {written} of {len(line)} bytes could be written")

    def _file(self) -> int:
        """Return this process's file; after a fork that is not its parent's."""
        with self._opening:
            if self._opened is None or self._opened[0] != os.getpid():
                self._folder.mkdir(parents=True, exist_ok=True)
                name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.getpid()}.jsonl"
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                self._opened = os.getpid(), os.open(self._folder / name, flags, 0o644)
            return self._opened[1]

    def _lose(self, error: Exception) -> None:
        self.lost += 1
        if self.lost == 1:
            log.warning(
                "telemetry cannot be written to %s (%s); facts are lost from now on", self._folder, error
            )
