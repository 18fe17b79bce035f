"""What the vacuum keeps, and that it keeps nothing else."""

import tempfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.runs.leasing import this_process
from mart_platform.runs.vacuuming import Vacuumed, vacuum
from mart_platform.spec.records import DataFile, LegalHold, Publication, Version
from mart_platform_tests.runs.small_lake import DEAD, SmallLake, day, incremental, paths, plan_with

CANONICAL, FACT = incremental("canonical.c", "f1"), incremental("m.fact", "f1", ("canonical.c",))
PLAN = plan_with(CANONICAL, FACT)


@pytest.fixture
def lake(tmp_path: Path) -> SmallLake:
    return SmallLake(tmp_path)


def clean(lake: SmallLake, plan: Plan = PLAN) -> Vacuumed:
    return vacuum(lake.platform, plan, "vacuum")


def outdated(lake: SmallLake) -> tuple[Version, Version]:
    """Return the fact as nobody has needed it for long, and as it is."""
    first = lake.build(FACT, [day(0)])
    lake.platform.clock.tick(hours=2)
    second = lake.build(FACT, [day(0)])
    lake.platform.clock.tick(hours=2)
    return first, second


def test_files_that_no_version_lists_are_removed(lake: SmallLake) -> None:
    version = lake.build(FACT, [day(0), day(1)])
    lake.file(FACT)
    assert [table.told for table in clean(lake).tables] == ["removed 1 file"]
    assert lake.on_disk() == paths(version)


def test_what_is_committed_and_not_recorded_yet_stays(lake: SmallLake) -> None:
    version = lake.commit(FACT, [lake.file(FACT, day(0))], {}, record=False)
    clean(lake)
    assert lake.on_disk() == paths(version)


def test_an_older_version_that_nobody_needs_is_removed(lake: SmallLake) -> None:
    _, newest = outdated(lake)
    clean(lake)
    assert lake.on_disk() == paths(newest)


def test_what_was_the_newest_a_moment_ago_stays_for_who_is_about_to_read_it(lake: SmallLake) -> None:
    first = lake.build(FACT, [day(0)])
    lake.platform.clock.tick(hours=2)
    second = lake.build(FACT, [day(0)])
    lake.platform.clock.tick(minutes=50)
    clean(lake)
    assert lake.on_disk() == paths(first) | paths(second)


def test_the_input_that_the_newest_build_was_made_from_stays(lake: SmallLake) -> None:
    read = lake.build(CANONICAL, [day(0)])
    fact = lake.build(FACT, [day(0)], {"canonical.c": read})
    lake.platform.clock.tick(hours=2)
    newer = lake.build(CANONICAL, [day(0)])
    lake.platform.clock.tick(hours=2)
    clean(lake)
    assert lake.on_disk() == paths(read) | paths(fact) | paths(newer)


def test_a_running_query_keeps_its_files_and_one_of_a_dead_process_does_not(lake: SmallLake) -> None:
    first, second = outdated(lake)
    lake.begin_reading(first, this_process())
    clean(lake)
    assert lake.on_disk() == paths(first) | paths(second)
    [reading] = lake.platform.ledger.readings()
    lake.platform.ledger.end_reading(reading.id)
    lake.begin_reading(first, DEAD)
    clean(lake)
    assert lake.on_disk() == paths(second)
    assert lake.platform.ledger.readings() == []


def test_a_table_that_somebody_is_writing_is_left_alone(lake: SmallLake) -> None:
    outdated(lake)
    before = lake.on_disk()
    clock = lake.platform.clock
    lake.platform.ledger.acquire("table m.fact", f"{this_process()}/other", clock.wall(), 60.0)
    assert [table.busy for table in clean(lake).tables] == [True]
    clock.tick(hours=2)
    assert [table.busy for table in clean(lake).tables] == [True], "its lease is over, but it lives"
    assert lake.on_disk() == before


def test_the_lease_of_a_dead_writer_keeps_nothing(lake: SmallLake) -> None:
    _, newest = outdated(lake)
    lake.platform.ledger.acquire("table m.fact", f"{DEAD}/other", lake.platform.clock.wall(), 60.0)
    clean(lake)
    assert lake.on_disk() == paths(newest)


def test_tables_of_a_mart_that_is_being_published_are_left_alone(lake: SmallLake) -> None:
    outdated(lake)
    before = lake.on_disk()
    now = lake.platform.clock.wall()
    lake.platform.ledger.acquire("publication m", f"{this_process()}/rollback", now, 60.0)
    assert [table.busy for table in clean(lake).tables] == [True]
    assert lake.on_disk() == before


def test_a_former_logic_is_removed_with_its_log_and_forgotten(lake: SmallLake) -> None:
    lake.build(FACT, [day(0)])
    lake.platform.clock.tick(days=8)
    renewed = incremental("m.fact", "f2")
    newest = lake.build(renewed, [day(0)])
    clean(lake, plan_with(CANONICAL, renewed))
    assert lake.on_disk() == paths(newest)
    assert not (lake.platform.data.lake / FACT.path).exists()
    assert lake.platform.ledger.latest_build("m.fact", "f1") is None
    assert list(lake.platform.data.temporary.iterdir()) == []


def test_a_former_logic_that_is_still_published_stays_with_its_newest_build(lake: SmallLake) -> None:
    published = lake.build(FACT, [day(0)])
    lake.publish([published])
    newest = lake.build(FACT, [day(0)])
    lake.platform.clock.tick(days=8)
    renewed = incremental("m.fact", "f2")
    clean(lake, plan_with(CANONICAL, renewed))
    assert lake.on_disk() == paths(published) | paths(newest)


def test_nothing_is_removed_of_a_table_whose_kept_version_the_ledger_lost(lake: SmallLake) -> None:
    first, _ = outdated(lake)
    before = lake.on_disk()
    lake.publish([first.model_copy(update={"id": "unknown"})])
    clean(lake)
    assert lake.on_disk() == before


def test_a_legal_hold_keeps_its_days_as_they_were_live_when_it_was_set(lake: SmallLake) -> None:
    live = lake.build(FACT, [day(0), day(1), day(2)])
    lake.publish([live])
    hold(lake, "held", since=date(2017, 1, 2), until=date(2017, 1, 2))
    for _ in range(4):
        lake.platform.clock.tick(days=8)
        newest = lake.build(FACT, [day(0), day(1), day(2)])
        lake.publish([newest])
    clean(lake)
    kept = {file.path for file in live.files if file.intervals == (day(1),)}
    assert kept <= lake.on_disk()
    assert not (paths(live) - kept) & lake.on_disk()
    lake.platform.ledger.release_legal_hold("held")
    clean(lake)
    assert not kept & lake.on_disk()


def test_a_dry_run_says_what_would_go_and_removes_nothing(lake: SmallLake) -> None:
    outdated(lake)
    before = lake.on_disk()
    [table] = vacuum(lake.platform, PLAN, "vacuum", dry_run=True).tables
    assert (table.told, table.files) == ("would remove 1 file", (2, 1))
    assert lake.on_disk() == before


def test_old_logs_and_half_made_work_go_and_recent_ones_stay(lake: SmallLake) -> None:
    data = lake.platform.data
    for folder in (data.logs, data.telemetry, data.temporary / "engine-1"):
        folder.mkdir(parents=True)
    log, facts, spilled = data.logs / "a.log", data.telemetry / "a.jsonl", data.temporary / "engine-1" / "s"
    for file in (log, facts, spilled):
        file.write_text("x")
    now = datetime.fromtimestamp(log.stat().st_mtime, tz=lake.platform.clock.real.tzinfo)
    lake.platform.clock.real = now + timedelta(hours=2)
    assert clean(lake).swept == 0
    lake.platform.clock.real = now + timedelta(days=29)
    assert clean(lake).swept == 1, "only half-made work"
    assert log.exists()
    lake.platform.clock.real = now + timedelta(days=31)
    assert clean(lake).swept == 2
    assert [file for file in (log, facts, spilled) if file.exists()] == []


def hold(lake: SmallLake, name: str, since: date | None, until: date | None) -> LegalHold:
    record = LegalHold(
        name=name, mart="m", since=since, until=until, reason="r", by="t", at=lake.platform.clock.wall()
    )
    lake.platform.ledger.add_legal_hold(record)
    return record


class Histories(RuleBasedStateMachine):
    """Any history of builds, publications, holds and readers: a vacuum leaves exactly what is needed."""

    def __init__(self) -> None:
        super().__init__()
        self.temporary = tempfile.TemporaryDirectory()
        self.lake = SmallLake(Path(self.temporary.name))
        self.logic = {"canonical.c": 1, "m.fact": 1}
        self.versions: list[tuple[datetime, Version, Version | None]] = []  # with what it was made from
        self.publications: list[tuple[Publication, list[Version]]] = []
        self.read: list[Version] = []
        self.ended: list[Version] = []
        self.pieces: list[DataFile] = []
        self.holds: list[tuple[LegalHold, list[Version]]] = []

    def teardown(self) -> None:
        self.temporary.cleanup()

    @initialize()
    def first(self) -> None:
        self.build_canonical({0, 1})
        self.build_fact({0, 1})
        self.publish()

    # What happens

    @rule(days=st.sets(st.integers(0, 3), min_size=1, max_size=3))
    def build_canonical(self, days: set[int]) -> None:
        table = self.table("canonical.c")
        self.remember(self.lake.build(table, map(day, days)), None)

    @rule(days=st.sets(st.integers(0, 3), min_size=1, max_size=3))
    def build_fact(self, days: set[int]) -> None:
        read = self.newest("canonical.c")
        built = self.lake.build(self.table("m.fact"), map(day, days), {"canonical.c": read} if read else None)
        self.remember(built, read)

    @rule(table=st.sampled_from(["canonical.c", "m.fact"]))
    def change_logic(self, table: str) -> None:
        self.logic[table] += 1

    @rule(table=st.sampled_from(["canonical.c", "m.fact"]))
    def change_logic_back(self, table: str) -> None:
        self.logic[table] = max(1, self.logic[table] - 1)

    @rule(state=st.sampled_from(["live", "live", "live", "shadow"]), with_view=st.booleans())
    def publish(self, state: str = "live", with_view: bool = False) -> None:
        fact, canonical = self.newest("m.fact"), self.newest("canonical.c")
        if fact is None:
            return
        shown, held = [fact], [fact]
        if with_view and canonical is not None:
            shown.append(self.lake.view("m.view", "v", {"canonical.c": canonical}))
            held.append(canonical)
        self.publications.append((self.lake.publish(shown, state), held))

    @rule(back=st.integers(0, 2))
    def roll_back(self, back: int) -> None:
        kept = list(self.kept_publications(within=timedelta(days=7)))
        live = [versions for publication, versions in kept if publication.state == "live"]
        if len(live) > back:
            versions = [version for version in live[back] if version.table == "m.fact"]
            self.publications.append((self.lake.publish(versions), versions))

    @rule()
    def drop_shadows(self) -> None:
        for n, (publication, versions) in enumerate(self.publications):
            if publication.state == "shadow":
                self.lake.platform.ledger.set_state("m", publication.number, "dropped")
                dropped = publication.model_copy(update={"state": "dropped"})
                self.publications[n] = (dropped, versions)

    @rule(alive=st.booleans(), as_run=st.booleans(), which=st.integers(0, 20))
    def read_a_version(self, alive: bool, as_run: bool, which: int) -> None:
        there = [version for _, version, _ in self.versions if self.is_there(version)]
        version, holder = there[which % len(there)], this_process() if alive else DEAD
        if as_run and alive:
            self.lake.begin_run([version], holder)
        elif not as_run:
            self.lake.begin_reading(version, holder)
        if alive:
            self.read.append(version)

    @rule()
    def all_readers_end(self) -> None:
        ledger = self.lake.platform.ledger
        for reading in ledger.readings():
            ledger.end_reading(reading.id)
        for run in ledger.runs():
            if run.outcome == "running":
                ledger.end_run(run.id, "succeeded", self.now)
        self.read.clear()

    @rule(first=st.integers(0, 3), length=st.integers(0, 2), whole=st.booleans())
    def set_a_legal_hold(self, first: int, length: int, whole: bool) -> None:
        since = None if whole else date(2017, 1, 1 + first)
        until = None if whole else date(2017, 1, 1 + first + length)
        record = hold(self.lake, uuid4().hex, since, until)
        live = [versions for publication, versions in self.publications if publication.state == "live"]
        self.holds.append((record, live[-1] if live else []))

    @precondition(lambda self: self.holds)
    @rule()
    def release_a_legal_hold(self) -> None:
        record, _ = self.holds.pop(0)
        self.lake.platform.ledger.release_legal_hold(record.name)

    @rule(table=st.sampled_from(["canonical.c", "m.fact"]))
    def kill_a_writer(self, table: str) -> None:
        self.lake.file(self.table(table), day(0))

    @rule(state=st.sampled_from(["running", "failed", "done", "cancelled"]))
    def backfill(self, state: str) -> None:
        piece = self.lake.backfill(self.table("m.fact"), state)
        if state in ("running", "failed"):
            self.pieces.append(piece)

    @rule(hours=st.sampled_from([1, 2, 30, 24 * 8]))
    def time_passes(self, hours: int) -> None:
        self.lake.platform.clock.tick(hours=hours, seconds=1)

    # What must be true

    @rule()
    def vacuum(self) -> None:
        before = self.lake.on_disk()
        needed = self.needed()
        vacuum(self.lake.platform, self.plan, "vacuum")
        assert needed - self.lake.on_disk() == set(), "what somebody needs was removed"
        assert self.lake.on_disk() - needed == set(), "what nobody needs was left"
        assert self.lake.on_disk() <= before
        self.versions = [
            (at, version, read if read and self.is_there(read) else None)
            for at, version, read in self.versions
            if self.is_there(version)
        ]

    def is_there(self, version: Version) -> bool:
        return paths(version) <= self.lake.on_disk()

    def needed(self) -> set[str]:
        """Return the files that must stay, by this history alone."""
        whole = [version for _, versions in self.kept_publications(timedelta(days=7)) for version in versions]
        whole += self.read
        newest: dict[tuple[str, str], tuple[datetime, Version, Version | None]] = {}
        for entry in self.versions:
            newest[entry[1].table, entry[1].fingerprint] = entry
        whole += self.newest_until_just_now()
        for table, number in self.logic.items():
            if (table, f"f{number}") in newest:
                _, built, read = newest[table, f"f{number}"]
                whole += [version for version in (built, read) if version is not None]
        files = {path for version in whole for path in paths(version)} | {piece.path for piece in self.pieces}
        files |= {path for record, versions in self.holds for path in self.held(record, versions)}
        tables = {tuple(path.split("/")[1:4]) for path in files}
        for (table, fingerprint), (at, version, _) in newest.items():
            recent = self.now - at < timedelta(days=7)
            if recent or (*table.split("."), fingerprint) in tables:
                files |= paths(version)
        return files

    def newest_until_just_now(self) -> Iterator[Version]:
        """Yield the versions that were the newest of their logic at some moment of the last hour."""
        then = self.now - timedelta(hours=1)
        before: dict[tuple[str, str], Version] = {}
        for at, version, _ in self.versions:
            if at > then:
                yield version
            elif version.fingerprint == f"f{self.logic[version.table]}":
                before[version.table, version.fingerprint] = version
        yield from before.values()

    def kept_publications(self, within: timedelta) -> Iterator[tuple[Publication, list[Version]]]:
        """Yield shadows, the newest three that were live, and those that were live lately; newest first."""
        live = [entry for entry in reversed(self.publications) if entry[0].state == "live"]
        for n, entry in enumerate(live):
            if n < 3 or self.now - live[n - 1][0].at <= within:
                yield entry
        yield from (entry for entry in self.publications if entry[0].state == "shadow")

    @staticmethod
    def held(record: LegalHold, versions: list[Version]) -> Iterator[str]:
        for version in versions:
            for file in version.files:
                on = date.fromisoformat(file.intervals[0])
                is_view_input = version.table == "canonical.c"
                started = record.since is None or record.since <= on
                if is_view_input or (started and (record.until is None or on <= record.until)):
                    yield file.path

    @property
    def now(self) -> datetime:
        return self.lake.platform.clock.wall()

    @property
    def plan(self) -> Plan:
        return plan_with(self.table("canonical.c"), self.table("m.fact"))

    def table(self, name: str) -> PlannedTable:
        return incremental(name, f"f{self.logic[name]}")

    def newest(self, name: str) -> Version | None:
        found = self.lake.platform.ledger.latest_build(name, f"f{self.logic[name]}")
        return self.lake.version(found) if found else None

    def remember(self, version: Version, read: Version | None) -> None:
        self.versions.append((self.now, version, read))


Histories.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestHistories = Histories.TestCase
