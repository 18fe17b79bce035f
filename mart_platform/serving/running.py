"""The server: one process that listens, watches for what is new, and stops without hurry."""

import asyncio
import ipaddress
import logging
import signal
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mart_platform.runs.door.door import Door
from mart_platform.serving.app import app
from mart_platform.serving.declared import Declared
from mart_platform.spec.problems import UserError

_log = logging.getLogger(__name__)

_LOOKS_EVERY = 0.5
"""Seconds between two looks for new publications, rights and declarations."""
_HEAD_WITHIN = 15.0
"""Seconds in which the head of a request must have come."""
_LARGEST_HEAD = 64 * 1024
_KEPT_ALIVE = 75
_CONNECTIONS = 1000
_OF_ONE_ADDRESS = 500
"""Of them, so that nobody keeps all others out alone. A proxy counts its own."""


@dataclass(frozen=True)
class Listening:
    """Where the server listens, and how it is encrypted.

    ``certificate`` and ``key`` are PEM files. ``proxy`` is the address of one that speaks TLS for it: what
    that one says of the client and of TLS is believed, and nothing is answered without TLS.
    """

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    proxy: str | None = None
    patience: int = 30

    @property
    def is_local(self) -> bool:
        """Whether nobody but this machine can reach it."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def refuse_plain_text(self) -> None:
        """Raise UserError where others could reach the server without encryption."""
        if self.certificate is None and self.proxy is None and not self.is_local:
            raise UserError(
                f"{self.host} can be reached from other machines, and without TLS whoever listens reads "
                "secrets and answers. Name 'serving: tls' in settings.yaml, give --certificate and --key, or "
                "say with --behind-proxy ADDRESS which proxy speaks TLS for it."
            )


class Server(uvicorn.Server):
    """Answers over HTTP until SIGTERM or SIGINT, and then until the running queries have ended.

    SIGHUP reads declarations and certificate again. ``announce`` is told the address once it can be asked.
    Raises UserError when others could reach it without encryption, or the certificate cannot be used.
    """

    def __init__(
        self, door: Door, declared: Declared, listening: Listening, announce: Callable[[str], None]
    ) -> None:
        listening.refuse_plain_text()
        super().__init__(_configured(door, declared, listening))
        self._watcher, self._listening, self._announce = Watcher(door, declared), listening, announce

    def run(self, sockets: list[socket] | None = None) -> None:
        """Answer until the end. Raises UserError when nothing can listen at this address."""
        self._watcher.start()
        try:
            super().run(sockets)
        except SystemExit as ended:  # uvicorn's way to say that it could not begin to listen
            where = f"{self._listening.host}:{self._listening.port}"
            raise UserError(f"Nothing can listen on {where}; choose another --port.") from ended
        finally:
            self._watcher.end()

    def stop(self) -> None:
        """End as on a signal: nobody new is let in, and who is inside is served."""
        self.should_exit = True

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            self._announce(f"{'https' if self.config.is_ssl else 'http'}://{shown}:{port}")

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle signals while it runs; uvicorn's own raises them again in the end, and never exits by 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers = {
            signal.SIGINT: self.handle_exit,
            signal.SIGTERM: self.handle_exit,
            signal.SIGHUP: self._reload,
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _reload(self, _: int, __: FrameType | None) -> None:
        self._watcher.look_now()
        if self.config.ssl is not None:
            try:
                self.config.ssl.load_cert_chain(str(self._listening.certificate), self._listening.key)
            except (OSError, ssl.SSLError) as error:
                _log.warning("the certificate stays as it was", extra={"error": str(error)})


class Watcher(threading.Thread):
    """Looks for new publications, rights and declarations, twice a second and when it is told to."""

    def __init__(self, door: Door, declared: Declared) -> None:
        super().__init__(name="watcher", daemon=True)
        self._door, self._declared = door, declared
        self._ended, self._woken = threading.Event(), threading.Event()

    def run(self) -> None:
        """Look until the end. What goes wrong is logged, and what was known stays in use."""
        while not self._ended.is_set():
            if self._woken.wait(_LOOKS_EVERY):
                self._woken.clear()
                self._declared.forget()
            try:
                self._declared.look()
                self._door.refresh()
            except Exception as error:  # noqa: BLE001 - recorded; the next look may succeed
                told = f"{type(error).__name__}: {error}"
                _log.warning("nothing new could be seen", extra={"error": told})

    def look_now(self) -> None:
        """Look at once, and at the declarations too."""
        self._woken.set()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self._woken.set()
        self.join()


def _configured(door: Door, declared: Declared, listening: Listening) -> uvicorn.Config:
    config = uvicorn.Config(
        app(door, declared, only_encrypted=listening.proxy is not None),
        host=listening.host,
        port=listening.port,
        http=_Impatient,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=listening.proxy is not None,
        forwarded_allow_ips=listening.proxy or "",
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEPT_ALIVE,
        timeout_graceful_shutdown=listening.patience,
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"The certificate {listening.certificate} cannot be used: {error}.") from error
    return config


class _Impatient(HttpToolsProtocol):
    """Ends connections on which no head of a request comes, or one without end: those fill a server."""

    _waiting: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        super().connection_made(transport)
        self._wait()
        if self._takes_too_many():
            transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._waiting is not None:
            self._head += len(data)
            if self._head > _LARGEST_HEAD:
                self.transport.abort()

    def on_message_begin(self) -> None:
        self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._wait_no_more()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def _takes_too_many(self) -> bool:
        if self.config.proxy_headers or self.client is None or len(self.connections) <= _OF_ONE_ADDRESS:
            return False
        others = (each.client for each in self.connections if isinstance(each, _Impatient))
        return [other[0] for other in others if other].count(self.client[0]) > _OF_ONE_ADDRESS

    def _wait(self) -> None:
        self._wait_no_more()
        self._head = 0
        self._waiting = self.loop.call_later(_HEAD_WITHIN, self.transport.abort)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
