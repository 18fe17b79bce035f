"""One table in one run: landed, or decided, written, checked, committed and recorded, in this order."""

import json
import time
from collections.abc import Iterable, Mapping

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import Commit, CommitConflict, EngineSession, Platform, Relation
from mart_platform.runs.deciding import Decision, Pins, decide, judged_content, roots_of, watermark_of
from mart_platform.runs.leasing import holding
from mart_platform.runs.reporting import ChecksFailed, Outcome, TableReport
from mart_platform.runs.starting import is_behind, read_by
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Build, DataFile, Verdict, Version, digest_of
from mart_platform.spec.sources import HIDDEN_COLUMNS
from mart_platform.stages import building, checking

BUILD = "mart_platform.build"
VERSION = "mart_platform.version"


def build_table(platform: Platform, plan: Plan, run: str, name: str) -> TableReport:
    """Bring a canonical or mart table up to date with what the run reads.

    Raises ChecksFailed when a blocking check fails, UserError when an input was never built.
    """
    table, began = plan.tables[name], time.monotonic()
    pins = _pins_of(platform, plan, run, table)
    with holding(platform, f"table {name}", run):
        head = platform.lake.head(table.path)
        present = _present(platform, table, head)
        decision = decide(table, present, pins, platform.ledger)
        if present and decision.action != "skip" and is_behind(platform, run, present.run, present.roots):
            decision = Decision("skip", "a run that saw newer deliveries has built it")
        step = _Step(platform, plan, table, run, pins, decision, began)
        if present is None or decision.action == "build":
            return step.build(present, head.number if head else None)
        return step.keep(present)


def check_table(platform: Platform, plan: Plan, run: str, name: str) -> TableReport:
    """Judge the present build of a table again by all of its checks, and record the verdicts.

    The build itself stays as it is: what it consumed was read then, not now. Raises ChecksFailed when a
    blocking check fails, UserError when there is no build to judge.
    """
    table, began = plan.tables[name], time.monotonic()
    present = platform.ledger.latest_build(name, table.fingerprint)
    if present is None:
        raise UserError(f"{name} was never built; run `mart build {name}` first.")
    pins = _pins_of(platform, plan, run, table)
    step = _Step(platform, plan, table, run, pins, Decision("check", "asked for"), began)
    return step.judge(present)


def relation(platform: Platform, build: Build, *, hidden: bool = False) -> Relation:
    """Return a build of a table as a relation; ``hidden`` shows the columns that landing added."""
    version = platform.ledger.version(build.table, build.fingerprint, build.version)
    return relation_of(platform, version, hidden=hidden)


def relation_of(platform: Platform, version: Version, *, hidden: bool = False) -> Relation:
    """Return a version of a table as a relation, with the columns that it was written with."""
    return _relation(
        platform, version.table, {**version.columns, **(HIDDEN_COLUMNS if hidden else {})}, version.files
    )


def _relation(
    platform: Platform, name: str, columns: Mapping[str, str], files: Iterable[DataFile]
) -> Relation:
    return Relation(name, columns, tuple(platform.data.absolute(file.path) for file in files))


def inputs_of(platform: Platform, plan: Plan, table: PlannedTable, pins: Pins) -> list[Relation]:
    """Return what a table is made from and checked against, as its model sees it."""
    shown = table.model is not None and table.model.names_hidden
    return [
        relation(platform, pins[name], hidden=shown and plan.tables[name].layer == "landing")
        for name in table.after
    ]


class _Step:
    """The parts of one table's step, which share what the step knows."""

    def __init__(
        self,
        platform: Platform,
        plan: Plan,
        table: PlannedTable,
        run: str,
        pins: Pins,
        decision: Decision,
        began: float,
    ) -> None:
        self.platform, self.plan, self.table, self.run = platform, plan, table, run
        self.pins, self.decision, self.began = pins, decision, began

    def build(self, present: Build | None, base: int | None) -> TableReport:
        """Write a candidate, judge it, and commit it unless it holds the rows that are there already.

        ``base`` is the version of the lake that was seen under the lease. Raises CommitConflict when
        somebody else committed meanwhile, which happens when the lease ran out.
        """
        platform, table = self.platform, self.table
        platform.progress.begins(table.name, "build")
        with platform.engine.session(inputs_of(platform, self.plan, table, self.pins)) as session:
            files = building.write_candidate(platform, session, self.plan, table)
            try:
                session.define(_relation(platform, table.name, table.types, files))
                content, verdicts = self._judge(session)
            except BaseException:
                building.discard(platform, files)
                raise
        if present is not None and present.content == content:
            building.discard(platform, files)
            return self._record(self._version_of(present), "same rows", verdicts)
        return self._commit(files, content, base, verdicts)

    def keep(self, present: Build) -> TableReport:
        """Judge what is there where a verdict is missing, and move the pins where they stand elsewhere."""
        version = self._version_of(present)
        if self.decision.action == "skip":
            self.platform.ledger.pin(self.run, {self.table.name: present})
            if all(check.timeless for check in self.table.checks):
                return self._report(present, version, "skipped")
            return self.judge(present)  # what was fresh yesterday need not be so today
        if self.decision.action == "move":
            return self._record(version, "moved")
        return self._record(version, "checked", self._judged(version))

    def judge(self, present: Build) -> TableReport:
        """Judge what is there, and change nothing but the verdicts."""
        version = self._version_of(present)
        return self._report(present, version, "checked", self._judged(version))

    def _judged(self, version: Version) -> tuple[Verdict, ...]:
        relations = [relation_of(self.platform, version)]
        relations += inputs_of(self.platform, self.plan, self.table, self.pins)
        with self.platform.engine.session(relations) as session:
            return self._judge(session)[1]

    def _judge(self, session: EngineSession) -> tuple[str, tuple[Verdict, ...]]:
        """Run the checks on the table in the session, and record each verdict under what it is about.

        Returns the content of the table and the verdicts. Raises ChecksFailed when any of them blocks.
        """
        checks = self.table.checks
        read = {name for check in checks for name in check.reads}
        checked = checking.check(
            session,
            self.table,
            also_labelled=frozenset[str]().union(*(self.plan.tables[name].labelled for name in read)),
            business_now=self.platform.clock.now(),
            wall_now=self.platform.clock.wall(),
            run=self.run,
        )
        about = {c.fingerprint: judged_content(c, checked.content, self.pins) for c in checks}
        verdicts = tuple(v.model_copy(update={"content": about[v.fingerprint]}) for v in checked.verdicts)
        self.platform.ledger.record_verdicts(verdicts)
        if any(verdict.blocks for verdict in verdicts):
            raise ChecksFailed(self.table.name, verdicts)
        return checked.content, verdicts

    def _commit(
        self, files: tuple[DataFile, ...], content: str, base: int | None, verdicts: tuple[Verdict, ...]
    ) -> TableReport:
        """Commit the candidate with its own record in the log, so that a killed run can be taken up."""
        version = Version(
            table=self.table.name,
            fingerprint=self.table.fingerprint,
            id=digest_of(file.path for file in files),
            number=0 if base is None else base + 1,
            columns=self.table.types,
            files=tuple(file.committed() for file in files),
            content=content,
            created_at=self.platform.clock.wall(),
        )
        build = self._build_of(version)
        metadata = {BUILD: build.model_dump_json(), VERSION: version.model_dump_json()}
        try:
            building.commit_candidate(self.platform, self.table, files, base, metadata)
        except CommitConflict:
            building.discard(self.platform, files)
            raise
        self.platform.ledger.record_build(build, version)
        return self._report(build, version, "built", verdicts)

    def _record(self, version: Version, outcome: Outcome, verdicts: tuple[Verdict, ...] = ()) -> TableReport:
        build = self._build_of(version)
        self.platform.ledger.record_build(build, version)
        return self._report(build, version, outcome, verdicts)

    def _build_of(self, version: Version) -> Build:
        return Build(
            table=version.table,
            fingerprint=version.fingerprint,
            version=version.id,
            content=version.content,
            consumed={name: self.pins[name].content for name in self.table.inputs},
            roots=roots_of(self.table, self.pins),
            watermark=watermark_of(self.table, self.pins),
            run=self.run,
            reason=self.decision.reason,
            seconds=time.monotonic() - self.began,
            at=self.platform.clock.wall(),
        )

    def _version_of(self, build: Build) -> Version:
        return self.platform.ledger.version(build.table, build.fingerprint, build.version)

    def _report(
        self, build: Build, version: Version, outcome: Outcome, verdicts: tuple[Verdict, ...] = ()
    ) -> TableReport:
        seconds = time.monotonic() - self.began
        facts = {"table": self.table.name, "outcome": outcome, "rows": version.rows, "bytes": version.bytes}
        self.platform.telemetry.record("step", run=self.run, seconds=seconds, **facts)
        self.platform.progress.ends(self.table.name, outcome)
        return TableReport(
            table=self.table.name,
            outcome=outcome,
            reason=self.decision.reason,
            rows=version.rows,
            bytes=version.bytes,
            version=version.id,
            watermark=build.watermark,
            seconds=seconds,
            verdicts=verdicts,
        )


def _pins_of(platform: Platform, plan: Plan, run: str, table: PlannedTable) -> Pins:
    """Return what a run reads for a table. Raises UserError when any of it was never built."""
    pins = read_by(platform, plan, run, table.name)
    if missing := [name for name in table.after if name not in pins]:
        raise UserError(
            f"{table.name} reads {missing[0]}, which was never built; run `mart build` for it first."
        )
    return pins


def _present(platform: Platform, table: PlannedTable, head: Commit | None) -> Build | None:
    """Return the newest build; one that was committed by a run that was killed then is taken up.

    Raises UserError when the lake lacks what the ledger knows.
    """
    present = platform.ledger.latest_build(table.name, table.fingerprint)
    known = platform.ledger.version(table.name, table.fingerprint, present.version).number if present else -1
    found = head.number if head else -1
    if found < known:
        raise UserError(
            f"{table.name}: the ledger knows version {known}, and {platform.data.lake / table.path} does not "
            "hold it. Put the folder back from a backup, or start with an empty data folder."
        )
    if head and found > known and BUILD in head.metadata:
        present = Build.model_validate(json.loads(head.metadata[BUILD]))
        version = Version.model_validate(json.loads(head.metadata[VERSION]))
        platform.ledger.record_build(present, version)
    return present
