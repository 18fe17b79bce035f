"""A mart of twenty tables that change together, to see how long it takes to move it."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import polars as pl

from benchmarks.driving import Driven
from mart_platform.assembly import Places
from mart_platform.runs import publishing, starting

TABLES = 20


class MartOfTwenty:
    """A warehouse of one source and one mart, whose tables hold this many rows each."""

    def __init__(self, folder: Path, rows: int) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._warehouse, self._rows, self._delivered = folder / "warehouse", rows, 0
        _declare(self._warehouse)
        self._deliver()
        self.driven = Driven(Places(self._warehouse, folder / "data"))
        self.driven.build()

    def moved(self) -> tuple[float, float]:
        """Change all tables; return how many milliseconds of wall publishing took, and going back."""
        self._deliver()
        run = self._built()
        published = _milliseconds(lambda: self._publish(run))
        rolled_back = _milliseconds(self._roll_back)
        self._publish(run, release=True)
        starting.end(self.driven.platform, run, succeeded=True)
        return published, rolled_back

    def _deliver(self) -> None:
        delivered = self._warehouse / "delivered"
        delivered.mkdir(exist_ok=True)
        ids = pl.int_range(self._rows, eager=True)
        frame = pl.DataFrame({"id": ids, "amount": ids * (self._delivered + 1)})
        frame.write_parquet(delivered / f"{self._delivered:04}.parquet")
        self._delivered += 1

    def _built(self) -> str:
        run = uuid4().hex
        starting.begin(self.driven.platform, self.driven.plan, run, "benchmark")
        for name in self.driven.todo().tables:
            self.driven.step(run, name)
        return run

    def _publish(self, run: str, *, release: bool = False) -> None:
        publishing.publish_mart(self.driven.platform, self.driven.plan, run, "m", release=release)

    def _roll_back(self) -> None:
        platform, plan = self.driven.platform, self.driven.plan
        publishing.rollback_mart(platform, plan, "m", to=None, by="benchmark", reason="to see what it takes")


def _milliseconds(call: Callable[[], None]) -> float:
    began = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - began)


def _declare(warehouse: Path) -> None:
    tables = warehouse / "marts" / "m" / "tables"
    tables.mkdir(parents=True)
    source = warehouse / "sources" / "s" / "source.yaml"
    source.parent.mkdir(parents=True)
    source.write_text(_SOURCE, encoding="utf-8")
    (tables.parent / "mart.yaml").write_text(_MART, encoding="utf-8")
    for number in range(TABLES):
        sql = f"SELECT id, amount * {number + 1} AS amount FROM s.t\n"
        (tables / f"t{number}.sql").write_text(sql, encoding="utf-8")
        contract = f"table: m.t{number}\ndescription: The benchmark's.\ncolumns:\n  id: {{not_null: true}}\n"
        (tables / f"t{number}.yaml").write_text(contract, encoding="utf-8")


_SOURCE = """\
source: s
description: Rows for a benchmark.
owner: {team: benchmarks, contact: benchmarks@example.com}
connector: files
options: {glob: "delivered/*.parquet"}
tables:
  t:
    description: A number and an amount.
    delivers: snapshot
    key: [id]
    columns:
      id:     {type: bigint, not_null: true}
      amount: {type: bigint, not_null: true}
"""

_MART = """\
mart: m
title: Twenty
purpose: Twenty tables that move together.
owner: {team: benchmarks, contact: benchmarks@example.com, on_call: benchmarks}
consumers: [benchmarks]
pattern: wide
built_from: sources
lifecycle: testing
cadence: "0 4 * * *"
retention: {keep: 7y, then: drop}
quota: {spend_per_day: 5, rows_per_query: 1000000}
questions:
  - {ask: How many rows are there?, sql: SELECT count(*) AS found FROM m.t0}
  - {ask: How many rows are there?, sql: SELECT count(*) AS found FROM m.t1}
  - {ask: How many rows are there?, sql: SELECT count(*) AS found FROM m.t2}
"""
