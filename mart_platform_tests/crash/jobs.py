"""The jobs that are killed: each brings a small shop from one state to the next, and may be run again."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from mart_platform.runs import starting
from mart_platform.runs.backfilling import backfill as run_backfill
from mart_platform.runs.maintaining import maintain
from mart_platform.runs.worked import Step
from mart_platform_tests.runs.shop import Shop

ORDERS = "order_id,line,customer_id,product,quantity,price,status,ordered_at,exported_at\n"


@dataclass(frozen=True)
class Job:
    """``prepare`` makes the state before it, ``run`` is what is killed and run again."""

    prepare: Callable[[Shop], None]
    run: Callable[[Shop], None]


def _history(shop: Shop) -> None:
    """Build a shop of three months, delivery by delivery."""
    shop.build()
    for month in (8, 9, 11):
        shop.deliver("orders", f"2026-11-{month:02}.csv", ORDERS + _orders(month, 6))
        shop.build()


def _orders(month: int, count: int) -> str:
    return "".join(
        f"3{month:02}{number:03},1,C{number % 6 + 1},desk,{number + 1},{month}.50,paid,"
        f"2026-{month:02}-{number + 1:02} 10:00:00,2026-11-{month:02} 02:00:00\n"
        for number in range(count)
    )


def _late_and_corrected(shop: Shop) -> None:
    _history(shop)
    late = "400001,1,C2,rug,1,7.00,paid,2026-08-02 10:00:00,2026-11-20 02:00:00\n"
    corrected = "308001,1,C2,desk,9,8.50,returned,2026-08-02 10:00:00,2026-11-20 02:00:00\n"
    moved = "309002,1,C3,desk,3,9.50,paid,2026-11-03 10:00:00,2026-11-20 02:00:00\n"
    shop.deliver("orders", "2026-11-20.csv", ORDERS + late + corrected + moved)
    customers = shop.export("customers", "2026-10-03.csv").replace(",NL", ",PT").replace(",DE", ",PT")
    shop.deliver("customers", "2026-11-20.csv", customers)


def _build(shop: Shop) -> None:
    """Land, build, check, commit and publish what is due."""
    starting.abandon_dead_runs(shop.platform)
    if shop.todo():
        shop.build()


def _other_logic(shop: Shop) -> None:
    _history(shop)
    shop.edit(
        "marts/orders/tables/order_line.sql", "quantity, net_amount", "quantity + 1 AS quantity, net_amount"
    )


def _backfill(shop: Shop) -> None:
    starting.abandon_dead_runs(shop.platform)
    run_backfill(shop.platform, shop.plan, "orders", "2026-01-01", "2026-12-31", batch=1)


def _many_small_files(shop: Shop) -> None:
    """Let compaction find files to join: of the landed batches, with a threshold that a shop reaches."""
    settings = shop.folder / "settings.yaml"
    compaction = "maintenance: {compact: {files: 1}, keep_publications: 1, keep_for: 1m}\n"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text if "maintenance:" in text else text + compaction, encoding="utf-8")
    _history(shop)


def _orphans(shop: Shop) -> None:
    _many_small_files(shop)
    for path in list(shop.platform.data.lake.glob("*/*/*/*.parquet"))[:3]:
        path.with_name(f"part-{uuid4().hex}.parquet").write_bytes(path.read_bytes())


def _maintenance(*only: Step) -> Callable[[Shop], None]:
    def run(shop: Shop) -> None:
        maintain(shop.platform, shop.plan, uuid4().hex, only=only)

    return run


JOBS = {
    "build": Job(_late_and_corrected, _build),
    "backfill": Job(_other_logic, _backfill),
    "compaction": Job(_many_small_files, _maintenance("compact")),
    "vacuum": Job(_orphans, _maintenance("vacuum")),
}
