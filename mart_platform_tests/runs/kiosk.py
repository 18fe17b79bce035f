"""A kiosk with a real platform under it, whose clocks stand still until they are moved."""

import shutil
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from mart_platform.assembly import Assembled, Places, plan_of
from mart_platform.planning.plan import Plan
from mart_platform.runs import building, landing, publishing, starting
from mart_platform.runs.deciding import what_to_do
from mart_platform.runs.maintaining import Maintained, maintain
from mart_platform.runs.querying import query
from mart_platform.runs.worked import STEPS, Step
from mart_platform.spec.records import Build, Publication, Version
from mart_platform_tests.fakes import SettableClock

KIOSK = Path(__file__).parent.parent / "data" / "kiosk"


class KioskPlatform(Assembled):
    """The real thing but for the clock."""

    @cached_property
    def clock(self) -> SettableClock:  # type: ignore[override]  # it stands for the real one
        return SettableClock(business=datetime(2017, 3, 31, 12, tzinfo=UTC))


class Kiosk:
    """A warehouse folder of its own and a data folder beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "warehouse"
        shutil.copytree(KIOSK, self.folder)
        self.places = Places(warehouse=self.folder, data=folder / "data")
        self.platform = KioskPlatform(self.places, self.plan.settings)

    @property
    def plan(self) -> Plan:
        return plan_of(self.places)

    def sell(self, *days: date, product: str = "tea", quantity: int = 2, amount: str = "1.10") -> None:
        """Let the till deliver a file for each day, with two sales each."""
        for day in days:
            name = f"{day}-{product}"
            rows = [f"{name}-{n},{product},{quantity},{amount},{day}" for n in range(2)]
            text = "\n".join(["sale_id,product,quantity,amount,sold_on", *rows]) + "\n"
            file = self.folder / "exports" / "sales" / f"{name}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)  # git keeps no empty folder
            file.write_text(text, encoding="utf-8")

    def declare(self, file: str, old: str, new: str) -> None:
        """Change a declaration."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (file, old)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def retain(self, declared: str) -> None:
        self.declare("marts/kiosk/mart.yaml", "retention: {keep: 60d}", f"retention: {declared}")

    def todo(self) -> list[str]:
        """Return what a build would bring up to date, its publication last."""
        todo = what_to_do(self.platform, self.plan, [])
        return [*todo.tables, *todo.marts]

    def build(self) -> dict[str, str]:
        """Build what is due, publish it, and return the outcomes."""
        run, outcomes = uuid4().hex, dict[str, str]()
        starting.begin(self.platform, self.plan, run, "test")
        todo = what_to_do(self.platform, self.plan, [])
        for name in todo.tables:
            is_landed = self.plan.tables[name].layer == "landing"
            step = landing.land_table if is_landed else building.build_table
            outcomes[name] = step(self.platform, self.plan, run, name).outcome
        if todo:
            publishing.publish_mart(self.platform, self.plan, run, "kiosk")
        starting.end(self.platform, run, succeeded=True)
        return outcomes

    def maintain(self, *only: Step, dry_run: bool = False) -> Maintained:
        steps = only or STEPS
        return maintain(self.platform, self.plan, uuid4().hex, only=steps, dry_run=dry_run)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the answer of the live version."""
        return query(self.platform, self.plan, sql).rows()

    def present(self, table: str) -> Build:
        build = self.platform.ledger.latest_build(table, self.plan.tables[table].fingerprint)
        assert build is not None
        return build

    def version(self, table: str) -> Version:
        build = self.present(table)
        return self.platform.ledger.version(table, build.fingerprint, build.version)

    @property
    def live(self) -> Publication:
        live = self.platform.ledger.live("kiosk")
        assert live is not None
        return live

    def on_disk(self, table: str) -> set[str]:
        """Return the data files of a table's folder."""
        return set(self.platform.lake.present(self.plan.tables[table].path))


def days(month: int, numbers: Iterable[int]) -> list[date]:
    """Return days of 2017."""
    return [date(2017, month, number) for number in numbers]
