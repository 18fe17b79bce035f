import json
import multiprocessing
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
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
from sqlalchemy import create_engine, text

from mart_platform.adapters.ledger import open_ledger, opening, schema
from mart_platform.adapters.ledger.sql_ledger import SqlLedger
from mart_platform.ports import CommitConflict, Ledger
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import (
    Batch,
    Build,
    DataFile,
    Event,
    FreshnessState,
    Hold,
    Publication,
    PublishedTable,
    Run,
    Verdict,
    Version,
)
from mart_platform.spec.words import Severity
from mart_platform_tests.fakes import MemoryLedger

NOON = datetime(2026, 11, 2, 12, 0, 0, 123456, tzinfo=UTC)
TABLE = "canonical.sales_line"


def a_run(name: str = "run-1", **but: Any) -> Run:
    return Run(id=name, cause="cli", plan="p1", targets=("sales",), began_at=NOON, holder="host/7", **but)


def a_build(version: str = "v1", *, table: str = TABLE, fingerprint: str = "f1", run: str = "run-1") -> Build:
    return Build(
        table=table,
        fingerprint=fingerprint,
        version=version,
        content=f"content of {version}",
        consumed={"complete_journey.transactions": "c1"},
        roots={"complete_journey.transactions": "c1"},
        watermark=NOON,
        run=run,
        reason="first build",
        seconds=1.5,
        at=NOON,
    )


def a_version(build: Build, number: int = 0) -> Version:
    return Version(
        table=build.table,
        fingerprint=build.fingerprint,
        id=build.version,
        number=number,
        columns={"id": "bigint"},
        files=(DataFile(path=f"lake/x/part-{build.version}.parquet", rows=3, bytes=100),),
        content=build.content,
        created_at=NOON,
    )


def a_batch(name: str = "b1", *, fingerprint: str = "f1", landed: int = 2) -> Batch:
    return Batch(
        id=name,
        table="complete_journey.transactions",
        fingerprint=fingerprint,
        position="transactions.csv",
        size=10,
        modified_ns=2**62,
        sha256="0" * 64,
        kept_as="landing/0.csv",
        rows_read=landed + 1,
        landed=landed,
        quarantined=1,
        delivered_columns={"basket_id": "VARCHAR"},
        newest_event=NOON,
        files=(),
        run="run-1",
        arrived_at=NOON,
    )


def a_verdict(fingerprint: str = "k1", *, passed: bool = True, content: str = "c1") -> Verdict:
    return Verdict(
        table=TABLE,
        content=content,
        check="key is unique",
        fingerprint=fingerprint,
        severity=Severity.ERROR,
        passed=passed,
        failed=0 if passed else 2,
        tested=3,
        sample=({"basket_id": 1, "amount": "1.50"},),
        run="run-1",
        at=NOON,
    )


def a_publication(number: int = 1, mart: str = "sales") -> Publication:
    return Publication(
        mart=mart,
        number=number,
        tables={"sales.fact": PublishedTable(fingerprint="f1", version="v1", content="c1")},
        plan="p1",
        watermark=NOON,
        at=NOON,
        by="mart build",
        reason="new data",
        run="run-1",
    )


def a_hold(mart: str = "sales") -> Hold:
    return Hold(mart=mart, since=NOON, by="ana", reason="rolled back")


# A throwaway PostgreSQL


def _postgresql_programs() -> Path | None:
    found = shutil.which("initdb")
    places = (
        [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    )
    return next((place for place in places if (place / "initdb").exists()), None)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server on loopback that lives as long as the tests; it refuses to run as root."""
    programs = _postgresql_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server (initdb) is installed")
    if find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed: pip install 'mart-platform[postgres]'")
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="mart-pg-"))
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    try:
        if user:
            shutil.chown(folder, user)
        subprocess.run(
            [programs / "initdb", "-D", folder / "db", "-U", "mart", "-A", "trust", "-E", "UTF8", "-N"],
            user=user, cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "db", "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"],
            user=user, cwd=folder, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_for(port)
            yield f"postgresql://mart@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(2)  # fast shutdown: does not wait for connections
            server.wait(30)
    finally:
        shutil.rmtree(folder)


def _wait_for(port: int) -> None:
    psycopg = import_module("psycopg")  # installed with an extra only
    for _ in range(300):
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=mart dbname=postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("PostgreSQL did not start within 30 s")


@pytest.fixture
def empty_postgresql(postgresql: str) -> str:
    engine = create_engine(postgresql.replace("://", "+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA IF EXISTS {schema.POSTGRESQL_SCHEMA} CASCADE"))
    engine.dispose()
    return postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger can be made: a file or a URL."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.sqlite")
    return str(request.getfixturevalue("empty_postgresql"))


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    with closing(
        open_ledger(
            tmp_path / "ledger.sqlite"
            if request.param == "sqlite"
            else request.getfixturevalue("empty_postgresql")
        )
    ) as opened:
        yield opened


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

    def test_says_which_version_it_does_not_know(self, ledger: Ledger) -> None:
        with pytest.raises(LookupError, match=f"no version v7 of {TABLE}"):
            ledger.version(TABLE, "f1", "v7")

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
            with ledger._writing() as connection:
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
        with closing(open_ledger(place)) as ledger, ledger._writing() as connection:
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
        with closing(open_ledger(tmp_path / "l.sqlite")) as ledger, ledger._writing() as connection:
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

    def test_a_lock_that_is_not_let_go_is_told_with_the_file(self, tmp_path: Path) -> None:
        file = tmp_path / "l.sqlite"
        with (
            closing(open_ledger(file, busy_seconds=0.1)) as ledger,
            closing(sqlite3.connect(file, isolation_level=None)) as other,
        ):
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(UserError, match=f"{file} is locked by another process"):
                ledger.set_setting("a", "b")
            assert ledger.setting("a") is None
            other.execute("ROLLBACK")
            ledger.set_setting("a", "b")

    def test_a_folder_that_may_not_be_written_is_named(self, tmp_path: Path) -> None:
        lock = tmp_path / "l.sqlite.lock"
        lock.mkdir()  # stands for a missing right, which a test run by root would not miss
        with pytest.raises(UserError, match=f"{lock} cannot be written"):
            open_ledger(tmp_path / "l.sqlite")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
    def test_a_file_that_may_not_be_written_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "l.sqlite"
        open_ledger(file).close()
        file.chmod(stat.S_IRUSR)
        with (
            closing(open_ledger(file)) as ledger,
            pytest.raises(UserError, match=f"{file} may not be written"),
        ):
            ledger.set_setting("a", "b")

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
    with closing(open_ledger(tmp_path / "l.sqlite")) as ledger, ledger._reading() as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT builds.record FROM builds "
            "JOIN newest_builds ON newest_builds.build = builds.seq"
        ).all()
    assert [row[3] for row in plan] == [
        "SCAN newest_builds",
        "SEARCH builds USING INTEGER PRIMARY KEY (rowid=?)",
    ]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["ana", "ben", "cho"]), st.integers(0, 30), st.booleans()),
        max_size=15,
    )
)
def test_a_lease_never_has_two_holders_and_its_token_grows_with_each(
    kept_ledger: SqlLedger, steps: list[tuple[str, int, bool]]
) -> None:
    """The SQL statement and the plain words of the fake agree on any history of taking and returning."""
    fake, now, name = MemoryLedger(), NOON, uuid4().hex
    for holder, seconds, returns in steps:
        now += timedelta(seconds=seconds)
        lease = kept_ledger.acquire(name, holder, now, 20)
        assert lease == fake.acquire(name, holder, now, 20)
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
