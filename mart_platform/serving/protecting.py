"""What holds for every request: headers that protect browsers, one log line, TLS, and no stack trace."""

import asyncio
import logging
import time
import traceback

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mart_platform.serving.refusing import CLIENT_LEFT, OUR_BUG, Refusal, as_json

_log = logging.getLogger(__name__)

_STUCK_AFTER = 60.0
"""Seconds in which a client must take what it is sent."""
_YEAR = 365 * 24 * 3600

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_NEEDS_TLS = Refusal(403, "not_encrypted", "This server answers over https alone.")


class Protection:
    """The outermost part of the app that is ours.

    ``only_encrypted`` refuses what did not come over TLS, except for the question whether the server is well.
    """

    def __init__(self, app: ASGIApp, *, only_encrypted: bool) -> None:
        self.app, self.only_encrypted = app, only_encrypted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sending = _Sending(send, is_encrypted=scope["scheme"] == "https")
        began = time.perf_counter()
        try:
            await self._answer(scope, receive, sending)
        except asyncio.CancelledError:  # the server stops; nobody is left to be told
            sending.status = sending.status or CLIENT_LEFT
            raise
        except Exception as error:  # noqa: BLE001 - recorded, and told to the client without its text
            await self._fail(error, scope, receive, sending)
        finally:
            _log_line(scope, sending.status, time.perf_counter() - began)

    async def _answer(self, scope: Scope, receive: Receive, sending: "_Sending") -> None:
        if self.only_encrypted and scope["scheme"] != "https" and scope["path"] != "/health":
            await as_json(_NEEDS_TLS)(scope, receive, sending)
        else:
            await self.app(scope, receive, sending)

    async def _fail(self, error: Exception, scope: Scope, receive: Receive, sending: "_Sending") -> None:
        # The text of an exception may hold values of rows; the places in our code do not.
        frames = traceback.extract_tb(error.__traceback__)[-8:]
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        _log.error("request failed", extra={"error": type(error).__name__, "places": places})
        if sending.status:
            raise ConnectionAbortedError("the answer broke off") from None
        await as_json(OUR_BUG)(scope, receive, sending)


class _Sending:
    """Sends to the client with what protects it, and remembers the status."""

    def __init__(self, send: Send, *, is_encrypted: bool) -> None:
        self._send, self._is_encrypted = send, is_encrypted
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._protect(MutableHeaders(scope=message))
        async with asyncio.timeout(_STUCK_AFTER):
            await self._send(message)

    def _protect(self, headers: MutableHeaders) -> None:
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("Cache-Control", "no-store")
        if self._is_encrypted:
            headers["Strict-Transport-Security"] = f"max-age={_YEAR}"


def _log_line(scope: Scope, status: int, seconds: float) -> None:
    """Write down a request, without what it asked: the query string, headers and body may hold secrets."""
    route = getattr(scope.get("route"), "path", None)
    _log.info(
        "request",
        extra={
            "method": scope["method"],
            "route": route or "none",
            "status": status,
            "client": scope["client"][0] if scope.get("client") else "",
            "ms": round(seconds * 1000, 1),
        },
    )
