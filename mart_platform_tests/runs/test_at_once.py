"""Two at once, twice, with a clock that goes back, a ledger that is locked and a file that cannot be read."""

import gzip
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path

import pytest

from mart_platform.adapters.ledger import open_ledger
from mart_platform.assembly import Assembled
from mart_platform.ports import CommitConflict, Ledger
from mart_platform.spec.problems import UserError
from mart_platform_tests.crash.jobs import JOBS, Job
from mart_platform_tests.crash.judging import complaints, contents
from mart_platform_tests.runs.shop import ClockedPlatform, Shop
from mart_platform_tests.runs.test_changes import CORRECTED, LATE_OCTOBER, MOVED, NOVEMBER, ORDERS

ROWS = "SELECT * FROM orders.order_line ORDER BY ALL"

BUILDER = """
import sys
from pathlib import Path

from mart_platform.ports import CommitConflict
from mart_platform.spec.problems import UserError
from mart_platform_tests.runs.shop import Shop

shop = Shop(Path(sys.argv[1]))
print("ready", flush=True)
for _ in sys.stdin:
    try:
        shop.build()
        print("built", flush=True)
    except (UserError, CommitConflict) as error:
        print("stepped aside:", str(error).splitlines()[0], flush=True)
"""
THIEF = """
import sys
from datetime import UTC, datetime
from mart_platform.adapters.ledger import open_ledger
from mart_platform.runs.leasing import this_process

ledger, name = open_ledger(sys.argv[1]), sys.argv[2]
held = ledger.lease(name)
if held:
    ledger.give_back(held)
lease = ledger.acquire(name, f"{this_process()}/thief", datetime.now(UTC), 3600)
print("taken" if lease else "refused", flush=True)
sys.stdin.readline()
"""
LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
"""


class Other:
    """Another process, which does something for each line that it is sent, and answers with a line."""

    def __init__(self, code: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def answer(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


@contextmanager
def other(code: str, *arguments: str | Path) -> Iterator[Other]:
    process = Other(code, *map(str, arguments))
    try:
        yield process
    finally:
        process.end()


class Robbed:
    """A progress that lets another process take the lease of a table when the work on it has begun."""

    def __init__(self, ledger: Path, table: str) -> None:
        self.ledger, self.table, self.thieves = ledger, table, list[Other]()

    def begins(self, subject: str, verb: str) -> None:
        if subject == self.table and not self.thieves:
            self.thieves.append(Other(THIEF, str(self.ledger), f"table {self.table}"))
            assert self.thieves[0].answer() == "taken"

    def advances(self, subject: str, rows: int) -> None: ...

    def ends(self, subject: str, outcome: str) -> None: ...


class ImpatientPlatform(Assembled):
    """The real thing, which waits for a locked ledger no longer than a moment."""

    @cached_property
    def ledger(self) -> Ledger:
        return open_ledger(self.data.ledger, busy_seconds=0.2)


def rebuilt(shop: Shop, folder: Path) -> Shop:
    """Return a shop of the same deliveries and declarations in a fresh data folder, built once."""
    (folder / "again").mkdir()
    (folder / "again" / "warehouse").symlink_to(shop.folder)
    again = Shop(folder / "again")
    again.build()
    return again


def equals_its_rebuild(shop: Shop, folder: Path) -> bool:
    return contents(shop) == contents(rebuilt(shop, folder))


def test_of_two_builders_at_once_none_loses_rows(built_shop: Shop, tmp_path: Path) -> None:
    deliveries = (NOVEMBER, LATE_OCTOBER, CORRECTED, MOVED)
    with other(BUILDER, tmp_path) as one, other(BUILDER, tmp_path) as two:
        assert (one.answer(), two.answer()) == ("ready", "ready")
        for day, rows in enumerate(deliveries, start=4):
            built_shop.deliver("orders", f"2026-11-{day:02}.csv", ORDERS + rows)
            one.tell()
            two.tell()
            answers = one.answer(), two.answer()
            assert "built" in answers, answers
            assert not built_shop.todo(), answers
    assert not list(complaints(built_shop))
    assert equals_its_rebuild(built_shop, tmp_path)


@pytest.mark.parametrize("table", ["canonical.order_line", "orders.order_line"])
def test_a_writer_whose_lease_was_taken_over_cannot_commit(
    built_shop: Shop, table: str, tmp_path: Path
) -> None:
    before, live = built_shop.ask(ROWS), built_shop.live
    planned = built_shop.plan.tables[table]
    head, files = built_shop.platform.lake.head(planned.path), built_shop.platform.lake.present(planned.path)
    built_shop.deliver("orders", "2026-11-04.csv", ORDERS + NOVEMBER)
    robbed = Robbed(built_shop.platform.data.ledger, table)
    honest = built_shop.platform
    built_shop.platform = Assembled(built_shop.places, built_shop.plan.settings, robbed)
    with pytest.raises(CommitConflict, match=f"lease of table {table} was taken over"):
        built_shop.build()
    lease = honest.ledger.lease(f"table {table}")
    assert lease is not None
    assert lease.holder.endswith("/thief")
    assert honest.lake.head(planned.path) == head
    assert honest.lake.present(planned.path) == files
    assert (built_shop.ask(ROWS), built_shop.live) == (before, live)
    robbed.thieves[0].end()
    built_shop.platform = honest
    built_shop.build()  # the thief is dead, so nobody waits for it
    assert equals_its_rebuild(built_shop, tmp_path)


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS.keys())
def test_every_job_twice_gives_the_same_content(shop: Shop, job: Job) -> None:
    job.prepare(shop)
    job.run(shop)
    once, live = contents(shop), shop.live
    job.run(shop)
    assert contents(shop) == once
    assert shop.live.tables == live.tables
    assert not list(complaints(shop))


def test_a_step_twice_gives_the_same_content(built_shop: Shop) -> None:
    built_shop.deliver("orders", "2026-11-04.csv", ORDERS + NOVEMBER + MOVED)
    run = built_shop.begin()
    for table in built_shop.plan.tables:
        once = built_shop.step(run, table)
        twice = built_shop.step(run, table)
        assert (twice.version, twice.outcome) == (once.version, "skipped")
    assert built_shop.publish(run).published
    assert not built_shop.publish(run).published


def test_a_clock_that_was_stepped_back_neither_stops_nor_loses_anything(shop: Shop, tmp_path: Path) -> None:
    platform = ClockedPlatform(shop.places, shop.plan.settings)
    shop.platform = platform
    shop.build()
    for day, rows in enumerate((NOVEMBER, LATE_OCTOBER, MOVED), start=4):
        platform.clock.tick(days=-2)
        shop.deliver("orders", f"2026-11-{day:02}.csv", ORDERS + rows)
        shop.build()
        assert not shop.todo()
    assert equals_its_rebuild(shop, tmp_path)


def test_a_lease_from_before_the_clock_was_stepped_back_is_taken_over_from_the_dead(
    built_shop: Shop, tmp_path: Path
) -> None:
    with other(THIEF, built_shop.platform.data.ledger, "table orders.daily") as thief:
        assert thief.answer() == "taken"
    platform = ClockedPlatform(built_shop.places, built_shop.plan.settings)
    built_shop.platform = platform
    platform.clock.tick(days=-2)
    built_shop.deliver("orders", "2026-11-04.csv", ORDERS + NOVEMBER)
    built_shop.build()
    assert equals_its_rebuild(built_shop, tmp_path)


def test_a_ledger_that_another_process_locks_is_named_and_the_next_run_goes_on(
    built_shop: Shop, tmp_path: Path
) -> None:
    before = built_shop.ask(ROWS)
    built_shop.deliver("orders", "2026-11-04.csv", ORDERS + NOVEMBER)
    patient = built_shop.platform
    with other(LOCKER, patient.data.ledger) as locker:
        assert locker.answer() == "locked"
        built_shop.platform = ImpatientPlatform(built_shop.places, built_shop.plan.settings)
        with pytest.raises(UserError, match=r"ledger\.sqlite is locked by another process"):
            built_shop.build()
        assert patient.ledger.live("orders")
    built_shop.platform = patient
    assert built_shop.ask(ROWS) == before
    built_shop.build()
    assert equals_its_rebuild(built_shop, tmp_path)


@contextmanager
def truncated(file: Path) -> Iterator[None]:
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    yield
    file.write_bytes(whole)


def test_a_delivery_that_cannot_be_read_is_named_and_nothing_moves(built_shop: Shop, tmp_path: Path) -> None:
    built_shop.edit("sources/shop/source.yaml", "*.csv", "*.*")
    built_shop.build()
    before, live = built_shop.ask(ROWS), built_shop.live
    packed = built_shop.folder / "exports" / "orders" / "2026-11-04.csv.gz"
    packed.write_bytes(gzip.compress((ORDERS + NOVEMBER).encode()))
    with truncated(packed):
        failure = built_shop.build_failing()
        assert "exports/orders/2026-11-04.csv.gz" in str(failure)
    assert (built_shop.ask(ROWS), built_shop.live) == (before, live)
    built_shop.build()
    assert equals_its_rebuild(built_shop, tmp_path)


@contextmanager
def a_folder_in_its_place(file: Path) -> Iterator[None]:
    whole = file.read_bytes()
    file.unlink()
    file.mkdir()
    yield
    file.rmdir()
    file.write_bytes(whole)


@contextmanager
def gone(file: Path) -> Iterator[None]:
    whole = file.read_bytes()
    file.unlink()
    yield
    file.write_bytes(whole)


@pytest.mark.parametrize("harmed", [truncated, a_folder_in_its_place, gone])
def test_an_input_that_cannot_be_read_is_named_and_nothing_moves(
    built_shop: Shop, harmed: Callable[[Path], AbstractContextManager[None]], tmp_path: Path
) -> None:
    before, live = built_shop.ask(ROWS), built_shop.live
    [landed, *_] = built_shop.present("shop.orders")[1].files
    built_shop.deliver("orders", "2026-11-04.csv", ORDERS + CORRECTED)
    with harmed(built_shop.platform.data.absolute(landed.path)):
        assert Path(landed.path).name in str(built_shop.build_failing())
        assert (built_shop.ask(ROWS), built_shop.live) == (before, live)
    built_shop.build()
    assert equals_its_rebuild(built_shop, tmp_path)
