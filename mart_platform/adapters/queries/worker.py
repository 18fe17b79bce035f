"""The process in which queries run that might take it down; workers.py starts it and speaks with it.

It is told over a socket what to answer, one query at a time, and ends when the socket does: with the server,
however that ended. It knows no secret but the variables of the query that it runs. What it says is JSON and
bytes, so that who takes a worker over cannot make the server run anything.
"""

import json
import os
import resource
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from mart_platform.adapters.queries.answering import Answered, Answering, Task
from mart_platform.adapters.queries.instances import Limits
from mart_platform.ports import ExecutionEnded
from mart_platform.spec.problems import UserError

SPILL = "spill"
_RESIDENT, _DATA = 1, 5
"""Where /proc/self/statm says what is in memory, and what could be written to; see proc(5)."""
_KEPT = 2
"""Sets of publications that a worker keeps open."""
_NICEST = 19
_WORN = 0.5
"""A worker that holds more than this part of its memory after a query should make room for a fresh one."""


@dataclass(frozen=True)
class Manners:
    """How a worker behaves: what memory its process may take, its threads, and the folder that it writes to.

    DuckDB is given half of the memory: what its functions and its answers take comes on top of that.
    """

    memory: int
    threads: int
    folder: Path
    empty: Path


@dataclass(frozen=True)
class Stop:
    """Said to a worker: nobody waits for the answer any more."""


def main(descriptor: int) -> None:
    """Answer tasks until the socket is closed at its other end."""
    told = Connection(descriptor)
    with suppress(EOFError, BrokenPipeError):
        _serve(told, told.recv())


def _serve(told: Connection, manners: Manners) -> None:
    _behave(manners)
    limits = Limits(manners.memory // 2, manners.threads, spill=manners.folder / SPILL)
    answering = Answering(manners.folder, manners.empty, limits, _KEPT)
    tasks, stopped = SimpleQueue[Task](), Event()
    Thread(target=_listen, args=(told, tasks, stopped), daemon=True).start()
    _say(told, {}, manners)
    while True:
        _reply(told, answering, tasks.get(), stopped, manners)


def _behave(manners: Manners) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the terminal is the server's
    os.nice(_NICEST)
    # Beyond this an allocation fails, in DuckDB or beside its own limit, and with it the query alone.
    most = _pages(_DATA) + manners.memory
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold rows


def _listen(told: Connection, tasks: "SimpleQueue[Task]", stopped: Event) -> None:
    try:
        while True:
            said = told.recv()
            if isinstance(said, Stop):
                stopped.set()
            else:
                stopped.clear()
                tasks.put(said)
    except (EOFError, OSError):
        os._exit(0)  # also out of a call that nothing can interrupt


def _reply(told: Connection, answering: Answering, task: Task, stopped: Event, manners: Manners) -> None:
    try:
        answered = answering.answer(task, stopped)
    except ExecutionEnded as ended:
        _say(told, {"ended": ended.code, "text": str(ended), "cpu_seconds": ended.cpu_seconds}, manners)
    except MemoryError:
        _say(told, {"ended": "out_of_memory", "text": "no memory was left", "cpu_seconds": 0.0}, manners)
    except UserError as error:
        _say(told, {"problem": str(error)}, manners)
    else:
        _say(told, _told_of(answered), manners)
        if isinstance(answered.spool.held, bytes):
            told.send_bytes(answered.spool.held)


def _say(told: Connection, said: Mapping[str, Any], manners: Manners) -> None:
    state = {"process_seconds": time.process_time(), "worn": _pages(_RESIDENT) > _WORN * manners.memory}
    told.send_bytes(json.dumps({**said, **state}).encode())


def _pages(kind: int) -> int:
    """Return the bytes of one kind that this process has, 0 where nobody says."""
    said = Path("/proc/self/statm")
    return int(said.read_text().split()[kind]) * resource.getpagesize() if said.exists() else 0


def _told_of(answered: Answered) -> dict[str, Any]:
    held = answered.spool.held
    return {
        "columns": dict(answered.columns),
        "rows": answered.spool.rows,
        "bytes": answered.spool.size,
        "file": held.name if isinstance(held, Path) else None,
        "cpu_seconds": answered.cpu_seconds,
        "seconds": answered.seconds,
    }
