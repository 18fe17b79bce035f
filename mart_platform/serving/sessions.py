"""Who has logged in with a browser: random names in cookies, and what they stand for in this process."""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mart_platform.runs.access.callers import Caller

LASTS = 8 * 3600.0
"""Seconds after which one has to log in again, whatever one did meanwhile."""
IDLE = 3600.0
"""Seconds without a request after which one has to log in again."""
_MOST = 10_000


@dataclass
class BrowserSession:
    """Somebody who has logged in. ``token`` stands in each form, so that no other site can send one.

    ``caller`` is who they were then, and by which credential; who they are now is for the door to say. The
    secret itself is not kept.
    """

    caller: Caller
    token: str
    began: float
    used: float


@dataclass
class Sessions:
    """All who have logged in. Safe for many threads; names are kept as digests only."""

    clock: Callable[[], float] = time.monotonic
    _by_digest: dict[str, BrowserSession] = field(default_factory=dict)
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, caller: Caller) -> str:
        """Return the name of a new session, which goes into a cookie and is kept nowhere else."""
        name, now = secrets.token_urlsafe(32), self.clock()
        session = BrowserSession(caller, secrets.token_urlsafe(32), now, now)
        with self._changing:
            self._by_digest = {digest: each for digest, each in self._by_digest.items() if self._lasts(each)}
            while len(self._by_digest) >= _MOST:
                del self._by_digest[next(iter(self._by_digest))]
            self._by_digest[_digest(name)] = session
        return name

    def of(self, name: str) -> BrowserSession | None:
        """Return the session with this name, if it has not ended."""
        with self._changing:
            session = self._by_digest.get(_digest(name))
            if session is None or not self._lasts(session):
                return None
            session.used = self.clock()
            return session

    def end(self, name: str) -> None:
        """End a session; one that has ended stays so."""
        with self._changing:
            self._by_digest.pop(_digest(name), None)

    def _lasts(self, session: BrowserSession) -> bool:
        now = self.clock()
        return now - session.began < LASTS and now - session.used < IDLE


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
