"""What must hold after a kill and another run: the same rows, ledger and logs that agree, no orphans."""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import duckdb

from mart_platform.runs.maintaining import maintain
from mart_platform.spec.records import Version
from mart_platform_tests.runs.shop import Shop


def contents(shop: Shop) -> dict[str, str]:
    """Return the content of each table as it is live, or was built last where it is in no mart."""
    found = {}
    live = shop.live.tables
    for name, table in shop.plan.tables.items():
        build = shop.platform.ledger.latest_build(name, table.fingerprint)
        published = live.get(name)
        found[name] = published.content if published else build.content if build else "none"
    rows = (
        shop.ask("SELECT * FROM orders.order_line ORDER BY ALL"),
        shop.ask("FROM orders.daily ORDER BY ALL"),
    )
    return {**found, "rows": str(rows)}


def complaints(shop: Shop) -> Iterator[str]:
    """Yield what is wrong between the ledger, the logs of the lake and the files that are there."""
    platform = shop.platform
    for name, table in shop.plan.tables.items():
        build = platform.ledger.latest_build(name, table.fingerprint)
        head = platform.lake.head(table.path)
        if build is None or head is None:
            yield f"{name} was never built"
            continue
        version = platform.ledger.version(name, build.fingerprint, build.version)
        if version.number != head.number:
            yield f"{name}: the ledger is at {version.number}, the log at {head.number}"
        if missing := [f.path for f in version.files if not platform.data.absolute(f.path).exists()]:
            yield f"{name}: {missing[0]} is gone"
        listed, known = set(platform.lake.files(table.path, head.number)), _known(shop, name, version)
        if listed != known:
            yield f"{name}: the log lists {listed ^ known} otherwise than the ledger"
    if shop.todo():
        yield f"there is something left to do: {shop.todo()}"


def _known(shop: Shop, table: str, version: Version) -> set[str]:
    """Return the files that the ledger knows of a version; of a landed table, of every delivery that it kept.

    What reads a snapshot sees the newest delivery alone, yet all of them stay landed.
    """
    files = {file.path for file in version.files}
    if shop.plan.tables[table].layer != "landing":
        return files
    joined = {batch for file in version.files for batch in file.intervals}
    batches = shop.platform.ledger.batches(table, version.fingerprint)
    return files | {file.path for batch in batches if batch.id not in joined for file in batch.files}


def orphans_left_by_a_vacuum(shop: Shop) -> list[str]:
    """Vacuum, and return the files that nobody needs and that are there all the same."""
    maintain(shop.platform, shop.plan, uuid4().hex, only=["vacuum"])
    needed = set[str]()
    for name in shop.plan.tables:
        for version in shop.platform.ledger.versions(name):
            needed |= _known(shop, name, version)
    present = {path for table in shop.plan.tables.values() for path in shop.platform.lake.present(table.path)}
    return sorted(present - needed)


def read_until_told(published: Path, stop: Path) -> str:
    """Read the published database over and over, and return the first thing that was no whole version."""
    seen: dict[int, tuple[str, str]] = {}
    while not stop.exists():
        database = published / "current" / "orders.duckdb"
        try:
            with duckdb.connect(str(database.resolve(strict=True)), read_only=True) as connection:
                [(number,)] = connection.execute("SELECT number FROM _publication").fetchall()
                sums = [
                    str(connection.execute(f"SELECT sum(net_amount) FROM {table}").fetchall())
                    for table in ("order_line", "daily")
                ]
        except (OSError, duckdb.Error) as error:
            return f"a reader was refused: {error}"
        if sums[0] != sums[1]:
            return f"publication {number}: {sums[0]} of lines, {sums[1]} of days"
        if seen.setdefault(number, (sums[0], sums[1])) != (sums[0], sums[1]):
            return f"publication {number} changed under a reader"
        time.sleep(0.01)  # leaves the processor to the job that is killed
    return ""
