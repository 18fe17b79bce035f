"""Keeping: which versions, and which files, somebody still needs. All others may go.

What is kept: publications that are live, among the newest or recent, or shadows; the newest build of every
table of the plan, and what it was made from, since the next change is found by comparing with that; that of
another logic while it is recent, for somebody may be working on it; what a run, a query or a backfill reads
or has written; what was the newest until a moment ago, for whoever is about to begin; all that was landed;
and the rows under a legal hold as they were live when it was set.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.spec.records import (
    Build,
    LegalHold,
    Publication,
    Reading,
    Version,
    VersionName,
)
from mart_platform.spec.settings import MaintenanceSettings
from mart_platform.spec.words import timedelta_of
from mart_platform.stages.maintaining.retiring import grain_of, is_held

ABOUT_TO_BEGIN = timedelta(hours=1)
"""How long a version stays after another took its place: a run or a query may have looked just before."""

_IN_AN_HOUR = 1_000

Physical = tuple[str, str]
"""A physical table: its name and its fingerprint."""


@dataclass
class Kept:
    """What must stay: versions by their names, physical tables of which anything is needed, and files.

    Of ``unclear`` physical tables nothing is removed: a version of them is needed that the ledger does not
    know, or they hold batches that are landed nowhere else.
    """

    versions: set[VersionName] = field(default_factory=set)
    tables: set[Physical] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    unclear: set[Physical] = field(default_factory=set)


def kept(platform: Platform, plan: Plan, runs: Iterable[str], readings: Iterable[Reading]) -> Kept:
    """Return all that must stay, given the runs and the queries that are under way."""
    keeping = _Keeping(platform, plan)
    keeping.publications()
    keeping.rows_under_legal_hold()
    keeping.what_is_read(readings)
    keeping.runs_and_backfills(runs)
    keeping.newest_builds()
    keeping.what_the_logs_list()
    keeping.what_was_landed()
    return keeping.kept


def kept_publications(
    history: Iterable[Publication], settings: MaintenanceSettings, now: datetime
) -> list[Publication]:
    """Return those of a mart's publications, newest first, whose files stay; shadows stay until they go."""
    kept, live_until, count = list[Publication](), None, 0
    for publication in history:
        if publication.state == "shadow":
            kept.append(publication)
        if publication.state != "live":
            continue
        recent = live_until is None or now - live_until <= timedelta_of(settings.keep_for)
        if recent or count < settings.keep_publications:
            kept.append(publication)
        live_until, count = publication.at, count + 1
    return kept


def marts_known(plan: Plan, newest: Iterable[Physical]) -> set[str]:
    """Return the marts that may have publications: those of the plan, and those that were in one before."""
    return {*plan.marts, *(table.split(".", 1)[0] for table, _ in newest)}


def live_when_set(hold: LegalHold, history: Iterable[Publication]) -> Publication | None:
    """Return the publication that was live when a legal hold was set."""
    return next((p for p in history if p.state == "live" and p.at <= hold.at), None)


class _Keeping:
    """Collects what must stay, one reason after the other."""

    def __init__(self, platform: Platform, plan: Plan) -> None:
        self.kept, self._whole = Kept(), set[tuple[str, VersionName]]()
        self._platform, self._plan, self._ledger = platform, plan, platform.ledger
        self._now, self._settings = platform.clock.wall(), plan.settings.maintenance
        self._newest = platform.ledger.latest_builds()

    def publications(self) -> None:
        """Keep publications that readers have, may go back to, or compare with."""
        for mart in marts_known(self._plan, self._newest):
            history = self._ledger.publications(mart)
            for publication in kept_publications(history, self._settings, self._now):
                for table, published in publication.tables.items():
                    self._version(table, published.version_name)

    def rows_under_legal_hold(self) -> None:
        """Keep the files that may hold rows under a legal hold; of a view, all that it reads."""
        for hold in self._ledger.legal_holds():
            live = live_when_set(hold, self._ledger.publications(hold.mart))
            for table, published in live.tables.items() if live else ():
                if hold.table in (None, table):
                    self._part(hold, table, published.version_name)

    def what_is_read(self, readings: Iterable[Reading]) -> None:
        """Keep what queries read that are under way."""
        for reading in readings:
            for table, name in reading.tables.items():
                self._version(table, name)

    def runs_and_backfills(self, runs: Iterable[str]) -> None:
        """Keep what runs read, and what backfills read and have written; one that failed may be resumed."""
        open_ones = [b for b in self._ledger.backfills(limit=None) if b.state in ("running", "failed")]
        for run in {*runs, *(backfill.pins for backfill in open_ones)}:
            self._builds(self._ledger.pins(run).values())
        for backfill in open_ones:
            for piece in self._ledger.pieces(backfill.id):
                self._files((piece.table, piece.fingerprint), (file.path for file in piece.files))

    def newest_builds(self) -> None:
        """Keep the newest builds, with what they were made from, and those that were the newest just now."""
        then = self._now - ABOUT_TO_BEGIN
        were_newest = self._ledger.builds_at(then)
        self._builds(build for physical, build in were_newest.items() if self._is_planned(physical))
        for table in {table for table, _ in self._newest}:
            self._builds(b for b in self._ledger.builds(table, limit=_IN_AN_HOUR) if b.at > then)
        recently = self._now - timedelta_of(self._settings.keep_for)
        for physical, build in self._newest.items():
            if self._is_planned(physical):
                self._builds([build])
                self._read(build)
            elif physical in self.kept.tables or build.at > recently:
                self._builds([build])  # from which work goes on, should that logic come back

    def what_the_logs_list(self) -> None:
        """Keep what the newest entry of a log lists: its run may have been killed before it was recorded."""
        for table in self._plan.tables.values():
            head = self._platform.lake.head(table.path) if table.kind != "view" else None
            if head is not None:
                listed = self._platform.lake.files(table.path, head.number)
                self._files((table.name, table.fingerprint), listed)

    def what_was_landed(self) -> None:
        """Keep batches that were landed by a former contract, until the present one has landed them all."""
        for table, fingerprint in self._newest:
            if self._is_planned((table, fingerprint)):
                continue
            landed = self._batches(table, fingerprint)
            planned = self._plan.tables.get(table)
            if landed and not (planned and self._batches(table, planned.fingerprint) >= landed):
                self.kept.unclear.add((table, fingerprint))

    def _batches(self, table: str, fingerprint: str) -> set[str]:
        return {batch.id for batch in self._ledger.batches(table, fingerprint)}

    def _is_planned(self, physical: Physical) -> bool:
        planned = self._plan.tables.get(physical[0])
        return planned is not None and planned.fingerprint == physical[1]

    def _builds(self, builds: Iterable[Build]) -> None:
        for build in builds:
            self._version(build.table, build.version_name)

    def _read(self, build: Build) -> None:
        for table, name in build.read.items():
            self._version(table, name)

    def _version(self, table: str, name: VersionName) -> None:
        """Keep a version; of a view, the versions that it reads."""
        if (table, name) in self._whole:
            return
        self._whole.add((table, name))
        version = self._found(table, name)
        if version is None:
            return
        self._files((table, name.fingerprint), (file.path for file in version.files))
        for read, read_as in version.view.reads.items() if version.view else ():
            self._version(read, read_as)

    def _part(self, hold: LegalHold, table: str, name: VersionName) -> None:
        """Keep those files of a version that may hold rows under a legal hold."""
        version = self._found(table, name)
        if version is None:
            return
        if version.view is not None:
            self._version(table, name)
            return
        grain = grain_of(self._plan.tables.get(table))
        held = (f for f in version.files if any(is_held(hold, key, grain) for key in f.intervals or ("",)))
        self._files((table, name.fingerprint), (file.path for file in held))

    def _files(self, physical: Physical, files: Iterable[str]) -> None:
        self.kept.tables.add(physical)
        self.kept.files.update(files)

    def _found(self, table: str, name: VersionName) -> Version | None:
        """Return a version, and let the ledger remember it."""
        self.kept.versions.add(name)
        try:
            return self._ledger.version(table, name.fingerprint, name.version)
        except LookupError:
            self.kept.unclear.add((table, name.fingerprint))
            return None
