"""Workers: processes of their own, each of which answers one query at a time and can be killed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Condition, Event
from typing import Any
from uuid import uuid4

from mart_platform.adapters.queries.answering import Answered, Task
from mart_platform.adapters.queries.spools import Spool
from mart_platform.adapters.queries.worker import SPILL, Manners, Stop
from mart_platform.ports import Cancel, ExecutionEnded
from mart_platform.spec.problems import UserError

_EVERY = 0.02
"""Seconds between two looks at whether an answer is still wanted."""
_GRACE = 1.0
"""Seconds that a worker has to stop by itself."""
_START = 60.0
"""Seconds that a worker may take until it listens; on an idle machine it takes half of one."""
_MAIN = "import sys; from mart_platform.adapters.queries.worker import main; main(int(sys.argv[1]))"
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "LANG")
_NO_MEMORY = (-signal.SIGKILL, -signal.SIGABRT)
"""How a process ends that the machine has no memory for, or whose library finds none."""


class Workers:
    """Up to so many workers, begun when they are needed and kept; one that dies is replaced.

    Queries get a worker in the order in which they came. Safe for many threads.
    """

    def __init__(self, manners: Manners, most: int) -> None:
        self._manners, self._most, self._busy = manners, most, 0
        self._idle: list[_Worker] = []
        self._waiting: deque[object] = deque()
        self._changed = Condition()
        self._closed = Event()

    def answer(self, task: Task, cancel: Cancel | None = None) -> Answered:
        """Return the answer whole. Raises ExecutionEnded, and UserError when the disk is full."""
        unwanted = _AnyOf((self._closed, cancel) if cancel else (self._closed,))
        worker = self._free(unwanted)
        try:
            worker = worker.fit() if worker else _Worker(self._manners)  # it may have died since
            return worker.answer(task, unwanted)
        finally:
            self._give_back(worker)

    def close(self) -> None:
        """Cancel what runs, and return when no worker is left."""
        self._closed.set()
        with self._changed:
            self._changed.wait_for(lambda: not self._busy)
            for worker in self._idle:
                worker.close()
            self._idle = []

    def _free(self, unwanted: Cancel) -> "_Worker | None":
        """Wait for one's turn, and return a worker, or None when one may be begun."""
        turn = object()
        with self._changed:
            self._waiting.append(turn)
            try:
                while not unwanted.is_set():
                    if self._waiting[0] is turn and self._busy < self._most:
                        self._busy += 1
                        return self._idle.pop() if self._idle else None
                    self._changed.wait(_EVERY)
            finally:
                self._waiting.remove(turn)
                self._changed.notify_all()
        raise ExecutionEnded("cancelled", "nobody waited for the answer any more when its turn came")

    def _give_back(self, worker: "_Worker | None") -> None:
        fit = None
        try:
            fit = worker.fit() if worker else None
        finally:
            with self._changed:
                self._busy -= 1
                self._idle += [fit] if fit else []
                self._changed.notify_all()


class _Worker:
    """A process with a folder, and the socket by which it is told what to answer."""

    def __init__(self, manners: Manners) -> None:
        self._manners = replace(manners, folder=manners.folder / f"worker-{uuid4().hex}")
        (self._manners.folder / SPILL).mkdir(mode=0o700, parents=True)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 (this very Python, with our own text)
                [sys.executable, "-P", "-c", _MAIN, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
            )
        self._told = Connection(ours.detach())
        self._told.send(self._manners)
        self._listens = self._is_worn = False
        self._process_seconds = 0.0

    def answer(self, task: Task, unwanted: Cancel) -> Answered:
        """Return the answer whole. Raises ExecutionEnded; after that the worker may be unfit."""
        try:
            if not self._listens:
                self._heard(_Patience("error", _START, unwanted))
                self._listens = True
            self._told.send(task)
            said = self._heard(_Patience("too_long", task.seconds, unwanted))
            return self._answered(said)
        except (EOFError, OSError) as error:
            raise self._died() from error

    def fit(self) -> "_Worker":
        """Return this worker, or a fresh one in its place."""
        if self._process.poll() is None and not self._is_worn:
            return self
        self.close()
        return _Worker(replace(self._manners, folder=self._manners.folder.parent))

    def close(self) -> None:
        """End the process, and remove what it wrote."""
        self._told.close()  # at which it ends by itself
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._manners.folder, ignore_errors=True)

    def _heard(self, patience: "_Patience") -> dict[str, Any]:
        """Return what the worker says next; it is killed when that comes too late. Raises ExecutionEnded."""
        while not self._told.poll(_EVERY):
            if patience.is_at_end():
                raise self._killed(patience.code)
            if patience.ends_now():
                self._told.send(Stop())
        said: dict[str, Any] = json.loads(self._told.recv_bytes())
        self._is_worn, self._process_seconds = said["worn"], said["process_seconds"]
        return said

    def _answered(self, said: dict[str, Any]) -> Answered:
        if "problem" in said:
            raise UserError(said["problem"])
        if "ended" in said:
            raise ExecutionEnded(said["ended"], said["text"], said["cpu_seconds"])
        held = self._kept(said["file"]) if said["file"] else self._told.recv_bytes()
        spool = Spool(said["rows"], said["bytes"], held)
        return Answered(said["columns"], spool, said["cpu_seconds"], said["seconds"])

    def _kept(self, file: str) -> Path:
        """Take an answer out of the worker's folder, which ends with it."""
        kept = self._manners.folder.parent / Path(file).name
        return (self._manners.folder / Path(file).name).rename(kept)

    def _killed(self, code: str) -> ExecutionEnded:
        self._process.kill()
        cpu_seconds = self._reaped()
        return ExecutionEnded(code, "the worker did not answer in time, and was killed", cpu_seconds)

    def _died(self) -> ExecutionEnded:
        cpu_seconds = self._reaped()
        code = "out_of_memory" if self._process.returncode in _NO_MEMORY else "error"
        return ExecutionEnded(code, f"the worker died ({self._process.returncode})", cpu_seconds)

    def _reaped(self) -> float:
        """Wait for the end of the process, and return the CPU that its last query took."""
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime - self._process_seconds


class _Patience:
    """How long an answer is waited for: some seconds, and a little more for the worker to stop by itself."""

    def __init__(self, code: str, seconds: float, unwanted: Cancel) -> None:
        self.code = code
        self._unwanted, self._end, self._is_told = unwanted, time.monotonic() + seconds + _GRACE, False

    def ends_now(self) -> bool:
        """Return once whether nobody wants the answer any more."""
        if self._is_told or not self._unwanted.is_set():
            return False
        self._is_told, self.code = True, "cancelled"
        self._end = min(self._end, time.monotonic() + _GRACE)
        return True

    def is_at_end(self) -> bool:
        return time.monotonic() > self._end


@dataclass(frozen=True)
class _AnyOf:
    """Is set when one of several is."""

    cancels: tuple[Cancel, ...]

    def is_set(self) -> bool:
        return any(cancel.is_set() for cancel in self.cancels)

    def wait(self, timeout: float | None = None) -> bool:
        return self.cancels[0].wait(timeout) or self.is_set()


def _environment() -> dict[str, str]:
    """Return the variables of a worker: none of those in which secrets are given."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
