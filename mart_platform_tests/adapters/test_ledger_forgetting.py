"""A ledger that forgets still answers whatever is asked of what it was to keep."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mart_platform.adapters.ledger import open_ledger
from mart_platform.ports import Ledger
from mart_platform.spec.records import (
    Build,
    Event,
    Publication,
    PublishedTable,
    VersionName,
    ViewText,
)
from mart_platform_tests.adapters.ledger_records import (
    NOON,
    TABLE,
    a_backfill,
    a_batch,
    a_build,
    a_publication,
    a_reading,
    a_run,
    a_verdict,
    a_version,
)
from mart_platform_tests.fakes import MemoryLedger

DAY = timedelta(days=1)


def build(ledger: Ledger, run: str, version: str, day: int, **but: Any) -> Build:
    """Let a run of a day read all there is, build a version and end."""
    built = a_build(version, run=run, at=NOON + day * DAY, **but)
    newest = ledger.latest_builds().values()
    ledger.begin_run(a_run(run), {each.table: each for each in newest})
    ledger.record_build(built, a_version(built))
    ledger.end_run(run, "succeeded", NOON + day * DAY)
    return built


def name_of(build: Build) -> VersionName:
    return VersionName(fingerprint=build.fingerprint, version=build.version)


class TestEveryLedger:
    def test_forgets_ended_runs_with_their_pins_and_versions(self, ledger: Ledger) -> None:
        builds = [build(ledger, f"run-{day}", f"v{day}", day) for day in range(4)]
        assert ledger.forget(NOON + 2 * DAY, []) == 2 * len(["run", "its pin", "build", "version"])
        assert [run.id for run in ledger.runs()] == ["run-3", "run-2"]
        assert ledger.pins("run-1") == {}
        assert ledger.builds(TABLE) == builds[:1:-1]
        assert [version.id for version in ledger.versions(TABLE)] == ["v2", "v3"]

    def test_keeps_runs_that_have_not_ended(self, ledger: Ledger) -> None:
        ledger.begin_run(a_run("run-0"), {TABLE: a_build("v0")})
        assert ledger.forget(NOON + 9 * DAY, []) == 0
        assert ledger.pins("run-0") == {TABLE: a_build("v0")}

    @pytest.mark.parametrize("state", ["live", "shadow"])
    def test_keeps_what_a_publication_was_made_of(self, ledger: Ledger, state: Any) -> None:
        builds = [build(ledger, f"run-{day}", f"v{day}", day) for day in range(4)]
        ledger.publish(a_publication(1, state=state).model_copy(update={"run": "run-1"}))
        ledger.forget(NOON + 9 * DAY, [])
        assert ledger.pins("run-1") == {TABLE: builds[1]}
        assert [version.id for version in ledger.versions(TABLE)] == ["v1", "v3"]

    def test_keeps_the_versions_of_a_publication_whatever_its_run_has_read(self, ledger: Ledger) -> None:
        for day in range(4):
            build(ledger, f"run-{day}", f"v{day}", day)
        ledger.publish(a_publication(1).model_copy(update={"run": "rollback"}))
        ledger.forget(NOON + 9 * DAY, [])
        assert [version.id for version in ledger.versions(TABLE)] == ["v1", "v3"]

    def test_forgets_what_a_dropped_publication_was_made_of_but_not_that_it_was(self, ledger: Ledger) -> None:
        for day in range(4):
            build(ledger, f"run-{day}", f"v{day}", day)
        ledger.publish(a_publication(1).model_copy(update={"run": "run-1"}))
        ledger.publish(a_publication(2).model_copy(update={"run": "run-3", "tables": {}}))
        ledger.set_state("sales", 1, "dropped")
        ledger.forget(NOON + 9 * DAY, [])
        assert ledger.pins("run-1") == {}
        assert [each.number for each in ledger.publications("sales")] == [2, 1]
        assert [version.id for version in ledger.versions(TABLE)] == ["v3"]

    def test_keeps_the_run_of_a_backfill_that_runs_or_may_be_resumed(self, ledger: Ledger) -> None:
        for day in range(4):
            build(ledger, f"run-{day}", f"v{day}", day)
        for backfill in (a_backfill(), a_backfill(state="failed")):
            ledger.record_backfill(backfill)
            ledger.forget(NOON + 9 * DAY, [])
            assert ledger.run("run-1") is not None
        ledger.record_backfill(a_backfill(state="done"))
        ledger.forget(NOON + 9 * DAY, [])
        assert ledger.run("run-1") is None

    def test_keeps_what_it_is_told_to_and_what_a_query_reads(self, ledger: Ledger) -> None:
        builds = [build(ledger, f"run-{day}", f"v{day}", day) for day in range(5)]
        ledger.begin_reading(a_reading())  # of v1
        ledger.forget(NOON + 9 * DAY, [name_of(builds[2])])
        assert [version.id for version in ledger.versions(TABLE)] == ["v1", "v2", "v4"]
        assert [each.version for each in ledger.builds(TABLE)] == ["v4", "v2", "v1"]

    def test_keeps_what_was_the_newest_at_the_moment_up_to_which_it_forgets(self, ledger: Ledger) -> None:
        for day in range(0, 9, 3):
            build(ledger, f"run-{day}", f"v{day}", day)
        before = NOON + 5 * DAY
        asked = [before + n * DAY for n in range(9)]
        told = [ledger.builds_at(moment) for moment in asked]
        ledger.forget(before, [])
        assert [ledger.builds_at(moment) for moment in asked] == told
        assert ledger.builds_at(NOON + DAY) == {}

    def test_keeps_the_versions_that_the_newest_builds_have_read(self, ledger: Ledger) -> None:
        inputs = [build(ledger, f"run-{day}", f"v{day}", day) for day in range(3)]
        build(
            ledger, "other", "v1", 3, table="sales.fact", fingerprint="f2", read={TABLE: name_of(inputs[0])}
        )
        ledger.forget(NOON + 9 * DAY, [])
        assert ledger.version(TABLE, "f1", "v0").id == "v0"
        with pytest.raises(LookupError):
            ledger.version(TABLE, "f1", "v1")

    def test_keeps_what_a_kept_view_is_made_of(self, ledger: Ledger) -> None:
        inputs = [build(ledger, f"run-{day}", f"v{day}", day) for day in range(3)]
        for number in (0, 1):
            built = a_build(f"w{number}", table="sales.view", fingerprint="f2", run="run-0")
            view = ViewText(sql="SELECT 1", reads={TABLE: name_of(inputs[number])})
            version = a_version(built).model_copy(update={"view": view, "files": ()})
            ledger.record_build(built, version)
        ledger.forget(NOON + 9 * DAY, [])
        assert [version.id for version in ledger.versions("sales.view")] == ["w1"]
        assert [version.id for version in ledger.versions(TABLE)] == ["v1", "v2"]

    def test_forgets_verdicts_on_contents_that_nothing_holds(self, ledger: Ledger) -> None:
        kept = build(ledger, "run-0", "v0", 0)
        held = a_verdict("k1", content=kept.content)
        last = a_verdict("k2", content="refused")
        recent = a_verdict("k1", content="c9", at=NOON + 2 * DAY)
        ledger.record_verdicts([held, a_verdict("k1", content="c2"), a_verdict("k2"), last, recent])
        assert ledger.forget(NOON + DAY, [name_of(kept)]) == 1 + 1 + 2  # with the run and its pin
        assert ledger.verdicts(TABLE, kept.content) == {"k1": held}
        assert ledger.verdicts(TABLE, "c1") == ledger.verdicts(TABLE, "c2") == {}
        assert ledger.last_verdicts(TABLE) == {"k1": recent, "k2": last}

    def test_forgets_more_than_one_transaction_takes(self, ledger: Ledger) -> None:
        ledger.record_verdicts([a_verdict(content=f"c{number}") for number in range(1201)])
        assert ledger.forget(NOON + DAY, []) == 1200
        assert ledger.forget(NOON + DAY, []) == 0

    def test_forgets_events(self, ledger: Ledger) -> None:
        for number in range(3):
            ledger.add_event(Event(at=NOON + number * DAY, kind="k", subject=f"{number}"))
        assert ledger.forget(NOON + DAY, []) == 1
        assert [event.subject for event in ledger.events()] == ["2", "1"]

    def test_forgets_a_physical_table_as_if_it_had_never_been(self, ledger: Ledger) -> None:
        for fingerprint in ("f1", "f2"):
            built = a_build(fingerprint=fingerprint, run=fingerprint, rebuilt=("2026-11-01",))
            ledger.record_build(built, a_version(built))
            ledger.add_batch(a_batch(fingerprint=fingerprint).model_copy(update={"table": TABLE}))
        ledger.forget_table(TABLE, "f1")
        assert list(ledger.latest_builds()) == [(TABLE, "f2")]
        assert [version.fingerprint for version in ledger.versions(TABLE)] == ["f2"]
        assert [batch.fingerprint for batch in ledger.batches(TABLE)] == ["f2"]
        assert (list(ledger.intervals(TABLE, "f1")), list(ledger.intervals(TABLE, "f2"))) == (
            [],
            ["2026-11-01"],
        )
        ledger.forget_table(TABLE, "f1")
        again = build(ledger, "run-9", "v1", 1)
        assert ledger.latest_build(TABLE, "f1") == again


# Any history

TABLES = {"canonical.a": "fa", "sales.b": "fb", "sales.view": "fv"}


@dataclass(frozen=True)
class Day:
    """What happens on a day: a run builds a table, and may stay open, publish, drop, leave a query behind."""

    table: str
    version: int
    stays_open: bool
    publishes: bool
    shadow: bool
    drops: int
    reads: bool
    checks: bool


def seldom(one_in: int) -> st.SearchStrategy[bool]:
    return st.integers(1, one_in).map(lambda drawn: drawn == one_in)


days = st.builds(
    Day,
    table=st.sampled_from(list(TABLES)),
    version=st.integers(0, 9),
    stays_open=seldom(12),
    publishes=seldom(4),
    shadow=seldom(3),
    drops=st.integers(0, 4),
    reads=seldom(8),
    checks=st.booleans(),
)


def live_through(ledger: Ledger, history: list[Day]) -> None:
    for number, day in enumerate(history):
        run, at = f"run-{number}", NOON + number * DAY
        newest = {each.table: each for each in ledger.latest_builds().values()}
        ledger.begin_run(a_run(run), newest)
        inputs = {name: name_of(each) for name, each in newest.items() if name < day.table}
        built = a_build(
            f"v{day.version}", table=day.table, fingerprint=TABLES[day.table], run=run, at=at, read=inputs
        )
        version = a_version(built)
        if day.table == "sales.view":
            version = version.model_copy(update={"view": ViewText(sql="SELECT 1", reads=inputs), "files": ()})
        ledger.record_build(built, version)
        ledger.add_event(Event(at=at, kind="built", subject=day.table))
        if day.checks:
            ledger.record_verdicts([a_verdict(content=built.content, table=day.table, at=at)])
        if day.publishes:
            publish(ledger, run, shadow=day.shadow)
        if day.reads:
            ledger.begin_reading(a_reading(run).model_copy(update={"tables": {day.table: name_of(built)}}))
        live = ledger.live("sales")
        for publication in ledger.publications("sales"):
            if publication.number == day.drops and publication != live:
                ledger.set_state("sales", day.drops, "dropped")
        if not day.stays_open:
            ledger.end_run(run, "succeeded", at)


def publish(ledger: Ledger, run: str, *, shadow: bool) -> None:
    tables = {
        name: PublishedTable(fingerprint=each.fingerprint, version=each.version, content=each.content)
        for name, each in ledger.pins(run).items()
    }
    number = next((each.number for each in ledger.publications("sales", limit=1)), 0) + 1
    ledger.publish(
        a_publication(number, state="shadow" if shadow else "live").model_copy(
            update={"run": run, "tables": tables}
        )
    )


def told(ledger: Ledger) -> Mapping[str, Any]:
    """Return all that can be asked of a ledger."""
    return {
        "runs": ledger.runs(limit=1000),
        "pins": [ledger.pins(f"run-{number}") for number in range(30)],
        "builds": [ledger.builds(table, limit=1000) for table in TABLES],
        "versions": [ledger.versions(table) for table in TABLES],
        "verdicts": [ledger.verdicts(table, f"content of v{n}") for table in TABLES for n in range(5)],
        "events": ledger.events(limit=1000),
        "publications": ledger.publications("sales"),
    }


def to_keep(ledger: Ledger, before: datetime, kept: set[VersionName]) -> Mapping[str, Any]:
    """Return what a ledger must be able to tell after it has forgotten what was before a moment."""
    published = [each for each in ledger.publications("sales") if each.state != "dropped"]
    newest = ledger.latest_builds()
    unended = [run.id for run in ledger.runs(limit=1000) if run.ended_at is None]
    names = kept | {name_of(each) for each in newest.values()}
    names |= {read for each in newest.values() for read in each.read.values()}
    names |= {name_of(each) for run in unended for each in ledger.pins(run).values()}
    names |= {name for reading in ledger.readings() for name in reading.tables.values()}
    names |= {
        VersionName(fingerprint=each.fingerprint, version=each.version)
        for publication in published
        for each in publication.tables.values()
    }
    versions = {name: version_of(ledger, name) for name in names}
    below = [read for each in versions.values() if each.view for read in each.view.reads.values()]
    return {
        "live": ledger.live("sales"),
        "publications": ledger.publications("sales"),
        "builds of publications": [builds_of(ledger, each) for each in published],
        "pins": {run: ledger.pins(run) for run in unended},
        "latest builds": newest,
        "builds at": [ledger.builds_at(before + day * DAY) for day in range(20)],
        "last verdicts": [ledger.last_verdicts(table) for table in TABLES],
        "versions": versions,
        "below views": [version_of(ledger, name) for name in below],
    }


def builds_of(ledger: Ledger, publication: Publication) -> Mapping[str, Build]:
    return ledger.pins(publication.run, publication.tables)


def version_of(ledger: Ledger, name: VersionName) -> Any:
    table = next(table for table, fingerprint in TABLES.items() if fingerprint == name.fingerprint)
    return ledger.version(table, name.fingerprint, name.version)


@settings(max_examples=25, deadline=None)
@given(history=st.lists(days, min_size=4, max_size=14), moment=st.integers(1, 14), data=st.data())
def test_whatever_was_forgotten_what_is_kept_answers_as_before(
    history: list[Day], moment: int, data: st.DataObject
) -> None:
    """SQL and the plain words of the fake forget the same, and nothing that is referred to."""
    with TemporaryDirectory() as folder, closing(open_ledger(Path(folder) / "l.sqlite")) as ledger:
        fake = MemoryLedger()
        for each in (ledger, fake):
            live_through(each, history)
        assert told(ledger) == told(fake)
        known = [name_of(each) for table in TABLES for each in ledger.builds(table, limit=1000)]
        kept = set(data.draw(st.lists(st.sampled_from(known), max_size=3)))
        before = NOON + (moment - 0.5) * DAY
        answered = to_keep(ledger, before, kept)
        forgotten = ledger.forget(before, kept)
        assert to_keep(ledger, before, kept) == answered
        assert forgotten == fake.forget(before, kept)
        assert told(ledger) == told(fake)
        assert ledger.forget(before, kept) == 0
