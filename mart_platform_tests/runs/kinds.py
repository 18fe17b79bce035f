"""A warehouse with a table of every kind, what it must hold, and random histories of what happens to it."""

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal
from uuid import uuid4

import duckdb

from mart_platform.assembly import plan_of
from mart_platform.planning.plan import Plan
from mart_platform.planning.quoting import literal
from mart_platform.runs import landing, starting
from mart_platform.runs.maintaining import maintain
from mart_platform.runs.relations import relation_of, version_of
from mart_platform.runs.reporting import TableReport
from mart_platform.spec.records import delivery_order
from mart_platform.spec.types import duckdb_type
from mart_platform_tests.runs.shop import ClockedShop

KINDS = Path(__file__).parent.parent / "data" / "kinds"
HEADERS = {
    "events": "event_id,customer,happened_at,amount,points,deleted,changed_at",
    "payments": "payment_id,event_id,paid_at,value",
    "customers": "customer,country,nickname",
}

PYTHON_MODELS = {
    "canonical.scored": """
        SELECT day, event_id, CASE WHEN points IS NOT NULL THEN rank END AS rank
        FROM (
            SELECT *, dense_rank() OVER (PARTITION BY day ORDER BY points DESC NULLS LAST) AS rank
            FROM canonical.event_day
        )
    """
}
"""The same in SQL."""

Rows = Mapping[str, "Counter[tuple[Any, ...]]"]
"""The rows of each table, and how often each is there."""


class Kinds(ClockedShop):
    """A warehouse folder of its own, and what was landed from it: by file, one text after the other."""

    declared, mart = KINDS, "usage"

    def __init__(self, folder: Path, plan: Plan | None = None) -> None:
        self._plan = plan
        super().__init__(folder)
        for table in HEADERS:
            (self.folder / "exports" / table).mkdir(parents=True, exist_ok=True)
        self.places.data.mkdir(exist_ok=True)
        self.landed: dict[tuple[str, str], list[str]] = {}

    @property
    def plan(self) -> Plan:
        if self._plan is None:
            self._plan = plan_of(self.places)
        return self._plan

    def edit(self, file: str, old: str, new: str) -> None:
        super().edit(file, old, new)
        self._plan = None

    def rows_delivered(self, table: str, name: str, *rows: str) -> None:
        self.deliver(table, name, "\n".join([HEADERS[table], *rows]) + "\n")

    def land(self) -> None:
        """Land what is new, and build nothing."""
        run = self.begin()
        for table in HEADERS:
            landing.land_table(self.platform, self.plan, run, f"app.{table}")
        starting.end(self.platform, run, succeeded=True)

    def go_through(self, happened: "Round") -> None:
        """Let a round happen, up to the build that follows it."""
        for done in happened.done:
            self._do(done)
        for delivered in happened.delivered:
            self.rows_delivered(delivered.table, delivered.name, *delivered.rows)

    def _do(self, done: "Done") -> None:
        if done.what == "edit":
            file, old, new = EDITS[done.number % len(EDITS)]
            is_done = new in (self.folder / file).read_text(encoding="utf-8")
            self.edit(file, new if is_done else old, old if is_done else new)
        elif done.what == "lose":
            self._lose(done.number)
        else:
            maintained = maintain(self.platform, self.plan, uuid4().hex, only=[done.what])
            assert maintained.succeeded, maintained.tables

    def _lose(self, number: int) -> None:
        """Remove a file that was built; those of new logic are not there yet."""
        ledger = self.platform.ledger
        builds = [ledger.latest_build(name, self.plan.tables[name].fingerprint) for name in self.built]
        versions = [version_of(self.platform, build) for build in builds if build]
        files = [file for version in versions for file in sorted(version.files, key=lambda f: f.intervals)]
        self.platform.data.absolute(files[number % len(files)].path).unlink()

    def build(self, tables: Sequence[str] = ()) -> dict[str, TableReport]:
        self.platform.clock.tick(minutes=10)
        self.note_what_lands()
        return super().build(tables)

    def note_what_lands(self) -> None:
        """Note the files that are there, before they are landed."""
        for file in sorted((self.folder / "exports").glob("*/*.csv")):
            texts = self.landed.setdefault((file.parent.name, file.name), [])
            if texts[-1:] != [text := file.read_text(encoding="utf-8")]:
                texts.append(text)

    def rebuilt(self, folder: Path) -> "Kinds":
        """Return the same deliveries, landed into a fresh data folder and built once.

        They come in another order: all files as they were first, then those that came again.
        """
        warehouse = folder / "warehouse"
        shutil.copytree(self.folder, warehouse, ignore=shutil.ignore_patterns("*.csv"))
        fresh = Kinds(folder, self.plan.model_copy(update={"root": str(warehouse)}))
        for time in range(max(map(len, self.landed.values()))):
            for (table, name), texts in self.landed.items():
                if time < len(texts):
                    fresh.deliver(table, name, texts[time])
            fresh.land()
        fresh.build()
        return fresh

    @property
    def built(self) -> list[str]:
        """The tables that are not landed."""
        return [name for name, table in self.plan.tables.items() if table.layer != "landing"]

    def rows(self) -> Rows:
        """Return the rows of each table as it was built last."""
        relations = [relation_of(self.platform, self.present(name)[1]) for name in self.built]
        with self.platform.engine.session(relations) as session:
            return {
                name: Counter(tuple(row.values()) for row in session.rows(f"FROM {name}"))
                for name in self.built
            }

    def contents(self) -> dict[str, str]:
        """Return the digest of each table's rows, as the platform has recorded it."""
        return {name: self.present(name)[0].content for name in self.built}

    def failures(self) -> dict[str, dict[str, int]]:
        """Return for each check of each table how often it failed when it was judged last."""
        return {name: self._failures(name) for name in self.built}

    def _failures(self, name: str) -> dict[str, int]:
        verdicts = self.platform.ledger.last_verdicts(name)
        checks = self.plan.tables[name].checks
        return {check.check.name: verdicts[check.fingerprint].failed for check in checks}

    def expected(self) -> Rows:
        """Return what each table must hold, by one query over all that was landed: nothing is cut here."""
        with duckdb.connect() as bare:
            bare.execute("SET TimeZone = 'UTC'")
            for schema in sorted({table.schema_name for table in self.plan.tables.values()}):
                bare.execute(f"CREATE SCHEMA {schema}")
            for name, table in self.plan.tables.items():
                made = PYTHON_MODELS.get(name) or (
                    table.model.sql if table.model else self._landed_rows(name)
                )
                shown = [f"{column}::{duckdb_type(kind)} AS {column}" for column, kind in table.types.items()]
                shown += ["_delivered", "_row"] if table.layer == "landing" else []
                bare.execute(f"CREATE TABLE {name} AS SELECT {', '.join(shown)} FROM ({made})")
            return {name: Counter(bare.execute(f"FROM {name}").fetchall()) for name in self.built}

    def _landed_rows(self, name: str) -> str:
        """Return the rows of a source's table as SQL, with their places among the deliveries."""
        table = name.partition(".")[2]
        texts = sorted(
            (f"{delivery_order(file)}{time:05}", text)
            for (of, file), all_texts in self.landed.items()
            if of == table
            for time, text in enumerate(all_texts)
        )
        rows = [
            (*(literal(value) if value else "NULL" for value in line.split(",")), literal(place), str(number))
            for place, text in (texts[-1:] if table == "customers" else texts)
            for number, line in enumerate(text.splitlines()[1:], start=1)
        ]
        columns = f"{HEADERS[table]}, _delivered, _row"
        nothing = ["NULL"] * (columns.count(",") + 1)
        values = ", ".join(f"({', '.join(row)})" for row in [nothing, *rows])
        return f"SELECT * FROM (VALUES {values}) AS landed({columns}) WHERE _row > 0"


MOMENTS = (
    "2025-12-31 23:30:00",  # the next year in Berlin
    "2026-02-28 22:59:59",
    "2026-02-28 23:00:00",
    "2026-03-29 00:59:59",  # an hour is left out in Berlin
    "2026-03-29 01:00:00",
    "2026-03-31 21:59:59",
    "2026-03-31 22:30:00",  # the next month in Berlin
    "2026-04-01 00:00:00",
    "2026-04-01 10:15:00",
    "2026-04-02 08:00:00",
)
EDITS = (
    ("sources/app/source.yaml", 'value:      {type: "decimal(10,2)"', 'value:      {type: "decimal(12,2)"'),
    ("canonical/event.sql", "amount, points", "amount + 1 AS amount, points"),
    ("canonical/event_day.sql", "WHERE NOT deleted", "WHERE NOT deleted AND points > 1"),
    ("canonical/berlin_day.sql", "Europe/Berlin", "Asia/Tokyo"),
    ("canonical/country_day.sql", "c.country,", "upper(c.country) AS country,"),
    ("canonical/customer.sql", "'nowhere'", "'somewhere'"),
    ("canonical/event_history.yaml", "tracked: [customer, amount]", "tracked: [points]"),
    ("canonical/payer.sql", "h.amount", "h.amount + p.value AS amount"),
    ("marts/usage/tables/event.sql", "FROM canonical.event", "FROM canonical.event WHERE points > 0"),
    ("marts/usage/tables/dear.sql", ">= 50", ">= 30"),
)
"""Changes of a contract and of logic, which can be taken back."""


@dataclass(frozen=True)
class Delivered:
    """A file of a table, which may have been delivered before with other rows."""

    table: str
    name: str
    rows: tuple[str, ...]


What = Literal["edit", "compact", "vacuum", "lose"]
SHARES: Mapping[What, float] = {"edit": 0.2, "compact": 0.2, "vacuum": 0.15, "lose": 0.2}


@dataclass(frozen=True)
class Done:
    """Something that happens beside the deliveries; ``number`` says to which file or which model."""

    what: What
    number: int


@dataclass(frozen=True)
class Round:
    """What is done before a build, and what is delivered to it."""

    done: tuple[Done, ...]
    delivered: tuple[Delivered, ...]


class History:
    """A random history; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.seed, self.random = seed, Random(seed)
        self.names = {table: list[str]() for table in HEADERS}
        self.past = {table: list[str]() for table in HEADERS}

    def rounds(self) -> Iterator[Round]:
        """Yield rounds; all tables are delivered in the first."""
        yield Round((), tuple(self._delivered(table) for table in HEADERS))
        for _ in range(self.random.randint(2, 5)):
            tables = self.random.choices(list(HEADERS), weights=[5, 3, 2], k=self.random.randint(0, 4))
            done = [
                Done(what, self.random.randrange(1000))
                for what, share in SHARES.items()
                if self.random.random() < share
            ]
            delivered = {(each.table, each.name): each for each in map(self._delivered, tables)}
            yield Round(tuple(done), tuple(delivered.values()))

    def _delivered(self, table: str) -> Delivered:
        names = self.names[table]
        again = names and self.random.random() < 0.15
        name = self.random.choice(names) if again else f"{self.random.randrange(1000)}.csv"
        names.append(name)
        make = {"events": self._events, "payments": self._payments, "customers": self._customers}[table]
        rows = tuple(make())
        self.past[table] += rows
        return Delivered(table, name, rows)

    def _events(self) -> Iterator[str]:
        for _ in range(self._count(8)):
            if self.past["events"] and self.random.random() < 0.1:
                yield self.random.choice(self.past["events"])
                continue
            yield ",".join(
                (
                    str(self.random.randint(1, 12)),
                    self._one("ada", "bob", "cy", "dan", ""),
                    self._one(*MOMENTS),
                    self._one("10.00", "20.50", "60.00", "0.00", ""),
                    self._one("1", "2", "3", ""),
                    self._one("false", "false", "false", "true"),
                    self._one(*MOMENTS[5:]),
                )
            )

    def _payments(self) -> Iterator[str]:
        for _ in range(self._count(6)):
            if self.past["payments"] and self.random.random() < 0.1:
                yield self.random.choice(self.past["payments"])
                continue
            yield ",".join(
                (
                    str(self.random.randint(1, 8)),
                    self._one(*map(str, range(1, 13)), ""),
                    self._one(*MOMENTS),
                    self._one("10.00", "25.00", "60.00", ""),
                )
            )

    def _customers(self) -> Iterator[str]:
        for customer in ("ada", "bob", "cy", "dan"):
            if self.random.random() < 0.8:
                yield f"{customer},{self._one('NL', 'DE', 'PT', '')},{self._one('nick', 'name')}"

    def _count(self, most: int) -> int:
        return self.random.choice((0, 1, most // 2, most))

    def _one(self, *values: str) -> str:
        return self.random.choice(values)
