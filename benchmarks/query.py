"""What the governed door costs: over the same queries, by as many clients, in DuckDB inside of this process.

Both read the files of the same publication, and take turns in one run.

    python -m benchmarks.query                          # about 5 minutes on 2 cores, after the first build
    python -m benchmarks.query --only clients storm     # overhead clients connect cache arrow storm filters
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from benchmarks.change import Figure
from benchmarks.driving import Driven
from benchmarks.measuring import machine
from mart_platform.assembly import BUILT_IN, Places
from mart_platform.client import Session, connect
from mart_platform.gate.gate import check
from mart_platform.gate.parsing import parse
from mart_platform.gate.policies import Asker, policy_of
from mart_platform.gate.questions import Found
from mart_platform.planning.rights import rights_of
from mart_platform.runs.access.credentials import issue_token, set_secret
from mart_platform.runs.door.measuring import nearest_rank
from mart_platform.runs.versions import versions_in
from mart_platform.spec.records import Publication

MASK_KEY = "a key that protects nothing but a benchmark"
CLIENTS = 16
ROUNDS_AT_ONE = 40
ROUNDS_OF_MANY = 12
DASHBOARD = (
    "SELECT sold_on, sum(net_sales) AS net_sales FROM sales.daily_store WHERE sold_on >= $1"
    " GROUP BY ALL ORDER BY 1",
    "SELECT store_key, sum(baskets) AS baskets, sum(net_sales) AS net_sales FROM sales.daily_store"
    " WHERE sold_on >= $1 GROUP BY ALL ORDER BY net_sales DESC LIMIT 10",
    "SELECT d.month, sum(s.net_sales) AS net_sales FROM sales.daily_department s JOIN sales.dim_date d"
    " ON d.day = s.sold_on WHERE s.sold_on >= $1 GROUP BY ALL ORDER BY 1",
    "SELECT department, sum(net_sales) AS net_sales FROM sales.daily_department WHERE sold_on >= $1"
    " GROUP BY ALL ORDER BY 2 DESC LIMIT 5",
    "SELECT count(*) AS baskets, sum(net_sales) AS net_sales FROM sales.basket WHERE sold_on >= $1",
)
ADHOC = (
    "SELECT a.product_key, count(*) AS pairs FROM sales.fact_sales_line a JOIN sales.fact_sales_line b"
    " ON a.basket_id = b.basket_id WHERE a.sold_on >= $1 GROUP BY ALL ORDER BY pairs DESC LIMIT 20"
)
MILLION = (
    "SELECT basket_id, line, sold_on, store_key, household_key, product_key, quantity, net_sales"
    " FROM sales.fact_sales_line LIMIT 1000000"
)
DAYS = count()


def a_day() -> date:
    """Return another day each time, before all data, so that no answer is had from the cache."""
    return date(2016, 1, 1) - timedelta(days=next(DAYS))


@dataclass(frozen=True)
class Bare:
    """DuckDB in this process, over the files of the live publication, with the versions' names as views."""

    connection: duckdb.DuckDBPyConnection

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return an answer as a frame of Polars, from a cursor of its own."""
        with self.connection.cursor() as cursor:
            return cursor.execute(sql, list(parameters)).pl()

    def dashboard(self, sql: str, day: date) -> Any:
        """Return the answer of a dashboard from a day on."""
        return self.rows(sql, [day])


@dataclass(frozen=True)
class Served:
    """The door in a process of its own, with a session for each of its users."""

    url: str
    token: Callable[[str], str]

    def session(self, principal: str) -> Session:
        return connect(self.url, token=self.token(principal), progress=False)


# What is measured


def overhead(bare: Bare, held: Bare, served: Served) -> Iterator[Figure]:
    """Compare single queries one by one, with bare files and with bare tables in memory."""
    with served.session("dashboards") as session:
        differences, from_memory = [], []
        for sql in DASHBOARD:
            ours, theirs, in_memory = [], [], []
            for _ in range(ROUNDS_AT_ONE):
                day = a_day()
                ours.append(milliseconds(asker(session), sql, day))
                theirs.append(milliseconds(bare.dashboard, sql, day))
                in_memory.append(milliseconds(held.dashboard, sql, day))
            differences.append(median(ours) - median(theirs))
            from_memory.append(median(ours) - median(in_memory))
            say(f"{median(ours):6.2f} ms, bare {median(theirs):6.2f} ms: {sql[:70]}")
    for over, found in (("files", median(differences)), ("tables in memory", median(from_memory))):
        yield Figure(f"overhead at one client over bare {over}, ms", f"{found:.2f}", "3", found <= 3)


def clients(bare: Bare, served: Served) -> Iterator[Figure]:
    """Compare sixteen clients at once."""
    sessions = [served.session("dashboards") for _ in range(CLIENTS)]
    ours, theirs = list[float](), list[float]()
    for _ in range(ROUNDS_OF_MANY):
        ours += at_once([asker(session) for session in sessions])
        theirs += at_once([bare.dashboard] * CLIENTS)
    for session in sessions:
        session.close()
    ratio = percentile(ours, 95) / percentile(theirs, 95)
    found = f"{ratio:.2f} ({percentile(ours, 95):.1f} / {percentile(theirs, 95):.1f} ms)"
    yield Figure(f"P95 at {CLIENTS} clients, over bare", found, "1.2", ratio <= 1.2)


def connecting(served: Served, secrets: Sequence[tuple[str, str]]) -> Iterator[Figure]:
    """Connect anew each time: by secrets that the door has not seen lately, and by a token."""
    host, port = served.url.removeprefix("http://").split(":")

    def once(authorization: str) -> None:
        connection = http.client.HTTPConnection(host, int(port))
        connection.request("GET", "/v1/session", headers={"Authorization": authorization})
        if connection.getresponse().status != 200:
            raise SystemExit("the door does not know its user")
        connection.close()

    basic = [f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}" for name, secret in secrets]
    cold = [milliseconds(once, each) for each in basic]
    bearer = f"Bearer {served.token('dashboards')}"
    warm = [milliseconds(once, bearer) for _ in range(200)]
    for how, found in (("a secret, unseen", cold), ("a token", warm)):
        p95 = percentile(found, 95)
        yield Figure(f"connect and authenticate by {how}, P95 ms", f"{p95:.1f}", "10", p95 <= 10)


def cache(served: Served) -> Iterator[Figure]:
    """Ask the same again."""
    with served.session("dashboards") as session:
        day = a_day()
        session.query(DASHBOARD[0], [day])
        again = [milliseconds(session.query, DASHBOARD[0], [day]) for _ in range(300)]
    yield Figure("a kept answer, median ms", f"{median(again):.2f}", "2", median(again) <= 2)


def arrow(bare: Bare, served: Served) -> Iterator[Figure]:
    """Fetch a million rows of eight columns."""
    ours, theirs = [], []
    with served.session("ada@grocer.example") as session:
        session.query(MILLION.replace("1000000", "10"))
        for number in range(7):
            sql = MILLION.replace("1000000", str(1_000_000 - number))
            ours.append(milliseconds(asker(session), sql))
            theirs.append(milliseconds(bare.rows, sql))
    ratio = median(ours) / median(theirs)
    found = f"{ratio:.2f} ({median(ours):.0f} / {median(theirs):.0f} ms)"
    yield Figure("1 M rows x 8 columns as Arrow, over bare", found, "1.3", ratio <= 1.3)


def storm(served: Served) -> Iterator[Figure]:
    """Ask dashboards while heavy ad-hoc queries come, four at once."""

    def dashboards() -> list[float]:
        with served.session("dashboards") as session:
            return [
                milliseconds(session.query, sql, [a_day()]) for _ in range(ROUNDS_AT_ONE) for sql in DASHBOARD
            ]

    alone = dashboards()
    over = threading.Event()

    def stormy() -> None:
        with served.session("ada@grocer.example") as session:
            while not over.is_set():
                session.query(ADHOC, [a_day()])

    storming = [threading.Thread(target=stormy) for _ in range(4)]
    for thread in storming:
        thread.start()
    time.sleep(1)  # the first heavy queries start the workers, which is no part of a storm
    during = dashboards()
    over.set()
    for thread in storming:
        thread.join()
    ratio = percentile(during, 95) / percentile(alone, 95)
    found = f"{ratio:.2f} ({percentile(during, 95):.1f} / {percentile(alone, 95):.1f} ms)"
    yield Figure("dashboards' P95 in an ad-hoc storm, over alone", found, "1.5", ratio <= 1.5)


def filters(bare: Bare, driven: Driven) -> Iterator[Figure]:
    """Compare a row filter of the gate with the same filter written by hand, in the same engine."""
    sql = "SELECT product_key, sum(net_sales) AS net_sales FROM sales.fact_sales_line GROUP BY 1 ORDER BY 2"
    by_hand = sql.replace("GROUP", "WHERE store_key = 367 GROUP")
    mart = driven.plan.marts["sales"]
    rights = rights_of(mart, driven.plan.tables, driven.plan.principals)
    policy = policy_of({"sales": rights}, Asker("ben", ("sales.store_manager",), {"store": 367}))
    question = parse(sql)
    live = live_sales(driven)
    types = driven.plan.tables["sales.fact_sales_line"].types
    checked = check(question, policy, {named: Found(live.number, types) for named in question.named})
    rewritten = checked.sql.replace(f'"sales@{live.number}"."main".', '"sales".').replace(
        f'"sales@{live.number}".main.', '"sales".'
    )
    if checked.fenced:
        raise SystemExit("the query should need no fence")
    ours, theirs = [], []
    for _ in range(60):
        ours.append(milliseconds(bare.rows, rewritten))
        theirs.append(milliseconds(bare.rows, by_hand))
    ratio = median(ours) / median(theirs)
    found = f"{ratio:.2f} ({median(ours):.1f} / {median(theirs):.1f} ms)"
    yield Figure("a row filter without fence, over one by hand", found, "1.1", ratio <= 1.1)


# How it is measured


def milliseconds(work: Callable[..., object], *given: object) -> float:
    """Return the wall time of some work with what it is given."""
    began = time.perf_counter()
    work(*given)
    return (time.perf_counter() - began) * 1000


def percentile(values: Sequence[float], share: int) -> float:
    """Return the smallest value that so many of a hundred do not exceed."""
    return nearest_rank(sorted(values), share)


def asker(session: Session) -> Callable[..., object]:
    """Return how a client of the door has its answer as a frame."""
    return lambda sql, *parameters: session.query(sql, parameters).polars()


def at_once(askers: Sequence[Callable[[str, date], object]]) -> list[float]:
    """Let all clients ask all dashboard queries, each in its own order, and return each query's time."""
    taken: list[float] = []
    ready = threading.Barrier(len(askers))

    def client(number: int, ask: Callable[[str, date], object]) -> None:
        ready.wait()
        for step in range(len(DASHBOARD)):
            sql, day = DASHBOARD[(number + step) % len(DASHBOARD)], a_day()
            taken.append(milliseconds(ask, sql, day))

    threads = [threading.Thread(target=client, args=pair) for pair in enumerate(askers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def live_sales(driven: Driven) -> Publication:
    """Return what is live of the mart sales, which is published before anything is measured."""
    live = driven.platform.ledger.live("sales")
    if live is None:
        raise SystemExit("sales is not published")
    return live


def bare_over(driven: Driven, *, in_memory: bool = False) -> Bare:
    """Return DuckDB over the files of what is live of the mart sales, or with these tables in memory."""
    live = live_sales(driven)
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA sales")
    versions = versions_in(driven.platform, driven.plan, live, list(live.tables))
    for name, version in versions.items():
        if version.view is None:
            files = [str(driven.platform.data.absolute(file.path)) for file in version.files]
            kind = "TABLE" if in_memory else "VIEW"
            connection.execute(f"CREATE {kind} {name} AS SELECT * FROM read_parquet({files})")
    return Bare(connection)


@contextmanager
def door(driven: Driven) -> Iterator[Served]:
    """Serve what is live in a process of its own."""
    tokens: dict[str, str] = {}

    def token(principal: str) -> str:
        if principal not in tokens:
            lasting = timedelta(days=1)
            issued = issue_token(driven.platform, driven.plan, principal, lasting=lasting, by="benchmark")
            tokens[principal] = issued.token
        return tokens[principal]

    command = [sys.executable, "-m", "mart_platform.cli", "serve", "--port", "0"]
    known = {**os.environ, **driven.places.as_environment(), "MART_SECRET_MASK_KEY": MASK_KEY}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=known)
    try:
        told = process.stderr or ()
        words = (word.rstrip(";") for line in told for word in line.split())
        address = next((word for word in words if word.startswith("http")), None)
        if address is None:
            raise SystemExit("the door did not open")
        yield Served(address, token)
    finally:
        process.terminate()
        process.wait(60)


def built(folder: Path) -> Driven:
    """Return the built-in warehouse with the mart sales published."""
    driven = Driven(Places(BUILT_IN, folder / "data"))
    if driven.todo("sales"):
        say("the mart sales is built; this takes a minute")
        driven.build("sales")
    return driven


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parts = ("overhead", "clients", "connect", "cache", "arrow", "storm", "filters")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART")
    parser.add_argument("--data", type=Path, default=Path("data/benchmarks/query"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    driven = built(options.data.absolute())
    secrets = [(name, f"correct horse battery {name[::-1]}") for name in driven.plan.principals]
    for name, secret in secrets:
        set_secret(driven.platform, driven.plan, name, secret, "benchmark")
    bare, held = bare_over(driven), bare_over(driven, in_memory=True)
    figures: list[Figure] = []
    with door(driven) as served:
        work = {
            "overhead": lambda: overhead(bare, held, served),
            "clients": lambda: clients(bare, served),
            "connect": lambda: connecting(served, secrets),
            "cache": lambda: cache(served),
            "arrow": lambda: arrow(bare, served),
            "storm": lambda: storm(served),
            "filters": lambda: filters(bare, driven),
        }
        for part in options.only:
            for figure in work[part]():
                figures.append(figure)
                print(figure, flush=True)
    if options.json:
        print(json.dumps([vars(figure) for figure in figures]))
    print(machine())


if __name__ == "__main__":
    main()
