"""The Python client of the door. It needs nothing but the standard library, and can be copied anywhere.

    session = connect("https://marts.example.com", token="…")
    session.query("SELECT * FROM sales.daily_store LIMIT 10").polars()

Answers become frames of Polars, pandas or Arrow where these are installed. A session may be shared by
threads: each query has a connection to itself while it runs. Whatever interrupts a query (Ctrl-C, the Stop of
a notebook) cancels it at the server too.
"""

import base64
import functools
import html
import http.client
import importlib
import importlib.util
import io
import ipaddress
import json
import os
import ssl
import sys
import time
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import polars as pl

_ARROW = "application/vnd.apache.arrow.stream"
_JSON = "application/json"
_PIECE = 1 << 20
_SHOWN_ROWS = 20
_PROGRESS_AFTER = 1.0
"""Seconds after which the progress of an answer is shown."""
_STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)
"""How a kept connection fails that the server has ended meanwhile."""

OnProgress = Callable[["Progress"], None]


class MartError(Exception):
    """The server gives no answer. ``code`` is for programs, ``message`` and ``remedy`` are for people."""

    def __init__(
        self, code: str, message: str, remedy: str = "", *, status: int = 0, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.code, self.message, self.remedy = code, message, remedy
        self.status, self.retry_after = status, retry_after


class NotConnected(MartError):
    """The server does not know who asks, or hears no more tries for ``retry_after`` seconds."""


class QueryRefused(MartError):
    """The query may not run, or has failed: something in it is wrong, unknown or not allowed."""


class OverBudget(MartError):
    """A limit is reached; after ``retry_after`` seconds, where it is known, the query may go through."""


class Unreachable(MartError):
    """There is no connection to the server, or it takes no queries now."""


@dataclass(frozen=True)
class Progress:
    """How far an answer has come: bytes that have arrived, of how many, None before that is known."""

    seconds: float
    arrived: int
    expected: int | None


def connect(
    url: str,
    *,
    token: str | None = None,
    user: str | None = None,
    secret: str | None = None,
    ca_file: str | None = None,
    allow_plain_text: bool = False,
    timeout: float = 600.0,
    progress: bool | OnProgress = True,
) -> "Session":
    """Connect to a door, and return a session; nothing is sent before the first question.

    Say who asks by a ``token`` (or the variable MART_TOKEN), or by ``user`` and ``secret``. ``ca_file`` are
    certificates to trust beside those of the system. ``timeout`` are the seconds that the server may stay
    silent. ``progress`` shows long answers on a terminal or in a notebook, or tells a function of yours.
    Proxies are taken from the environment. Raises ValueError where secrets would go over a network in plain
    text, unless ``allow_plain_text``.
    """
    if user is None:
        token = token or os.environ.get("MART_TOKEN")
    if (token is None) == (user is None) or (user is not None and secret is None):
        raise ValueError("Say who asks: give a token (or set MART_TOKEN), or both user and secret.")
    credentials = f"Bearer {token}" if token else f"Basic {_base64(f'{user}:{secret}')}"
    address = _Address.of(url)
    if not (address.is_encrypted or allow_plain_text or _is_loopback(address.host)):
        raise ValueError(f"{url} is not encrypted, and the secret would be readable on its way. Use https.")
    context = ssl.create_default_context() if address.is_encrypted else None
    if context is not None and ca_file is not None:
        context.load_verify_locations(ca_file)
    return Session(_Wire(address, credentials, context, timeout), progress)


class Session:
    """A door, asked by somebody. Safe for many threads."""

    def __init__(self, wire: "_Wire", progress: bool | OnProgress = True) -> None:
        self._wire, self._progress = wire, progress

    def query(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        versions: Mapping[str, int | str] | None = None,
        lane: Literal["dashboard", "ad-hoc"] | None = None,
        *,
        receipt: bool = False,
        progress: OnProgress | None = None,
    ) -> "Answer":
        """Return the answer of one SELECT.

        ``parameters`` stand for ``?`` (a list) or ``$name`` (a mapping); a date or decimal goes as text.
        ``versions`` maps marts to publications, by number or as ``"live"`` and ``"shadow"``. With ``receipt``
        the server keeps a digest of the rows, so that the same can be shown later. Raises MartError.
        """
        body = _query_body(sql, parameters, versions, lane, receipt=receipt)
        form = _ARROW if _arrow_reader() else _JSON
        with _shown(progress or self._progress) as told:
            headers, answer = self._wire.ask("POST", "/v1/query", body, form, told)
        return Answer(self, answer, form, headers)

    def estimate(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        versions: Mapping[str, int | str] | None = None,
    ) -> dict[str, Any]:
        """Return what a query will cost: cpu_seconds, bytes_read, price, currency, runs. Raises MartError."""
        body = _query_body(sql, parameters, versions, None, receipt=False)
        return dict(self._json("POST", "/v1/estimate", body))

    def marts(self) -> list[dict[str, Any]]:
        """Return the marts of which anything may be read."""
        return list(self._json("GET", "/v1/marts"))

    def mart(self, name: str) -> dict[str, Any]:
        """Return all about a mart. Raises MartError where there is none that may be read."""
        return dict(self._json("GET", f"/v1/marts/{urllib.parse.quote(name, safe='')}"))

    def tables(self, mart: str | None = None) -> list[str]:
        """Return the names ``mart.table`` of the tables that may be read: of all marts, or of one."""
        return [table for each in self.marts() if mart in (None, each["mart"]) for table in each["tables"]]

    def table(self, name: str) -> dict[str, Any]:
        """Return all about a table ``mart.table``: columns, masks, checks, versions. Raises MartError."""
        mart, _, table = (urllib.parse.quote(part, safe="") for part in name.partition("."))
        return dict(self._json("GET", f"/v1/marts/{mart}/tables/{table}"))

    def receipt(self, identity: str) -> dict[str, Any]:
        """Return the receipt of one's own query by its id. Raises MartError."""
        return dict(self._json("GET", f"/v1/receipts/{urllib.parse.quote(identity, safe='')}"))

    def whoami(self) -> dict[str, Any]:
        """Return who asks, with which roles. Raises MartError."""
        return dict(self._json("GET", "/v1/session"))

    def close(self) -> None:
        """End the connections that are kept; the next question opens one."""
        self._wire.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Session of {self._wire.address.url}>"

    def _json(self, method: str, path: str, body: bytes | None = None) -> Any:
        return json.loads(self._wire.ask(method, path, body, _JSON)[1])


class Answer:
    """The rows of a query, and what they rest on: ``versions`` by mart, ``price`` with its currency."""

    def __init__(self, session: Session, data: bytearray, form: str, headers: Mapping[str, str]) -> None:
        self._session, self._data, self._form = session, data, form
        self.id = headers.get("mart-receipt", "")
        self.count = int(headers.get("mart-rows", "0"))
        self.price = headers.get("mart-price", "")
        self.cached = headers.get("mart-cache") == "hit"
        pairs = (pair.partition("=") for pair in headers.get("mart-versions", "").split(", ") if pair)
        self.versions = {mart: int(number) for mart, _, number in pairs}

    @functools.cached_property
    def receipt(self) -> dict[str, Any]:
        """The receipt, asked for when it is first read."""
        return self._session.receipt(self.id)

    def polars(self) -> "pl.DataFrame":
        """Return a Polars frame."""
        frame: pl.DataFrame = _needed("polars", self._form).read_ipc_stream(io.BytesIO(self._data))
        return frame

    def arrow(self) -> Any:
        """Return an Arrow table, of pyarrow or else of arro3, whichever is installed."""
        if _is_installed("pyarrow"):
            return _needed("pyarrow.ipc", self._form).open_stream(memoryview(self._data)).read_all()
        return (
            _needed("arro3.io", self._form, "pyarrow or arro3-io")
            .read_ipc_stream(io.BytesIO(self._data))
            .read_all()
        )

    def pandas(self) -> Any:
        """Return a pandas frame; pyarrow must be installed too."""
        _needed("pandas", self._form)
        return _needed("pyarrow.ipc", self._form).open_stream(memoryview(self._data)).read_pandas()

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries.

        Without any Arrow library, values are as JSON has them: dates and decimals as text.
        """
        if self._form == _JSON:
            answer = json.loads(self._data)
            names = [column["name"] for column in answer["columns"]]
            return [dict(zip(names, row, strict=True)) for row in answer["rows"]]
        reader = _arrow_reader()
        if reader == "polars":
            return self.polars().to_dicts()
        table = self.arrow()
        if reader == "pyarrow":
            return list(table.to_pylist())
        columns = [table[name].to_pylist() for name in table.column_names]
        return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self.count

    def __repr__(self) -> str:
        read = ", ".join(f"{mart} version {number}" for mart, number in self.versions.items())
        return f"<Answer: {self.count:,} rows of {read or 'no mart'}, {self.price}>"

    def _repr_html_(self) -> str:
        """Return the first rows as notebooks show them."""
        rows = self._first_rows()
        names = list(rows[0]) if rows else []
        head = "".join(f"<th>{html.escape(str(name))}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(row[name]))}</td>" for name in names) + "</tr>"
            for row in rows
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f"{table}<p>{html.escape(repr(self)[1:-1])}</p>"

    def _first_rows(self) -> list[dict[str, Any]]:
        if self._form == _ARROW and _is_installed("polars"):
            return self.polars().head(_SHOWN_ROWS).to_dicts()
        return self.rows()[:_SHOWN_ROWS]


@dataclass(frozen=True)
class _Address:
    url: str
    is_encrypted: bool
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> "_Address":
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"'{url}' is no address of a door; write it as https://marts.example.com")
        if parts.username or parts.password:
            raise ValueError("Leave the secret out of the address; give user and secret, or a token.")
        is_encrypted = parts.scheme == "https"
        port = parts.port or (443 if is_encrypted else 80)
        return cls(url, is_encrypted, parts.hostname, port, parts.path.rstrip("/"))


class _Wire:
    """Connections to one server, of which those that nobody uses are kept for the next request."""

    def __init__(
        self, address: _Address, credentials: str, context: ssl.SSLContext | None, timeout: float
    ) -> None:
        self.address, self._context, self._timeout = address, context, timeout
        self._headers = {"Authorization": credentials, "User-Agent": "mart-client/1"}
        self._idle: deque[http.client.HTTPConnection] = deque()  # its append and pop are safe for threads
        self._proxy = _proxy_for(address)
        self._process = os.getpid()

    def ask(
        self, method: str, path: str, body: bytes | None, accept: str, told: "OnProgress | None" = None
    ) -> tuple[Mapping[str, str], bytearray]:
        """Return headers, with small letters, and body of an answer. Raises MartError."""
        headers = {**self._headers, "Accept": accept, **({"Content-Type": _JSON} if body is not None else {})}
        with _explained(self.address):
            connection, response = self._asked(method, path, body, headers)
            with _closed_on_failure(connection):
                found = {name.lower(): value for name, value in response.getheaders()}
                data = _read(response, found, told)
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        if response.status != http.client.OK:
            raise _error(response.status, found, bytes(data))
        return found, data

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _asked(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Send a request, once more where the server has ended the connection that was kept."""
        connection, is_kept = self._connection()
        try:
            with _closed_on_failure(connection):
                return connection, self._sent(connection, method, path, body, headers)
        except _STALE:
            if not is_kept:
                raise
        connection = self._opened()
        with _closed_on_failure(connection):
            return connection, self._sent(connection, method, path, body, headers)

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        if self._process != os.getpid():  # after a fork, the connections are the parent's
            self._idle, self._process = deque(), os.getpid()
        try:
            return self._idle.pop(), True
        except IndexError:
            return self._opened(), False

    def _opened(self) -> http.client.HTTPConnection:
        host, port, proxy = self.address.host, self.address.port, self._proxy
        at, to = (proxy.hostname or "", proxy.port or 80) if proxy else (host, port)
        if self._context is None:
            return http.client.HTTPConnection(at, to, timeout=self._timeout)
        connection = http.client.HTTPSConnection(at, to, timeout=self._timeout, context=self._context)
        if proxy:
            connection.set_tunnel(host, port, headers=_proxy_headers(proxy))
        return connection

    def _sent(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
    ) -> http.client.HTTPResponse:
        target = self.address.path + path
        if self._proxy and self._context is None:
            # A proxy is told the whole address where it does not tunnel.
            host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
            target = f"http://{host}:{self.address.port}{target}"
            headers = {**headers, **_proxy_headers(self._proxy)}
        connection.request(method, target, body, headers)
        return connection.getresponse()


@contextmanager
def _closed_on_failure(connection: http.client.HTTPConnection) -> Iterator[None]:
    """End a connection on which anything fails, Ctrl-C too: the server sees it, and cancels the query."""
    try:
        yield
    except BaseException:  # Ctrl-C above all
        connection.close()
        raise


@contextmanager
def _explained(address: _Address) -> Iterator[None]:
    """Say in a sentence why there is no connection. Raises Unreachable."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(
            "not_trusted",
            f"{address.url} shows a certificate that is not trusted: {error.verify_message}.",
            "Trust its issuer by ca_file=, if it is yours.",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        why = str(error) or type(error).__name__
        raise Unreachable("unreachable", f"{address.url} does not answer: {why}.") from error


class _shown:  # noqa: N801 - used like a function
    """Shows how an answer comes: on a terminal and in notebooks, or to a function; elsewhere not at all."""

    def __init__(self, wanted: bool | OnProgress) -> None:
        self._wanted = wanted
        self._has_written = False

    def __enter__(self) -> OnProgress | None:
        if callable(self._wanted):
            return self._wanted
        return self._write if self._wanted and _is_watched() else None

    def __exit__(self, *_: object) -> None:
        if self._has_written:
            sys.stderr.write("\r" + " " * 60 + "\r")
            sys.stderr.flush()

    def _write(self, progress: Progress) -> None:
        if progress.seconds < _PROGRESS_AFTER:
            return
        share = f" of {progress.expected / 1e6:,.1f}" if progress.expected else ""
        line = f"{progress.arrived / 1e6:,.1f}{share} MB after {progress.seconds:.0f} s"
        sys.stderr.write(f"\r{line:<60}")
        sys.stderr.flush()
        self._has_written = True


def _read(
    response: http.client.HTTPResponse, headers: Mapping[str, str], told: OnProgress | None
) -> bytearray:
    began, expected = time.monotonic(), headers.get("content-length") or headers.get("mart-bytes")
    known = int(expected) if expected else None
    data = bytearray()
    while piece := response.read(_PIECE):
        data += piece
        if told:
            told(Progress(time.monotonic() - began, len(data), known))
    return data


def _error(status: int, headers: Mapping[str, str], body: bytes) -> MartError:
    try:
        said = json.loads(body)
        code, message, remedy = str(said["code"]), str(said["message"]), str(said.get("remedy", ""))
    except (ValueError, KeyError, TypeError):
        code, message, remedy = "unknown", f"The server answered with status {status}.", ""
    retry_after = headers.get("retry-after", "")
    wait = float(retry_after) if retry_after.isdecimal() else None
    if status == 401 or code == "slow_down":
        kind: type[MartError] = NotConnected
    elif status == 429:
        kind = OverBudget
    else:
        kind = Unreachable if status >= 500 else QueryRefused
    return kind(code, message, remedy, status=status, retry_after=wait)


def _query_body(
    sql: str,
    parameters: Sequence[Any] | Mapping[str, Any] | None,
    versions: Mapping[str, int | str] | None,
    lane: str | None,
    *,
    receipt: bool,
) -> bytes:
    if isinstance(parameters, str):
        raise TypeError("'parameters' is a list or a mapping, not one text")
    given = dict(parameters) if isinstance(parameters, Mapping) else list(parameters or ())
    body = {
        "sql": sql,
        "parameters": given,
        "versions": {mart: str(version) for mart, version in (versions or {}).items()},
        "lane": lane,
        "receipt": receipt,
    }
    return json.dumps(body, default=str).encode()


def _arrow_reader() -> str | None:
    """Return the first library that is installed and reads Arrow streams."""
    return next((name for name in ("polars", "pyarrow", "arro3.io") if _is_installed(name)), None)


@functools.cache
def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _needed(module: str, form: str, package: str | None = None) -> Any:
    """Import a library that is needed for what was asked. Raises ImportError saying how to get it."""
    package = package or module.partition(".")[0]
    if form == _JSON or not _is_installed(module):
        raise ImportError(
            f"This needs {package}: install it, for instance by `pip install {package}`, and ask again."
        )
    return importlib.import_module(module)


def _is_watched() -> bool:
    """Return whether somebody sees standard error: on a terminal, or in a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _proxy_for(address: _Address) -> urllib.parse.SplitResult | None:
    """Return the proxy that the environment names for an address, as urllib understands it."""
    if urllib.request.proxy_bypass(f"{address.host}:{address.port}"):
        return None
    found = urllib.request.getproxies().get("https" if address.is_encrypted else "http")
    return urllib.parse.urlsplit(found if "//" in found else f"http://{found}") if found else None


def _proxy_headers(proxy: urllib.parse.SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    name, secret = (urllib.parse.unquote(part or "") for part in (proxy.username, proxy.password))
    return {"Proxy-Authorization": f"Basic {_base64(f'{name}:{secret}')}"}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
