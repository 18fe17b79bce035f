"""What stands behind every route: the door, the plan, who has logged in, and the threads that do the work."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.requests import HTTPConnection, Request

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.access.callers import Caller
from mart_platform.runs.catalogue import Seen
from mart_platform.runs.door.door import Door
from mart_platform.serving.sessions import Sessions

T = TypeVar("T")

_ARRIVES_WITHIN = 20.0
"""Seconds in which the body of a request must have come."""
_THREADS = 128
"""As many requests wait for answers at once; how many of them run is what the door's admission says."""


@dataclass(frozen=True)
class Office:
    """Everything that the routes share."""

    door: Door
    plan_of: Callable[[], Plan]
    sessions: Sessions = field(default_factory=Sessions)
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_THREADS, thread_name_prefix="request")
    )

    @property
    def platform(self) -> Platform:
        return self.door.platform

    @property
    def plan(self) -> Plan:
        return self.plan_of()

    def seen_by(self, caller: Caller) -> Seen:
        """Return the tables and columns that a caller may read, each with the name of its mask."""
        return self.door.may_read(caller)

    async def work(self, task: Callable[[], T]) -> T:
        """Do something that takes its time in a thread, so that others are answered meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, task)

    async def work_until_gone(
        self, request: Request, task: Callable[[threading.Event], T], left_over: Callable[[T], None]
    ) -> T:
        """Do something while the client waits for it: the event that it is given is set when it has left.

        The whole request must have been read. ``left_over`` is handed what was made for nobody.
        """
        cancel = threading.Event()
        watching = asyncio.create_task(set_when_gone(request, cancel))
        future = self.threads.submit(task, cancel)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            cancel.set()
            future.add_done_callback(lambda done: _hand_over(done, left_over))
            raise
        finally:
            watching.cancel()


def office_of(request: HTTPConnection) -> Office:
    """Return the office of the app that serves a request."""
    office: Office = request.app.state.office
    return office


async def arrived(request: Request) -> bytes:
    """Return the body of a request. Raises TimeoutError when it is too slow in coming."""
    async with asyncio.timeout(_ARRIVES_WITHIN):
        return await request.body()


async def set_when_gone(request: Request, gone: threading.Event) -> None:
    """Wait for the client to leave, and say so. The whole request must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    gone.set()


def _hand_over(done: Future[T], left_over: Callable[[T], None]) -> None:
    if not done.cancelled() and done.exception() is None:
        left_over(done.result())
