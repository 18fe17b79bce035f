"""Maintenance on a real platform: readers and builds see no change but the one that is declared."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest

from mart_platform.runs import starting
from mart_platform.runs.committing import commit
from mart_platform.runs.holding_rows import hold_rows, release_rows
from mart_platform.runs.leasing import holding, this_process
from mart_platform.runs.maintaining import Maintained, maintain
from mart_platform.runs.relations import of_files
from mart_platform.runs.retaining import Restored, restore
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import digest_of
from mart_platform_tests.runs.kiosk import Kiosk, days

JANUARY = days(1, range(1, 8))
FEBRUARY = days(2, range(1, 3))
SALES = "SELECT sale_id, product, quantity, amount, sold_on FROM kiosk.sale ORDER BY ALL"
PER_DAY = "SELECT sold_on, product, quantity, amount FROM kiosk.per_day ORDER BY ALL"


@pytest.fixture
def kiosk(tmp_path: Path) -> Kiosk:
    """A kiosk that has sold since January 2017; it is the end of March."""
    kiosk = Kiosk(tmp_path)
    kiosk.sell(*JANUARY, *FEBRUARY)
    kiosk.sell(date(2017, 3, 30))
    kiosk.build()
    return kiosk


def told(maintained: Maintained) -> list[tuple[str, str, str]]:
    return [(each.step, each.table, each.problem or each.told) for each in maintained.tables]


# Compaction


def test_small_files_of_a_landed_table_are_joined_and_a_build_has_nothing_to_do(kiosk: Kiosk) -> None:
    before, live = kiosk.version("till.sales"), kiosk.live
    kiosk.platform.clock.tick(hours=2)
    maintained = kiosk.maintain("compact")
    after = kiosk.version("till.sales")
    assert told(maintained) == [("compact", "till.sales", "joined 10 files into 1")]
    assert (len(before.files), len(after.files)) == (10, 1)
    assert set(after.files[0].intervals) == set(before.intervals)
    assert (after.content, after.rows) == (before.content, before.rows)
    assert kiosk.present("till.sales")[0].cause == "compaction"
    assert not kiosk.todo()
    assert kiosk.live == live


def test_a_delivery_after_a_compaction_is_landed_beside_what_was_joined(kiosk: Kiosk) -> None:
    kiosk.maintain("compact")
    kiosk.sell(date(2017, 3, 31))
    reports = kiosk.build()
    assert {name: report.outcome for name, report in reports.items()} == {
        "till.sales": "landed",
        "kiosk.sale": "built",
        "kiosk.per_day": "built",
        "kiosk.total": "built",
    }
    assert len(kiosk.version("till.sales").files) == 2
    assert kiosk.ask("SELECT count(*) FROM kiosk.sale") == [(22,)]


def test_the_files_before_a_compaction_go_when_nobody_reads_them_any_more(kiosk: Kiosk) -> None:
    before = {file.path for file in kiosk.version("till.sales").files}
    kiosk.maintain("compact")
    kiosk.platform.clock.tick(hours=2)
    kiosk.maintain("vacuum")
    assert before <= kiosk.on_disk("till.sales"), "the next change is found by comparing with them"
    kiosk.sell(date(2017, 3, 31))
    kiosk.build()
    kiosk.platform.clock.tick(hours=2)
    kiosk.maintain("vacuum")
    assert not before & kiosk.on_disk("till.sales")
    assert not kiosk.todo()
    assert kiosk.ask("SELECT count(*) FROM kiosk.sale") == [(22,)]


def test_files_of_one_interval_of_a_built_table_are_joined_and_no_others(kiosk: Kiosk) -> None:
    rows = split(kiosk, "kiosk.sale", "2017-03-30")
    live = kiosk.live
    assert told(kiosk.maintain("compact"))[1:] == [("compact", "kiosk.sale", "joined 2 files into 1")]
    version = kiosk.version("kiosk.sale")
    assert all(len(file.intervals) == 1 for file in version.files)
    assert len(version.files) == len(version.intervals) == 10
    assert not kiosk.todo()
    assert kiosk.live == live
    assert kiosk.ask(SALES) == rows


def test_a_compaction_that_was_killed_before_it_was_recorded_is_taken_up(kiosk: Kiosk) -> None:
    rows = split(kiosk, "kiosk.sale", "2017-03-30")
    ledger = kiosk.copy_of_ledger()
    kiosk.maintain("compact")
    joined = kiosk.version("kiosk.sale")
    kiosk.reopen_with(ledger)
    assert kiosk.version("kiosk.sale").id != joined.id
    kiosk.maintain()
    assert kiosk.version("kiosk.sale").id == joined.id
    kiosk.sell(date(2017, 3, 31))
    kiosk.build()
    assert kiosk.ask(SALES)[: len(rows)] == rows


def test_files_that_were_committed_stay_when_the_ledger_cannot_record_them(kiosk: Kiosk) -> None:
    rows = split(kiosk, "kiosk.sale", "2017-03-30")
    with no_build_recorded(kiosk):
        assert [each.problem for each in kiosk.maintain("compact").tables] == ["the ledger is locked"] * 2
    kiosk.sell(date(2017, 3, 31))
    reports = kiosk.build()
    assert (reports["till.sales"].outcome, reports["kiosk.sale"].outcome) == ("landed", "built")
    assert kiosk.ask(SALES)[: len(rows)] == rows
    assert len(kiosk.version("kiosk.sale").files) == 11, "what was joined is read"


def test_a_run_rewrites_no_more_than_it_may(kiosk: Kiosk) -> None:
    kiosk.edit("settings.yaml", "files: 5", "files: 5, rewrite: 1kB")
    assert told(kiosk.maintain("compact")) == []
    assert len(kiosk.version("till.sales").files) == 10


# Retention


def test_rows_that_are_older_than_is_kept_are_dropped_and_nothing_is_rebuilt(kiosk: Kiosk) -> None:
    total = kiosk.ask("SELECT * FROM kiosk.total")
    kiosk.retain("{keep: 60d, then: drop}")
    maintained = kiosk.maintain("retention")
    assert told(maintained) == [
        ("retention", "kiosk.sale", "7 intervals before 2017-01-30 dropped"),
        ("retention", "kiosk.per_day", "7 intervals before 2017-01-30 dropped"),
    ]
    assert kiosk.ask("SELECT min(sold_on), count(*) FROM kiosk.sale") == [(date(2017, 2, 1), 6)]
    assert kiosk.ask("SELECT * FROM kiosk.total") == total
    assert [report.published for report in maintained.marts] == [True]
    assert kiosk.version("kiosk.sale").floor == "2017-01-30"
    assert not kiosk.todo()
    assert told(kiosk.maintain("retention")) == []


def test_what_retention_dropped_stays_dropped_when_its_input_changes(kiosk: Kiosk) -> None:
    kiosk.retain("{keep: 60d, then: drop}")
    kiosk.maintain("retention")
    kiosk.sell(date(2017, 1, 3), product="late")
    kiosk.sell(date(2017, 3, 31))
    kiosk.build()
    assert kiosk.ask("SELECT min(sold_on), count(*) FROM kiosk.sale") == [(date(2017, 2, 1), 8)]


def test_rows_are_made_coarser_by_whole_months_and_their_sums_stay(kiosk: Kiosk) -> None:
    kiosk.retain("{keep: 45d, then: downsample}")
    sums = kiosk.ask("SELECT sum(quantity), sum(amount) FROM kiosk.per_day")
    maintained = kiosk.maintain("retention")
    assert told(maintained) == [("retention", "kiosk.per_day", "7 intervals before 2017-02-01 downsampled")]
    assert kiosk.ask("SELECT sum(quantity), sum(amount) FROM kiosk.per_day") == sums
    january, *others = kiosk.ask(PER_DAY)
    assert (january[0], january[2]) == (date(2017, 1, 1), 28)
    assert [row[0] for row in others] == [*FEBRUARY, date(2017, 3, 30)]
    assert not kiosk.todo()
    assert told(kiosk.maintain("retention")) == [], "a month is made coarser once"


def test_rows_that_were_made_coarser_are_not_lost_when_the_ledger_cannot_record_them(kiosk: Kiosk) -> None:
    kiosk.retain("{keep: 45d, then: downsample}")
    sums = kiosk.ask("SELECT sum(quantity), sum(amount) FROM kiosk.per_day")
    with no_build_recorded(kiosk):
        assert [each.problem for each in kiosk.maintain("retention").tables] == ["the ledger is locked"]
    kiosk.maintain()
    kiosk.build()
    assert kiosk.ask("SELECT sum(quantity), sum(amount) FROM kiosk.per_day") == sums
    assert len(kiosk.ask(PER_DAY)) == 4


def test_archived_rows_come_back_as_they_were(kiosk: Kiosk) -> None:
    kiosk.retain("{keep: 60d, then: archive}")
    rows = kiosk.ask(SALES)
    kiosk.maintain("retention")
    assert len(kiosk.ask(SALES)) == 6
    restored = bring_back(kiosk, "kiosk.sale", date(2017, 1, 1), date(2017, 1, 31))
    assert (len(restored.intervals), restored.rows) == (7, 14)
    assert kiosk.ask(SALES) == rows
    assert not kiosk.todo()
    assert told(kiosk.maintain("retention")) == [
        ("retention", "kiosk.sale", "7 intervals under a legal hold")
    ]
    assert kiosk.ask(SALES) == rows
    release_rows(kiosk.platform, restored.hold, "test")
    kiosk.maintain("retention")
    assert len(kiosk.ask(SALES)) == 6


def test_an_archive_says_what_it_holds_and_can_be_read_alone(kiosk: Kiosk) -> None:
    kiosk.retain("{keep: 60d, then: archive, to: ../cold}")
    kiosk.maintain("retention")
    [file] = (kiosk.platform.data.root / "../cold/kiosk/sale/2017-01-07").glob("*/manifest.json")
    manifest = json.loads(file.read_text(encoding="utf-8"))
    assert (manifest["table"], manifest["interval"], manifest["rows"]) == ("kiosk.sale", "2017-01-07", 2)
    [part] = manifest["files"]
    assert pl.read_parquet(file.parent / part["name"])["sold_on"].to_list() == [date(2017, 1, 7)] * 2


def test_archiving_twice_changes_nothing(kiosk: Kiosk) -> None:
    kiosk.retain("{keep: 60d, then: archive}")
    ledger = kiosk.copy_of_ledger()
    table = kiosk.plan.tables["kiosk.sale"]
    kiosk.maintain("retention")
    archive = kiosk.platform.data.root / "archive"
    before = {path: path.stat().st_mtime_ns for path in archive.rglob("*") if path.is_file()}
    shutil.rmtree(kiosk.platform.data.lake / table.path / "_delta_log")
    kiosk.reopen_with(ledger)
    kiosk.maintain("retention")
    assert {path: path.stat().st_mtime_ns for path in archive.rglob("*") if path.is_file()} == before


def test_a_damaged_archive_is_neither_restored_nor_followed_by_a_drop(kiosk: Kiosk) -> None:
    kiosk.retain("{keep: 60d, then: archive}")
    kiosk.maintain("retention")
    [part] = (kiosk.platform.data.root / "archive/kiosk/sale/2017-01-07").glob("*/part-0.parquet")
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"part-0\.parquet is missing or damaged"):
        bring_back(kiosk, "kiosk.sale", date(2017, 1, 7), date(2017, 1, 7))
    assert len(kiosk.ask(SALES)) == 6


def test_a_legal_hold_beats_retention_until_it_is_released(kiosk: Kiosk) -> None:
    kiosk.retain("{keep: 60d, then: drop}")
    hold_rows(
        kiosk.platform,
        kiosk.plan,
        "case 7",
        "kiosk",
        table="kiosk.sale",
        since=date(2017, 1, 5),
        until=date(2017, 1, 6),
        reason="court",
        by="test",
    )
    kiosk.maintain("retention")
    assert kiosk.ask(
        "SELECT DISTINCT sold_on FROM kiosk.sale WHERE sold_on < DATE '2017-02-01' ORDER BY 1"
    ) == [
        (date(2017, 1, 5),),
        (date(2017, 1, 6),),
    ]
    release_rows(kiosk.platform, "case 7", "test")
    kiosk.maintain("retention")
    assert kiosk.ask("SELECT min(sold_on) FROM kiosk.sale") == [(date(2017, 2, 1),)]
    events = [event.kind for event in kiosk.platform.ledger.events(subject="kiosk")]
    assert {"legal_hold", "legal_hold_released"} <= set(events)


def test_a_table_whose_check_needs_the_rows_keeps_them_and_the_mart_stays(kiosk: Kiosk) -> None:
    kiosk.edit(
        "marts/kiosk/tables/sale.yaml",
        "  quantity: {at_most: 100}\n",
        "  quantity: {at_most: 100}\nchecks:\n  - name: all_there\n    says: All are here.\n"
        "    rows: {at_least: 20}\n",
    )
    kiosk.retain("{keep: 60d, then: drop}")
    kiosk.build()
    live = kiosk.live
    maintained = kiosk.maintain("retention")
    assert not maintained.succeeded
    [problem] = [each.problem for each in maintained.tables if each.problem]
    assert "all_there" in problem
    assert kiosk.live == live
    assert kiosk.ask("SELECT count(*) FROM kiosk.sale") == [(20,)]


def test_a_hold_that_cannot_be_set_says_why(kiosk: Kiosk) -> None:
    def put(**said: object) -> Callable[[], object]:
        given = {"reason": "r", "by": "t", **said}
        return lambda: hold_rows(kiosk.platform, kiosk.plan, "h", **given)  # type: ignore[arg-type]

    put(mart="kiosk")()
    for call, reason in [
        (put(mart="kiosk"), "a legal hold 'h' already"),
        (put(mart="kisok"), "Did you mean 'kiosk'"),
        (put(mart="kiosk", table="kiosk.sales"), "Did you mean 'kiosk.sale'"),
        (put(mart="kiosk", since=date(2017, 2, 1), until=date(2017, 1, 1)), "turn them round"),
        (lambda: release_rows(kiosk.platform, "g", "t"), "There is no legal hold 'g'"),
    ]:
        with pytest.raises(UserError, match=reason):
            call()


# All of it


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(kiosk: Kiosk) -> None:
    kiosk.retain("{keep: 60d, then: drop}")
    on_disk, live = kiosk.on_disk("kiosk.sale"), kiosk.live
    maintained = kiosk.maintain(dry_run=True)
    assert told(maintained) == [
        ("retention", "kiosk.sale", "7 intervals would be dropped"),
        ("retention", "kiosk.per_day", "7 intervals would be dropped"),
        ("compact", "till.sales", "would join 10 files into 1"),
    ]
    assert (kiosk.on_disk("kiosk.sale"), kiosk.live) == (on_disk, live)
    assert kiosk.platform.ledger.storage() == []


def test_maintenance_twice_does_nothing_the_second_time(kiosk: Kiosk) -> None:
    kiosk.retain("{keep: 60d, then: archive}")
    kiosk.maintain()
    again = kiosk.maintain()
    assert told(again) == []
    assert again.files[0] == again.files[1]


def test_two_maintenances_at_once_are_one(kiosk: Kiosk) -> None:
    now = kiosk.platform.clock.wall()
    kiosk.platform.ledger.acquire("maintenance", f"{this_process()}/other", now, 60.0)
    with pytest.raises(UserError, match="under way already"):
        maintain(kiosk.platform, kiosk.plan, uuid4().hex)


def test_a_table_that_somebody_is_writing_is_left_for_the_next_time(kiosk: Kiosk) -> None:
    now = kiosk.platform.clock.wall()
    lease = kiosk.platform.ledger.acquire("table till.sales", f"{this_process()}/other", now, 60.0)
    assert lease is not None
    maintained = kiosk.maintain("compact")
    assert [(each.table, each.busy) for each in maintained.tables] == [("till.sales", True)]
    assert maintained.succeeded
    kiosk.platform.ledger.give_back(lease)
    assert told(kiosk.maintain("compact")) == [("compact", "till.sales", "joined 10 files into 1")]


def test_each_run_records_what_everything_takes(kiosk: Kiosk) -> None:
    maintained = kiosk.maintain()
    assert [each.subject for each in maintained.storage] == ["kiosk", "till"]
    recorded = kiosk.platform.ledger.storage("kiosk")
    assert [(each.files, each.bytes) for each in recorded] == [
        (maintained.storage[0].files, maintained.storage[0].bytes)
    ]
    assert 0 < recorded[0].live_bytes <= recorded[0].bytes


class LockedLedger:
    """Like the ledger, until a build is to be recorded."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def record_build(self, *_: Any) -> None:
        raise UserError("the ledger is locked")


@contextmanager
def no_build_recorded(kiosk: Kiosk) -> Iterator[None]:
    """Let the ledger refuse builds in the block."""
    whole = kiosk.platform.ledger
    kiosk.platform.__dict__["ledger"] = LockedLedger(whole)
    try:
        yield
    finally:
        kiosk.platform.__dict__["ledger"] = whole


def bring_back(kiosk: Kiosk, table: str, first: date, last: date) -> Restored:
    run = uuid4().hex
    starting.begin(kiosk.platform, kiosk.plan, run, "test")
    try:
        return restore(kiosk.platform, kiosk.plan, run, table, first, last, "test")
    finally:
        starting.end(kiosk.platform, run, succeeded=True)


def split(kiosk: Kiosk, table: str, interval: str) -> list[tuple[Any, ...]]:
    """Let the rows of an interval lie in a file each, and return all rows of the table."""
    planned, (present, version) = kiosk.plan.tables[table], kiosk.present(table)
    lake = kiosk.platform.data.lake / planned.path
    relation = of_files(kiosk.platform, table, version.columns, version.files_of([interval]))
    with kiosk.platform.engine.session([relation]) as session:
        parts = [
            session.write(f"SELECT * FROM {table} ORDER BY sale_id LIMIT 1 OFFSET {n}", version.columns, lake)
            for n in range(2)
        ]
    halves = [file.model_copy(update={"intervals": (interval,)}) for part in parts for file in part]
    files = (*(file for file in version.files if interval not in file.intervals), *halves)
    update = {"files": files, "id": digest_of(file.path for file in files), "number": version.number + 1}
    after = version.model_copy(update=update)
    with holding(kiosk.platform, f"table {table}", "split") as lease:
        build = present.model_copy(update={"version": after.id, "cause": "compaction"})
        commit(kiosk.platform, planned, build, after, version, lease)
    return kiosk.ask(SALES)
