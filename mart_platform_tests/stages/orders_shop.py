"""A source of one table whose deliveries a test writes, on a platform with real lake and engine."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.spec.records import Batch, Version
from mart_platform.spec.sources import Source
from mart_platform.stages.landing import LandingReport, land, landed_version, pending
from mart_platform_tests.stages.small_platform import SmallPlatform

CONTRACT: dict[str, Any] = {
    "description": "Order lines.",
    "event_time": {"column": "at", "zone": "Europe/Berlin", "lateness": "1d"},
    "columns": {
        "id": {"type": "bigint", "not_null": True},
        "price": {"type": "decimal(10,2)", "at_least": 0, "delivered_as": "Price"},
        "at": {"type": "timestamp"},
    },
}
HEADER = "id,Price,at\n"


class Shop:
    """A source of one table, ``shop.orders``, whose files lie in ``exports`` of a warehouse folder."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.platform = SmallPlatform(folder)
        self.folder = folder / "warehouse"
        self.exports = self.folder / "exports"
        self.exports.mkdir(parents=True, exist_ok=True)
        self.wrote = 0
        self.declare(**changes)

    def declare(self, fingerprint: str = "f1", options: dict[str, Any] | None = None, **changes: Any) -> None:
        """Declare the contract, with changes to it."""
        source = Source.model_validate(
            {
                "source": "shop",
                "description": "A shop.",
                "owner": {"team": "shop", "contact": "shop@example.com"},
                "connector": "files",
                "options": {"glob": "exports/*", **(options or {})},
                "tables": {"orders": {**CONTRACT, **changes}},
            }
        )
        self.contract = source.tables["orders"]
        self.table = PlannedTable(
            name="shop.orders",
            layer="landing",
            description="Order lines.",
            owner="shop",
            fingerprint=fingerprint,
            path=f"shop/orders/{fingerprint}",
            file="sources/shop/source.yaml",
            columns=(),
        )
        self.plan = Plan(
            digest="p1",
            root=str(self.folder),
            settings=self.platform.settings,
            sources={"shop": source},
            tables={"shop.orders": self.table},
            marts={},
        )

    def deliver(self, name: str, content: str | bytes | pl.DataFrame) -> None:
        """Put a file there, with a time of modification that grows."""
        file = self.exports / name
        if isinstance(content, pl.DataFrame):
            content.write_parquet(file)
        else:
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        self.wrote += 1
        os.utime(file, (self.wrote, self.wrote))

    def land(self) -> LandingReport:
        return land(self.platform, self.plan, self.table, "r1")

    def pending(self) -> list[str]:
        return [delivery.position for delivery in pending(self.platform, self.plan, self.table)]

    @property
    def batches(self) -> list[Batch]:
        return self.platform.ledger.batches("shop.orders", self.table.fingerprint)

    def version(self, previous: Version | None = None) -> tuple[Version, datetime | None]:
        now = self.platform.clock.wall()
        return landed_version(self.table, self.contract, self.batches, previous, 0, now)

    def watermark(self, batches: Sequence[Batch]) -> datetime | None:
        """What the table is complete through when these batches make it."""
        return landed_version(self.table, self.contract, batches, None, 0, self.platform.clock.wall())[1]

    def rows(self, batches: Sequence[Batch] | None = None) -> pl.DataFrame:
        files = [file.path for batch in batches or self.batches for file in batch.files]
        return pl.concat([pl.read_parquet(self.platform.data.absolute(file)) for file in files])

    def quarantine(self) -> pl.DataFrame:
        files = [batch.quarantine_file for batch in self.batches if batch.quarantine_file]
        return pl.concat([pl.read_parquet(self.platform.data.absolute(file)) for file in files])

    def files(self) -> list[str]:
        """What lies in the lake and in quarantine, besides the log."""
        data = self.platform.data
        found = [
            *data.lake.rglob("*.parquet"),
            *data.quarantine.rglob("*.parquet"),
            *data.temporary.glob("*"),
        ]
        return sorted(data.relative(file) for file in found)
