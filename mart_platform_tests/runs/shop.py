"""A small shop with a real platform under it: deliver, build, ask."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from mart_platform.assembly import Assembled, Places, plan_of
from mart_platform.planning.plan import Plan
from mart_platform.runs import building, landing, publishing, starting
from mart_platform.runs.deciding import Todo, what_to_do
from mart_platform.runs.querying import query
from mart_platform.runs.reporting import MartReport, TableReport
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Build, Publication, Version
from mart_platform_tests.fakes import SettableClock

SHOP = Path(__file__).parent.parent / "data" / "shop"


class Shop:
    """A warehouse folder of its own and a data folder beside it; those that are there already are opened."""

    declared, mart = SHOP, "orders"

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "warehouse"
        if not self.folder.exists():
            shutil.copytree(self.declared, self.folder)
        self.places = Places(warehouse=self.folder, data=folder / "data")
        self.platform = self.opened()

    def opened(self) -> Assembled:
        """Return the platform under it, as another process would open it."""
        return Assembled(self.places, self.plan.settings)

    @property
    def plan(self) -> Plan:
        return plan_of(self.places)

    def deliver(self, table: str, name: str, text: str) -> None:
        """Put a file into the folder from which the shop's exports are landed."""
        (self.folder / "exports" / table / name).write_text(text, encoding="utf-8")

    def export(self, table: str, name: str) -> str:
        return (self.folder / "exports" / table / name).read_text(encoding="utf-8")

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (file, text.count(old))
        path.write_text(text.replace(old, new), encoding="utf-8")

    def todo(self) -> Todo:
        return what_to_do(self.platform, self.plan, [])

    def begin(self) -> str:
        run = uuid4().hex
        starting.begin(self.platform, self.plan, run, "test")
        return run

    def step(self, run: str, table: str) -> TableReport:
        make = landing.land_table if self.plan.tables[table].layer == "landing" else building.build_table
        return make(self.platform, self.plan, run, table)

    def publish(self, run: str, *, release: bool = False) -> MartReport:
        return publishing.publish_mart(self.platform, self.plan, run, self.mart, release=release)

    def build(self, tables: Sequence[str] = ()) -> dict[str, TableReport]:
        """Build all that is due (or these tables) in one run, and publish when all went well."""
        run, todo = self.begin(), self.todo()
        reports = {name: self.step(run, name) for name in (tables or todo.tables)}
        if not tables:
            self.publish(run)
        starting.end(self.platform, run, succeeded=True)
        return reports

    def build_failing(self) -> UserError:
        """Build all that is due and return the failure that stops it."""
        run = self.begin()
        try:
            for name in self.todo().tables:
                self.step(run, name)
            self.publish(run)
        except UserError as error:
            return error
        raise AssertionError("the build went through")

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the answer of the live version."""
        return query(self.platform, self.plan, sql).rows()

    def reopen_with(self, ledger: Path) -> None:
        """Go on with a ledger that was copied before: as if what came after it had not been written there."""
        self.platform.ledger.close()
        for stale in self.platform.data.root.glob("ledger.sqlite*"):
            stale.unlink()
        shutil.copyfile(ledger, self.platform.data.ledger)
        self.platform = self.opened()

    def reopen(self) -> None:
        """Go on as another process would."""
        self.platform.ledger.close()
        self.platform = self.opened()

    def copy_of_ledger(self) -> Path:
        self.platform.ledger.close()
        copy = self.platform.data.root / "copied_ledger"
        shutil.copyfile(self.platform.data.ledger, copy)
        self.platform = self.opened()
        return copy

    def present(self, table: str) -> tuple[Build, Version]:
        """Return the newest build of a table, and what it made."""
        build = self.platform.ledger.latest_build(table, self.plan.tables[table].fingerprint)
        assert build is not None
        return build, self.platform.ledger.version(table, build.fingerprint, build.version)

    @property
    def live(self) -> Publication:
        live = self.platform.ledger.live(self.mart)
        assert live is not None
        return live

    @property
    def watermark(self) -> datetime | None:
        return self.live.watermark


class ClockedPlatform(Assembled):
    """The real thing but for the clock."""

    @cached_property
    def clock(self) -> SettableClock:  # type: ignore[override]  # it stands for the real one
        now = datetime.now(UTC)
        return SettableClock(business=self.settings.business_clock or now, real=now)


class ClockedShop(Shop):
    """A shop whose clocks stand still until they are moved."""

    platform: ClockedPlatform

    def opened(self) -> ClockedPlatform:
        return ClockedPlatform(self.places, self.plan.settings)
