"""One writer a table: a lease in the ledger saves work; the compare-and-swap of the lake keeps it right."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mart_platform.ports import CommitConflict, Platform
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Lease

HELD_FOR = 3600.0
"""Seconds after which a lease is free for anybody, should its holder have gone without a trace."""
PATIENCE = 900.0
"""Seconds that a run waits for another one that writes the same thing."""


def this_process() -> str:
    """Return a name of this process that another one on the same machine can check for life."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started_at(os.getpid())}"


def is_alive(process: str) -> bool:
    """Return whether a process so named may still run; one on another machine always may."""
    host, _, rest = process.partition(":")
    number, _, started = rest.partition(":")
    if host != socket.gethostname() or not number.isdigit():
        return True
    return _started_at(int(number)) == started


@contextmanager
def holding(platform: Platform, name: str, run: str) -> Iterator[Lease]:
    """Hold the lease of ``name`` while the block runs; waits for a live holder, takes over from a dead one.

    Raises UserError when another run still holds it after PATIENCE seconds.
    """
    lease = _acquired(platform, name, f"{this_process()}/{run}")
    try:
        yield lease
    finally:
        platform.ledger.give_back(lease)


@contextmanager
def at_once(platform: Platform, name: str, run: str) -> Iterator[Lease | None]:
    """Hold the lease of ``name`` while the block runs, or give None when a process that may live has it.

    One that has expired belongs to its holder for as long as that lives on this machine: it may be about to
    refer to what it has written.
    """
    ledger, holder, now = platform.ledger, f"{this_process()}/{run}", platform.clock.wall()
    other = ledger.lease(name)
    if other is not None and other.holder != holder:
        process = other.holder.partition("/")[0]
        if is_alive(process) and (other.expires > now or _is_here(process)):
            yield None
            return
        ledger.give_back(other)
    lease = ledger.acquire(name, holder, now, HELD_FOR)
    try:
        yield lease
    finally:
        if lease is not None:
            ledger.give_back(lease)


def refuse_taken_over(platform: Platform, lease: Lease) -> None:
    """Raise CommitConflict when somebody else has taken over a lease since it was acquired."""
    present = platform.ledger.lease(lease.name)
    if present is None or present.token != lease.token:
        raise CommitConflict(f"the lease of {lease.name} was taken over meanwhile")


def _is_here(process: str) -> bool:
    return process.partition(":")[0] == socket.gethostname()


def _acquired(platform: Platform, name: str, holder: str) -> Lease:
    give_up_at = time.monotonic() + PATIENCE
    while True:
        lease = platform.ledger.acquire(name, holder, platform.clock.wall(), HELD_FOR)
        if lease is not None:
            return lease
        other = platform.ledger.lease(name)
        if other is not None and not is_alive(other.holder.partition("/")[0]):
            platform.ledger.give_back(other)
            continue
        if time.monotonic() > give_up_at:
            by = other.holder if other else "somebody"
            raise UserError(f"{name} is being written by {by}; wait for it to end, then run again.")
        time.sleep(0.2)


def _started_at(process: int) -> str:
    """Return when a process started, so that a reused number is not taken for it; empty when it is gone."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
        return stat.rpartition(")")[2].split()[19]
    except FileNotFoundError:
        return "" if _is_gone(process) else "running"


def _is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
