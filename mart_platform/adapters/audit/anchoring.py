"""The anchor: how far the audit log goes, kept in the ledger too.

Without it a log that lost its end, or that was replaced as a whole, would look whole.
"""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from mart_platform.adapters.audit.chain import Head
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Record

_log = logging.getLogger(__name__)

_SETTING = "audit_log"
_SECONDS = 1.0


class Keeper(Protocol):
    """Keeps texts by name, as the ledger does."""

    def setting(self, name: str) -> str | None: ...

    def set_setting(self, name: str, value: str | None) -> None: ...


class Anchored(Record):
    """``head`` is in the log, and its first entry follows on ``beginning``: those up to it are retired."""

    head: Head = Head()
    beginning: Head = Head()


class Anchor:
    """The anchor of one audit log; several processes may move it, and it never goes back."""

    def __init__(self, keeper: Keeper, lock: Path) -> None:
        self._keeper, self._lock = keeper, lock

    def kept(self) -> Anchored | None:
        """Return what was anchored last."""
        kept = self._keeper.setting(_SETTING)
        return None if kept is None else Anchored.model_validate_json(kept)

    def move(self, head: Head, beginning: Head | None = None) -> None:
        """Anchor a head that lies beyond the one before, and a new beginning where one is given."""
        with alone(self._lock):
            before = self.kept() or Anchored()
            after = Anchored(
                head=max(before.head, head, key=lambda each: each.number),
                beginning=beginning or before.beginning,
            )
            if after != before:
                self._keeper.set_setting(_SETTING, after.model_dump_json())


class Following:
    """Moves an anchor after what is written, once a second, in a thread that ends when all is anchored."""

    def __init__(self, anchor: Anchor) -> None:
        self._anchor = anchor
        self._lock, self._hurry = threading.Lock(), threading.Event()
        self._pending: Head | None = None
        self._thread: threading.Thread | None = None
        self._due = 0.0

    def follow(self, head: Head) -> None:
        """Let the anchor come to this head, within a second."""
        with self._lock:
            self._pending = head
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="audit-anchor")
                self._thread.start()

    def finish(self) -> None:
        """Return when the anchor is where it was to come."""
        self._hurry.set()
        if thread := self._thread:
            thread.join()
        self._hurry.clear()

    def _run(self) -> None:
        while True:
            self._hurry.wait(max(0.0, self._due - time.monotonic()))
            with self._lock:
                head, self._pending = self._pending, None
            self._due = time.monotonic() + _SECONDS
            if head is not None:
                self._move(head)
            with self._lock:
                if self._pending is None:
                    self._thread = None
                    return

    def _move(self, head: Head) -> None:
        try:
            self._anchor.move(head)
        except (UserError, OSError) as error:  # the next entry tries again
            _log.warning("the audit log's entry %d could not be anchored: %s", head.number, error)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Let one thread of one process at a time do something; the lock file is opened anew for each."""
    opened = os.open(lock, os.O_RDONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)
