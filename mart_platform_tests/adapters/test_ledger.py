import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from mart_platform.adapters.ledger import open_ledger, opening, schema
from mart_platform.adapters.ledger.sql_ledger import SqlLedger
from mart_platform.ports import CommitConflict, Ledger
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Event, FreshnessState, Interval
from mart_platform_tests.adapters.ledger_records import (
    NOON,
    TABLE,
    a_backfill,
    a_batch,
    a_build,
    a_hold,
    a_legal_hold,
    a_piece,
    a_publication,
    a_reading,
    a_restatement,
    a_run,
    a_storage,
    a_verdict,
    a_version,
    a_version_of_days,
)
from mart_platform_tests.fakes import MemoryLedger


@pytest.fixture(scope="module")
def kept_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlLedger]:
    """One ledger for all examples of a property."""
    with closing(open_ledger(tmp_path_factory.mktemp("ledger") / "l.sqlite")) as opened:
        yield opened


class TestEveryLedger:
    def test_gives_back_a_run_as_it_began_and_as_it_ended(self, ledger: Ledger) -> None:
        ledger.begin_run(a_run(), {})
        assert ledger.run("run-1") == a_run()
        ledger.end_run("run-1", "failed", NOON + timedelta(minutes=1))
        assert ledger.run("run-1") == a_run(outcome="failed", ended_at=NOON + timedelta(minutes=1))
        assert ledger.run("another") is None

    def test_lists_runs_newest_first(self, ledger: Ledger) -> None:
        for number in range(4):
            ledger.begin_run(a_run(f"run-{number}"), {})
        assert [run.id for run in ledger.runs(limit=2)] == ["run-3", "run-2"]

    def test_leaves_a_run_that_begins_again_as_it_is(self, ledger: Ledger) -> None:
        ledger.begin_run(a_run(), {TABLE: a_build("v1")})
        ledger.begin_run(a_run().model_copy(update={"cause": "again"}), {TABLE: a_build("v2")})
        assert ledger.run("run-1") == a_run()
        assert ledger.pins("run-1") == {TABLE: a_build("v1")}

    def test_pins_for_a_run_what_it_began_with_until_it_builds_anew(self, ledger: Ledger) -> None:
        before, other = a_build("v1", run="run-0"), a_build("v9", table="canonical.store", run="run-0")
        ledger.begin_run(a_run(), {TABLE: before, "canonical.store": other})
        ledger.record_build(a_build("v2"), a_version(a_build("v2")))
        assert ledger.pins("run-1") == {TABLE: a_build("v2"), "canonical.store": other}
        assert ledger.pins("run-1", ["canonical.store", "a.b"]) == {"canonical.store": other}
        assert ledger.pins("unknown") == {}

    def test_lets_a_run_read_another_build_without_a_new_one(self, ledger: Ledger) -> None:
        ledger.begin_run(a_run(), {TABLE: a_build("v1")})
        ledger.pin("run-1", {TABLE: a_build("v2"), "a.b": a_build("v1", table="a.b")})
        assert ledger.pins("run-1") == {TABLE: a_build("v2"), "a.b": a_build("v1", table="a.b")}
        assert ledger.builds(TABLE) == []

    def test_keeps_batches_in_the_order_of_landing_and_each_once(self, ledger: Ledger) -> None:
        for batch in (a_batch("b2"), a_batch("b1"), a_batch("b2", landed=9), a_batch("b2", fingerprint="f2")):
            ledger.add_batch(batch)
        landed = ledger.batches("complete_journey.transactions")
        assert landed == [a_batch("b2"), a_batch("b1"), a_batch("b2", fingerprint="f2")]
        assert ledger.batches("complete_journey.transactions", "f2") == landed[2:]
        assert ledger.batches("complete_journey.coupons") == []

    def test_gives_the_newest_build_of_each_physical_table(self, ledger: Ledger) -> None:
        for build in (
            a_build("v1"),
            a_build("v2"),
            a_build("v3", fingerprint="f2"),
            a_build("v1", table="a.b"),
        ):
            ledger.record_build(build, a_version(build))
        assert ledger.latest_build(TABLE, "f1") == a_build("v2")
        assert ledger.latest_build(TABLE, "f9") is None
        assert ledger.latest_builds() == {
            (TABLE, "f1"): a_build("v2"),
            (TABLE, "f2"): a_build("v3", fingerprint="f2"),
            ("a.b", "f1"): a_build("v1", table="a.b"),
        }

    def test_lists_the_builds_of_a_table_newest_first_whatever_its_logic(self, ledger: Ledger) -> None:
        for number, fingerprint in enumerate(["f1", "f2", "f1"]):
            build = a_build(f"v{number}", fingerprint=fingerprint)
            ledger.record_build(build, a_version(build))
        assert [build.version for build in ledger.builds(TABLE)] == ["v2", "v1", "v0"]
        assert [build.version for build in ledger.builds(TABLE, limit=1)] == ["v2"]

    def test_keeps_a_version_as_it_was_first_recorded(self, ledger: Ledger) -> None:
        ledger.record_build(a_build("v1"), a_version(a_build("v1"), number=3))
        ledger.record_build(a_build("v1", run="run-2"), a_version(a_build("v1"), number=8))
        assert ledger.version(TABLE, "f1", "v1") == a_version(a_build("v1"), number=3)
        assert ledger.version(TABLE, "f1", "v1").rows == 3

    def test_gives_back_versions_of_many_intervals_as_they_were_recorded(self, ledger: Ledger) -> None:
        written = {date(2026, 1, 1) + timedelta(days): "first" for days in range(40)}
        recorded = []
        for number in range(30):
            day = date(2026, 1, 1) + timedelta(days=7 * number % 50)
            written = {**written, day: f"by {number}"}  # changes a day, or adds one
            if number % 10 == 9:
                written = dict.fromkeys(list(written)[3:], "compacted")
            recorded.append(a_version_of_days(f"v{number}", written))
            ledger.record_build(a_build(f"v{number}"), recorded[-1])
        other = a_build("v1", fingerprint="f2")
        ledger.record_build(other, a_version(other))
        assert [ledger.version(TABLE, "f1", version.id) for version in recorded] == recorded
        assert ledger.versions(TABLE) == [*recorded, a_version(other)]
        assert ledger.versions("a.b") == []

    def test_says_which_version_it_does_not_know(self, ledger: Ledger) -> None:
        with pytest.raises(LookupError, match=f"no version v7 of {TABLE}"):
            ledger.version(TABLE, "f1", "v7")

    def test_tells_from_what_each_interval_was_built_last(self, ledger: Ledger) -> None:
        first, second = date(2026, 11, 1), date(2026, 11, 2)
        both = a_build("v1", rebuilt=(f"{second}", f"{first}"))
        one = a_build("v2", run="run-2", rebuilt=(f"{second}",), cause="backfill")
        ledger.record_build(both, a_version_of_days("v1", {first: "once", second: "once"}))
        ledger.record_build(one, a_version_of_days("v2", {first: "once", second: "again"}))
        ledger.record_build(
            a_build("v2", run="run-3"), a_version_of_days("v2", {first: "not", second: "new"})
        )
        built = ledger.intervals(TABLE, "f1")
        assert list(built) == [f"{first}", f"{second}"]
        assert [(each.content, each.rows, each.run) for each in built.values()] == [
            (f"{first} once", 1, "run-1"),
            (f"{second} again", 2, "run-2"),
        ]
        assert built[f"{second}"].model_dump(include={"table", "fingerprint", "consumed", "cause", "at"}) == {
            "table": TABLE,
            "fingerprint": "f1",
            "consumed": one.consumed,
            "cause": "backfill",
            "at": NOON,
        }
        assert ledger.interval_keys(TABLE, "f1") == built.keys()
        assert ledger.intervals(TABLE, "f2") == {}

    def test_knows_an_interval_that_was_rebuilt_and_holds_nothing_as_built(self, ledger: Ledger) -> None:
        ledger.record_build(a_build("v1", rebuilt=("2026-11-01",)), a_version_of_days("v1", {}))
        built = ledger.intervals(TABLE, "f1")["2026-11-01"]
        assert Interval(content=built.content, rows=built.rows) == Interval(content="", rows=0)

    def test_lists_what_was_restated_newest_first(self, ledger: Ledger) -> None:
        told = [a_restatement("2026-11-01"), a_restatement("2026-11-02"), a_restatement(table="a.b")]
        ledger.record_build(a_build("v1"), a_version(a_build("v1")), told[:1])
        ledger.record_build(a_build("v2"), a_version(a_build("v2")), told[1:])
        assert ledger.restatements(TABLE) == [told[1], told[0]]
        assert ledger.restatements(TABLE, limit=1) == [told[1]]
        assert ledger.restatements("c.d") == []

    def test_gives_the_builds_that_were_the_newest_at_a_moment(self, ledger: Ledger) -> None:
        days = [NOON + timedelta(days) for days in range(4)]
        builds = [a_build(f"v{day}", at=days[day]) for day in range(3)]
        other = a_build("v9", fingerprint="f2", at=days[1])
        for build in (*builds[:2], other, builds[2]):
            ledger.record_build(build, a_version(build))
        assert ledger.builds_at(days[0] - timedelta(microseconds=1)) == {}
        assert ledger.builds_at(days[0]) == {(TABLE, "f1"): builds[0]}
        assert ledger.builds_at(days[2] - timedelta(microseconds=1)) == {
            (TABLE, "f1"): builds[1],
            (TABLE, "f2"): other,
        }
        assert ledger.builds_at(days[3]) == ledger.latest_builds()

    def test_gives_the_newest_verdict_of_each_check_on_a_content(self, ledger: Ledger) -> None:
        ledger.record_verdicts(
            [a_verdict("k1", passed=False), a_verdict("k2"), a_verdict("k1", content="c2")]
        )
        ledger.record_verdicts([a_verdict("k1", passed=True)])
        ledger.record_verdicts([])
        assert ledger.verdicts(TABLE, "c1") == {"k1": a_verdict("k1"), "k2": a_verdict("k2")}
        assert ledger.verdicts(TABLE, "c3") == {}

    def test_gives_the_newest_verdict_of_each_check_on_any_content(self, ledger: Ledger) -> None:
        newest = a_verdict("k1", content="c2")
        ledger.record_verdicts([a_verdict("k1", passed=False), a_verdict("k2"), newest])
        assert ledger.last_verdicts(TABLE) == {"k1": newest, "k2": a_verdict("k2")}
        assert ledger.last_verdicts("a.b") == {}

    def test_makes_the_newest_publication_live(self, ledger: Ledger) -> None:
        assert ledger.live("sales") is None
        for number in (1, 2):
            ledger.publish(a_publication(number))
        ledger.publish(a_publication(1, mart="finance"))
        assert ledger.live("sales") == a_publication(2)
        assert ledger.publications("sales") == [a_publication(2), a_publication(1)]
        assert ledger.publications("sales", limit=1) == [a_publication(2)]

    def test_leaves_what_is_live_when_a_shadow_is_published(self, ledger: Ledger) -> None:
        ledger.publish(a_publication(1, state="shadow"))
        assert ledger.live("sales") is None
        ledger.publish(a_publication(2))
        ledger.publish(a_publication(3, state="shadow"))
        assert ledger.live("sales") == a_publication(2)
        with pytest.raises(CommitConflict, match="sales already has a publication 3"):
            ledger.publish(a_publication(3))
        ledger.publish(a_publication(4))
        assert ledger.live("sales") == a_publication(4)

    def test_drops_publications_that_are_not_live(self, ledger: Ledger) -> None:
        ledger.publish(a_publication(1))
        ledger.publish(a_publication(2))
        ledger.publish(a_publication(3, state="shadow"))
        ledger.set_state("sales", 1, "dropped")
        ledger.set_state("sales", 3, "dropped")
        assert [each.state for each in ledger.publications("sales")] == ["dropped", "live", "dropped"]
        with pytest.raises(LookupError, match="publication 2 of sales is live"):
            ledger.set_state("sales", 2, "dropped")
        with pytest.raises(LookupError, match="sales has no publication 4"):
            ledger.set_state("sales", 4, "dropped")
        assert ledger.live("sales") == a_publication(2)

    @pytest.mark.parametrize("number", [1, 2])
    def test_refuses_a_publication_that_would_not_be_the_newest(self, ledger: Ledger, number: int) -> None:
        ledger.publish(a_publication(2))
        with pytest.raises(CommitConflict, match="sales already has a publication 2"):
            ledger.publish(a_publication(number), hold=a_hold())
        assert ledger.publications("sales") == [a_publication(2)]
        assert ledger.hold_of("sales") is None

    def test_holds_and_releases_a_mart_with_its_publication(self, ledger: Ledger) -> None:
        ledger.publish(a_publication(1), hold=a_hold())
        assert (ledger.hold_of("sales"), ledger.hold_of("finance")) == (a_hold(), None)
        ledger.publish(a_publication(2), release=True)
        assert ledger.hold_of("sales") is None
        ledger.publish(a_publication(3), release=True, hold=a_hold())
        assert ledger.hold_of("sales") == a_hold()
        ledger.release("sales")
        ledger.release("sales")
        assert ledger.hold_of("sales") is None

    def test_gives_a_lease_to_one_holder_who_may_renew_it(self, ledger: Ledger) -> None:
        first = ledger.acquire("lake/x", "ana", NOON, 60)
        assert first is not None
        assert (first.holder, first.token, first.expires) == ("ana", 1, NOON + timedelta(seconds=60))
        assert ledger.acquire("lake/x", "ben", NOON + timedelta(seconds=59), 60) is None
        renewed = ledger.acquire("lake/x", "ana", NOON + timedelta(seconds=30), 60)
        assert renewed == first.model_copy(update={"expires": NOON + timedelta(seconds=90)})
        assert ledger.lease("lake/x") == renewed
        assert ledger.lease("lake/y") is None

    def test_lets_an_expired_lease_be_taken_over_with_a_larger_token(self, ledger: Ledger) -> None:
        old = ledger.acquire("lake/x", "ana", NOON, 60)
        assert old is not None
        new = ledger.acquire("lake/x", "ben", NOON + timedelta(seconds=60), 60)
        assert new is not None
        assert (new.holder, new.token) == ("ben", 2)
        ledger.give_back(old)
        assert ledger.lease("lake/x") == new

    def test_never_gives_the_token_of_a_returned_lease_again(self, ledger: Ledger) -> None:
        lease = ledger.acquire("lake/x", "ana", NOON, 60)
        assert lease is not None
        ledger.give_back(lease)
        assert ledger.lease("lake/x") is None
        again = ledger.acquire("lake/x", "ana", NOON, 60)
        assert again is not None
        assert again.token == 2

    def test_takes_no_live_lease_from_its_holder_when_the_clock_is_stepped_back(self, ledger: Ledger) -> None:
        yesterday = NOON - timedelta(days=1)
        held = ledger.acquire("lake/x", "ana", NOON, 60)
        assert held is not None
        assert [ledger.acquire("lake/x", "ben", yesterday, 60) for _ in range(3)] == [None] * 3
        assert ledger.acquire("lake/x", "ana", yesterday, 60) == held  # renewed, and not for a shorter time
        assert ledger.acquire("lake/x", "ben", NOON + timedelta(seconds=59), 60) is None
        ledger.give_back(held)
        free = ledger.acquire("lake/x", "ben", yesterday, 60)
        assert free is not None
        assert (free.token, free.expires) == (2, yesterday + timedelta(seconds=60))

    def test_lists_the_leases_that_are_held_now(self, ledger: Ledger) -> None:
        taken = [ledger.acquire(name, "ana", NOON, seconds) for name, seconds in [("b", 60), ("a", 30)]]
        returned = ledger.acquire("c", "ana", NOON, 60)
        assert returned is not None
        ledger.give_back(returned)
        assert ledger.leases(NOON) == taken[::-1]
        assert ledger.leases(NOON + timedelta(seconds=30)) == taken[:1]
        assert ledger.leases(NOON + timedelta(seconds=60)) == []

    def test_knows_the_queries_that_run(self, ledger: Ledger) -> None:
        ledger.begin_reading(a_reading("q2"))
        ledger.begin_reading(a_reading("q1"))
        ledger.begin_reading(a_reading("q1"))
        assert ledger.readings() == [a_reading("q1"), a_reading("q2")]
        ledger.end_reading("q1")
        ledger.end_reading("q1")
        assert ledger.readings() == [a_reading("q2")]

    def test_keeps_legal_holds_until_they_are_released(self, ledger: Ledger) -> None:
        ledger.add_legal_hold(a_legal_hold("b"))
        ledger.add_legal_hold(a_legal_hold("a"))
        with pytest.raises(ValueError, match="there is a legal hold a already"):
            ledger.add_legal_hold(a_legal_hold("a").model_copy(update={"reason": "another"}))
        assert ledger.legal_holds() == [a_legal_hold("a"), a_legal_hold("b")]
        ledger.release_legal_hold("a")
        with pytest.raises(LookupError, match="there is no legal hold a"):
            ledger.release_legal_hold("a")
        assert ledger.legal_holds() == [a_legal_hold("b")]

    def test_keeps_what_was_stored_on_each_day(self, ledger: Ledger) -> None:
        for stored in (a_storage(10), a_storage(9), a_storage(9, "canonical"), a_storage(10, files=4)):
            ledger.record_storage(stored)
        assert ledger.storage() == [a_storage(9, "canonical"), a_storage(9), a_storage(10, files=4)]
        assert ledger.storage("canonical") == [a_storage(9, "canonical")]

    def test_keeps_the_last_state_of_each_backfill_newest_first(self, ledger: Ledger) -> None:
        for backfill in (a_backfill("b1"), a_backfill("b2"), a_backfill("b1", state="done")):
            ledger.record_backfill(backfill)
        assert ledger.backfills() == [a_backfill("b2"), a_backfill("b1", state="done")]
        assert ledger.backfills(limit=1) == [a_backfill("b2")]

    def test_lists_the_pieces_of_a_backfill_in_the_order_of_writing(self, ledger: Ledger) -> None:
        pieces = [a_piece("2017-01-02"), a_piece("2017-01-01"), a_piece("2017-01-01", table="a.b")]
        for piece in (*pieces, a_piece("2017-01-01", backfill="b2")):
            ledger.add_piece(piece)
        assert ledger.pieces("b1") == pieces
        assert ledger.pieces("b1", TABLE) == pieces[:2]
        assert ledger.pieces("b3") == []

    def test_keeps_settings_until_they_are_taken_away(self, ledger: Ledger) -> None:
        assert ledger.setting("business_clock") is None
        for value in ("one", "two"):
            ledger.set_setting("business_clock", value)
        assert ledger.setting("business_clock") == "two"
        ledger.set_setting("business_clock", None)
        assert ledger.setting("business_clock") is None

    def test_keeps_the_last_state_of_each_promise(self, ledger: Ledger) -> None:
        kept = FreshnessState(
            mart="sales", objective="fresh", state="kept", since=NOON, staleness=10.5, promised=60
        )
        broken = kept.model_copy(update={"state": "broken", "late_by": 9.25, "late_first": "a.b"})
        other = kept.model_copy(update={"mart": "finance"})
        for state in (kept, other, broken):
            ledger.record_freshness(state)
        assert ledger.freshness() == [other, broken]

    def test_lists_events_newest_first_by_subject_and_kind(self, ledger: Ledger) -> None:
        happened = [
            Event(at=NOON, kind=kind, subject=subject, details={"n": n})
            for n, (kind, subject) in enumerate([("late", "sales"), ("landed", "ecb"), ("landed", "sales")])
        ]
        for event in happened:
            ledger.add_event(event)
        assert ledger.events() == happened[::-1]
        assert ledger.events(subject="sales") == [happened[2], happened[0]]
        assert ledger.events(kind="landed", limit=1) == [happened[2]]
        assert ledger.events(subject="sales", kind="late") == [happened[0]]

    def test_keeps_any_text(self, ledger: Ledger) -> None:
        ledger.set_setting("it's; --", 'naïve "quotes" 🛒 %s :x\n')
        assert ledger.setting("it's; --") == 'naïve "quotes" 🛒 %s :x\n'


class TestOfRealLedgers:
    def test_remember_after_they_were_closed(self, place: str) -> None:
        with closing(open_ledger(place)) as ledger:
            ledger.record_build(a_build(), a_version(a_build()))
        with closing(open_ledger(place)) as ledger:
            assert ledger.latest_builds() == {(TABLE, "f1"): a_build()}

    def test_write_nothing_of_a_build_whose_transaction_fails(self, place: str) -> None:
        with closing(open_ledger(place)) as ledger:
            with ledger._database.writing() as connection:
                connection.execute(text("ALTER TABLE pins RENAME TO pinned"))
            with pytest.raises(UserError, match="lacks a table"):
                ledger.record_build(a_build(), a_version(a_build()))
            assert ledger.latest_builds() == {}
            with pytest.raises(LookupError):
                ledger.version(TABLE, "f1", "v1")

    def test_serve_many_threads(self, place: str) -> None:
        taken: list[int] = []
        with closing(open_ledger(place)) as ledger:

            def work(holder: str) -> None:
                for number in range(5):
                    if ledger.acquire("lake/x", f"{holder}/{number}", NOON, 60):
                        taken.append(1)
                    ledger.add_event(Event(at=NOON, kind="k", subject=holder))

            threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(ledger.events()) == 30
        assert taken == [1]

    def test_can_be_opened_by_several_processes_at_once_while_empty(self, place: str) -> None:
        assert sorted(_in_processes(4, _first_words, place)) == [True] * 4
        with closing(open_ledger(place)) as ledger:
            assert len(ledger.events()) == 4

    def test_give_each_lease_and_number_to_one_of_several_processes(self, place: str) -> None:
        open_ledger(place).close()
        won = _in_processes(4, _rival, place)
        assert [sum(wins) for wins in zip(*won, strict=True)] == [1, 1]

    def test_survive_a_fork_with_open_connections(self, place: str) -> None:
        with closing(open_ledger(place)) as ledger:
            ledger.set_setting("who", "parent")
            child = os.fork()
            if child == 0:
                os._exit(_child_writes(ledger))
            ledger.set_setting("parent", "wrote too")
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert (ledger.setting("who"), ledger.setting("parent")) == ("child", "wrote too")

    def test_made_by_the_migrations_equal_the_schema(self, place: str) -> None:
        url = opening._url(place)
        if url.get_backend_name() == "sqlite":
            Path(place).touch()
        engine = opening._engine(url, 5)
        with engine.execution_options(writes=True).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"CREATE SCHEMA {schema.POSTGRESQL_SCHEMA}"))
            opening.migrate(connection)
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        engine.dispose()
        with closing(open_ledger(place)) as ledger:
            ledger.record_build(a_build(), a_version(a_build()))
            assert ledger.latest_build(TABLE, "f1") == a_build()

    def test_refuse_a_ledger_of_a_newer_release(self, place: str) -> None:
        with closing(open_ledger(place)) as ledger, ledger._database.writing() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(UserError, match=r"revision 9999.*newer release.*Upgrade mart-platform"):
            open_ledger(place)


def _first_words(place: str) -> bool:
    with closing(open_ledger(place)) as ledger:
        ledger.add_event(Event(at=NOON, kind="opened", subject="ledger"))
        return ledger.setting("anything") is None


def _rival(place: str) -> tuple[bool, bool]:
    with closing(open_ledger(place)) as ledger:
        leased = ledger.acquire("lake/x", str(os.getpid()), NOON, 60) is not None
        try:
            ledger.publish(a_publication(1))
        except CommitConflict:
            return leased, False
        return leased, True


def _child_writes(ledger: SqlLedger) -> int:
    try:
        ledger.set_setting("who", "child")
        return 0 if ledger.setting("who") == "child" else 1
    except BaseException:  # noqa: BLE001 (a child must not run the rest of the tests)
        return 2


def _in_processes(count: int, work: Callable[[str], Any], place: str) -> list[Any]:
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        return pool.map(work, [place] * count, chunksize=1)


class TestOpening:
    def test_a_revision_is_listed_for_every_migration(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(opening.__file__).parent / "migrations"))
        scripts = ScriptDirectory.from_config(config)
        assert tuple(s.revision for s in scripts.walk_revisions())[::-1] == schema.REVISIONS

    def test_a_current_ledger_needs_no_alembic(self, tmp_path: Path) -> None:
        script = (
            "import sys; from mart_platform.adapters.ledger import open_ledger;"
            f"open_ledger({str(tmp_path / 'l.sqlite')!r}).close();"
            f"open_ledger({str(tmp_path / 'l.sqlite')!r}).close();"
            "sys.exit('alembic' in sys.modules)"
        )
        subprocess.run([sys.executable, "-c", script], check=True)

    def test_a_ledger_on_sqlite_is_durable_and_lets_readers_pass(self, tmp_path: Path) -> None:
        with closing(open_ledger(tmp_path / "l.sqlite")) as ledger, ledger._database.writing() as connection:
            told = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
            assert told == ["wal", 2, 1, 30_000]
            with closing(open_ledger(tmp_path / "l.sqlite")) as reader:
                assert reader.latest_builds() == {}

    def test_an_empty_file_becomes_a_ledger(self, tmp_path: Path) -> None:
        (tmp_path / "l.sqlite").touch()
        with closing(open_ledger(tmp_path / "l.sqlite")) as ledger:
            assert ledger.runs() == []

    def test_a_sqlite_url_names_a_file_too(self, tmp_path: Path) -> None:
        open_ledger(f"sqlite:///{tmp_path}/l.sqlite").close()
        assert (tmp_path / "l.sqlite").exists()

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=f"create the folder {tmp_path}/none"):
            open_ledger(tmp_path / "none" / "l.sqlite")

    def test_a_folder_is_no_ledger(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=f"{tmp_path} cannot be opened"):
            open_ledger(tmp_path)

    def test_a_file_of_another_kind_is_named_and_left_alone(self, tmp_path: Path) -> None:
        file = tmp_path / "l.sqlite"
        file.write_text("customer,amount\n" * 500)
        with pytest.raises(UserError, match=f"{file} is not an SQLite database"):
            open_ledger(file)
        assert file.read_text() == "customer,amount\n" * 500

    def test_a_database_of_somebody_else_is_left_alone(self, tmp_path: Path) -> None:
        file = tmp_path / "l.sqlite"
        with closing(sqlite3.connect(file)) as other:
            other.execute("CREATE TABLE runs (id)")
        with pytest.raises(UserError, match=f"{file} holds tables of something else"):
            open_ledger(file)
        with closing(sqlite3.connect(file)) as other:
            assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("runs",)]

    def test_a_server_that_is_not_there_is_named_without_the_password(self) -> None:
        pytest.importorskip("psycopg", reason="psycopg is not installed")
        with pytest.raises(
            UserError, match=r"postgresql\+psycopg://ana:\*\*\*@127.0.0.1:1/mart cannot be"
        ) as told:
            open_ledger("postgresql://ana:hunter2@127.0.0.1:1/mart")
        assert "hunter2" not in str(told.value)

    def test_a_url_of_another_database_is_refused(self) -> None:
        with pytest.raises(UserError, match="'mysql' cannot hold the ledger"):
            open_ledger("mysql://ana:hunter2@host/mart")

    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
    def test_a_ledger_in_memory_is_refused(self, url: str) -> None:
        with pytest.raises(UserError, match="in memory would forget"):
            open_ledger(url)

    def test_a_url_that_cannot_be_read_is_not_repeated(self) -> None:
        with pytest.raises(UserError, match="URL cannot be read") as told:
            open_ledger("postgresql://ana:hunter2@host:port/mart")
        assert "hunter2" not in str(told.value)


def test_the_newest_builds_are_found_without_reading_the_history(tmp_path: Path) -> None:
    with closing(open_ledger(tmp_path / "l.sqlite")) as ledger, ledger._database.reading() as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT builds.record FROM builds "
            "JOIN newest_builds ON newest_builds.build = builds.seq"
        ).all()
    assert [row[3] for row in plan] == [
        "SCAN newest_builds",
        "SEARCH builds USING INTEGER PRIMARY KEY (rowid=?)",
    ]


def test_what_is_live_is_found_without_reading_the_history(tmp_path: Path) -> None:
    with closing(open_ledger(tmp_path / "l.sqlite")) as ledger, ledger._database.reading() as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT record FROM publications WHERE mart = 'sales' AND state = 'live' "
            "ORDER BY number DESC LIMIT 1"
        ).all()
    assert [row[3] for row in plan] == [
        "SEARCH publications USING INDEX ix_publications_mart_state_number (mart=? AND state=?)"
    ]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["ana", "ben", "cho"]), st.integers(-30, 30), st.booleans()),
        max_size=15,
    )
)
def test_a_lease_never_has_two_holders_and_its_token_grows_with_each(
    kept_ledger: SqlLedger, steps: list[tuple[str, int, bool]]
) -> None:
    """SQL and the plain words of the fake agree on any history, also by a clock that is stepped back."""
    fake, now, name = MemoryLedger(), NOON, uuid4().hex
    for holder, seconds, returns in steps:
        now += timedelta(seconds=seconds)
        before = fake.lease(name)
        lease = kept_ledger.acquire(name, holder, now, 20)
        assert lease == fake.acquire(name, holder, now, 20)
        if before and before.expires > now:
            assert (lease is None) == (before.holder != holder)
        if lease and before and before.holder != holder:
            assert lease.token > before.token
        if lease and returns:
            kept_ledger.give_back(lease)
            fake.give_back(lease)
        assert kept_ledger.lease(name) == fake.lease(name)


def test_records_are_plain_json_for_whoever_reads_the_file(tmp_path: Path) -> None:
    with closing(open_ledger(tmp_path / "l.sqlite")) as ledger:
        ledger.publish(a_publication(1))
    with closing(sqlite3.connect(tmp_path / "l.sqlite")) as file:
        (record,) = file.execute("SELECT record FROM publications").fetchone()
    assert json.loads(record)["at"] == "2026-11-02T12:00:00.123456Z"


def test_nobody_else_may_read_a_new_ledger_in_which_hashes_of_secrets_are(tmp_path: Path) -> None:
    with closing(open_ledger(tmp_path / "l.sqlite")) as opened:
        opened.begin_run(a_run(), {})
        written = [file for file in tmp_path.glob("l.sqlite*") if file.stat().st_size]
        assert {file.stat().st_mode & 0o077 for file in written} == {0}
