"""A small shop with the door open on loopback, in this process; and a browser that needs no screen."""

import http.client
import json
import shutil
import threading
import urllib.parse
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mart_platform.adapters.queries import DuckDBQueries
from mart_platform.assembly import Assembled
from mart_platform.gate.questions import Refused
from mart_platform.ports import AuditUnavailable, Cancel, Execution, ExecutionEnded, Result
from mart_platform.runs.access.callers import Caller
from mart_platform.runs.access.credentials import set_secret
from mart_platform.runs.door.asking import Asked, Reply
from mart_platform.runs.door.door import Door
from mart_platform.serving.declared import Declared
from mart_platform.serving.running import Listening, Server
from mart_platform_tests.runs.shop import Shop

PRINCIPALS = """\
principals:
  ada:
    roles: [orders.shop_management]
  ben:
    roles: [orders.benchmarking]
"""
FORM = "application/x-www-form-urlencoded"
ADA, BEN = ("ada", "correct-horse-battery"), ("ben", "purple-monkey-dishwasher")
HOLD = "'hold' AS held"
"""An output by which a query waits in the engine."""
BUSY, UNWRITABLE, BUG = "/* busy */", "/* unwritable */", "/* bug */"
"""Comments by which a query meets what is hard to bring about on purpose."""


class ScriptedDoor(Door):
    """The door, but for the queries that carry one of the comments."""

    def ask(self, caller: Caller, asked: Asked, cancel: Cancel | None = None) -> Reply:
        if BUSY in asked.text:
            raise Refused("busy", "All places are taken.", "Try again later.")
        if UNWRITABLE in asked.text:
            raise AuditUnavailable("no space left on /var/audit")
        if BUG in asked.text:
            raise RuntimeError("cannot cast 'ada@example.com'")
        return super().ask(caller, asked, cancel)


class HoldingQueries(DuckDBQueries):
    """The engine, in which queries that hold ``HOLD`` wait until they are let go, or cancelled."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.holds, self.lets_go, self.was_cancelled = threading.Event(), threading.Event(), threading.Event()

    def run(self, execution: Execution, cancel: Cancel | None = None) -> Result:
        if HOLD.split(maxsplit=1)[0] in execution.sql:
            self.holds.set()
            while not self.lets_go.is_set():
                if cancel is not None and cancel.wait(0.01):
                    self.was_cancelled.set()
                    raise ExecutionEnded("cancelled", "nobody waits any more")
        return super().run(execution, cancel)


class ServedPlatform(Assembled):
    """The real thing, but for queries that wait where they are told to."""

    @cached_property
    def queries(self) -> HoldingQueries:
        return HoldingQueries(self.data, self.settings.serving)


class ServedShop(Shop):
    """A shop that is asked through a door."""

    platform: ServedPlatform

    def opened(self) -> ServedPlatform:
        return ServedPlatform(self.places, self.plan.settings)


def open_shop(folder: Path) -> ServedShop:
    """Return a shop that is built and published, and in which ada and ben have a secret."""
    shop = ServedShop(folder)
    (shop.folder / "principals.yaml").write_text(PRINCIPALS, encoding="utf-8")
    shop.build()
    for name, secret in (ADA, BEN):
        set_secret(shop.platform, shop.plan, name, secret, by="test")
    return shop


def copy_of(shop: Shop, folder: Path) -> ServedShop:
    """Return another shop that is as the first one is now."""
    shop.platform.ledger.close()
    shutil.copytree(shop.folder.parent, folder, symlinks=True)
    return ServedShop(folder)


class House:
    """A shop, its door, and a server that runs in a thread until the block ends."""

    def __init__(self, shop: ServedShop, listening: Listening | None = None) -> None:
        self.shop = shop
        self.declared = Declared(shop.folder, lambda: shop.plan)
        self.door = ScriptedDoor(shop.platform, self.declared)
        self._is_open = threading.Event()
        self.server = Server(self.door, self.declared, listening or Listening("127.0.0.1", 0), self._opened)
        self._thread = threading.Thread(target=self.server.run, name="server")

    def __enter__(self) -> "House":
        self._thread.start()
        assert self._is_open.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.queries.lets_go.set()
        self.server.stop()
        self._thread.join(30)
        assert not self._thread.is_alive()

    @property
    def queries(self) -> HoldingQueries:
        return self.shop.platform.queries

    @property
    def is_closed(self) -> bool:
        return not self._thread.is_alive()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def query(self, sql: str, by: tuple[str, str] = ADA, **more: Any) -> "Got":
        """Ask the API for JSON."""
        return self.send("POST", "/v1/query", by, json={"sql": sql, **more})

    def get(self, path: str, by: tuple[str, str] | None = ADA, **headers: str) -> "Got":
        return self.send("GET", path, by, headers=spelled(headers))

    def send(
        self,
        method: str,
        path: str,
        by: tuple[str, str] | None = None,
        *,
        body: bytes | None = None,
        json: object = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> "Got":
        """Send one request on a connection of its own."""
        sent = dict(headers)
        if by:
            sent["Authorization"] = f"Basic {b64encode(':'.join(by).encode()).decode()}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, _as_json(json) if json is not None else body, sent)
            response = connection.getresponse()
            got = {name.lower(): value for name, value in response.getheaders()}
            return Got(response.status, got, response.read(), response.headers.get_all("Set-Cookie") or [])
        finally:
            connection.close()

    def _opened(self, url: str) -> None:
        self.url = url
        self._is_open.set()


@dataclass(frozen=True)
class Got:
    """What a server has answered; headers in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: list[str] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of a query's answer as JSON."""
        names = [column["name"] for column in self.json["columns"]]
        return [dict(zip(names, row, strict=True)) for row in self.json["rows"]]

    @property
    def text(self) -> str:
        return self.body.decode()


class Browser:
    """Keeps cookies, finds the forms of pages and sends them, as somebody would who clicks."""

    def __init__(self, house: House) -> None:
        self.house, self.cookies = house, dict[str, str]()

    def open(self, path: str) -> Got:
        """Open a page, following where it leads."""
        return self._followed(self.house.send("GET", path, headers=self.as_headers()))

    def submit(self, path: str, fields: Mapping[str, str], **headers: str) -> Got:
        """Send the fields of a form as they are, and stay where that leads."""
        sent = {"Content-Type": FORM, **self.as_headers(), **spelled(headers)}
        body = urllib.parse.urlencode(fields).encode()
        return self._followed(self.house.send("POST", path, body=body, headers=sent))

    def log_in(self, by: tuple[str, str] = ADA, next: str = "/") -> Got:  # noqa: A002 - the name of the field
        return self.submit("/login", {"name": by[0], "secret": by[1], "next": next})

    def token(self) -> str:
        """Return the token that the forms of this session carry."""
        return forms(self.open("/query").text)["/query"]["token"]

    def as_headers(self) -> dict[str, str]:
        """Return the cookies as a browser sends them."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": cookies} if cookies else {}

    def _followed(self, got: Got) -> Got:
        for cookie in got.cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
        return self.open(got.headers["location"]) if got.status == 303 else got


def forms(page: str) -> dict[str, dict[str, str]]:
    """Return the hidden and other fields of each form of a page, by where it is sent."""
    parser = _Forms()
    parser.feed(page)
    return parser.found


def spelled(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers that were given as keyword arguments."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._action = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._action = given.get("action", "")
            self.found.setdefault(self._action, {})
        elif tag == "input" and "name" in given:
            self.found[self._action][given["name"]] = given.get("value", "")


def _as_json(document: object) -> bytes:
    return json.dumps(document).encode()
