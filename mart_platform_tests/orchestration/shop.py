"""The shop of ``mart_platform_tests/data/shop``, and what tests do with it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import dagster as dg

import mart_platform_tests
from mart_platform.assembly import Assembled, Places, plan_of
from mart_platform.orchestration.home import open_home
from mart_platform.orchestration.running import BuildOutcome, build
from mart_platform.planning.plan import Plan
from mart_platform.ports import Progress
from mart_platform.spec.layout import DataFolder

ROOT = Path(mart_platform_tests.__file__).parents[1]
EXPORTS = Path(mart_platform_tests.__file__).parent / "data" / "shop"
HEAD = "order_id,line,customer_id,product,quantity,price,status,ordered_at,exported_at"

SLOW_MODEL = """
import time
from pathlib import Path

import polars as pl


def model(customers: pl.LazyFrame) -> pl.LazyFrame:
    Path("{begun}").touch()
    time.sleep(60)
    return customers
"""


@dataclass
class Shop:
    """A copy of the shop: its warehouse folder and its data folder."""

    places: Places

    @classmethod
    def opened_in(cls, folder: Path) -> "Shop":
        shutil.copytree(EXPORTS, folder / "warehouse")
        return cls(Places(folder / "warehouse", folder / "data"))

    @property
    def plan(self) -> Plan:
        return plan_of(self.places)

    @cached_property
    def platform(self) -> Assembled:
        return Assembled(self.places, self.plan.settings)

    @property
    def home(self) -> Path:
        return DataFolder(self.places.data).dagster

    def build(
        self,
        tables: Sequence[str] | None = None,
        marts: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> BuildOutcome:
        """Build what is named; everything unless something is."""
        plan = self.plan
        return build(
            Assembled(self.places, plan.settings, progress),
            plan,
            self.places,
            tuple(plan.tables) if tables is None else tables,
            tuple(plan.marts) if marts is None else marts,
            cause="test",
        )

    def instance(self) -> dg.DagsterInstance:
        return open_home(self.home)

    def deliver(self, night: str, *lines: str) -> None:
        """Put an export of order lines where the source delivers them."""
        text = "\n".join([HEAD, *lines]) + "\n"
        (self.places.warehouse / "exports" / "orders" / f"{night}.csv").write_text(text)

    def slow_down(self) -> Path:
        """Make a step take a minute, and return the file that appears when it has begun."""
        begun = self.places.warehouse.parent / "begun"
        (self.places.warehouse / "canonical" / "customer.py").write_text(SLOW_MODEL.format(begun=begun))
        return begun

    def environment(self) -> dict[str, str]:
        """Return the environment of another process that works on this shop."""
        return {
            **os.environ,
            **self.places.as_environment(),
            "DAGSTER_HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
        }

    def python(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start another Python that works on this shop."""
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=self.environment(),
            cwd=self.places.warehouse.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def build_here() -> None:
    """Build the shop that the environment names, in this process."""
    folder = Path(os.environ["MART_WAREHOUSE"]).parent
    Shop(Places(folder / "warehouse", folder / "data")).build()


if __name__ == "__main__":
    del os.environ["DAGSTER_HOME"]
    build_here()
