"""One table in one run: decided, written, checked, committed and recorded, in this order."""

import time
from collections.abc import Collection, Sequence

from mart_platform.planning.plan import CHANGED_ROWS, Plan, PlannedTable
from mart_platform.ports import CommitConflict, EngineSession, Platform
from mart_platform.runs.candidates import Candidate
from mart_platform.runs.changes import Work, has_gaps, owed, work_of
from mart_platform.runs.committing import adopt, commit
from mart_platform.runs.deciding import (
    NOT_ALL_THERE,
    Decision,
    decide,
    judged_content,
    roots_of,
    unjudged_checks,
    verdicts_on,
    watermark_of,
)
from mart_platform.runs.leasing import holding, is_alive
from mart_platform.runs.relations import (
    Pins,
    input_of,
    inputs_of,
    of_files,
    relation_of,
    version_of,
)
from mart_platform.runs.reporting import ChecksFailed, Outcome, TableReport
from mart_platform.runs.restating import restated
from mart_platform.runs.restricting import restricted_input
from mart_platform.runs.starting import is_behind, read_by
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import (
    Build,
    Cause,
    DataFile,
    Lease,
    Verdict,
    Version,
    ViewText,
    digest_of,
)
from mart_platform.stages import building, checking
from mart_platform.stages.checking import Checked, Standing


def build_table(platform: Platform, plan: Plan, run: str, name: str) -> TableReport:
    """Bring a canonical or mart table up to date with what the run reads.

    Only the intervals are built again that what changed in the inputs reaches. Raises ChecksFailed when a
    blocking check fails, UserError when an input was never built.
    """
    table, began = plan.tables[name], time.monotonic()
    pins = pins_of(platform, plan, run, table)
    with holding(platform, f"table {name}", run) as lease:
        present, number = newest(platform, table)
        decision = decide(table, present, pins, platform.ledger)
        if present and decision.action != "build" and has_gaps(platform, table, present):
            decision = Decision("build", NOT_ALL_THERE)
        if present and decision.action != "skip" and is_behind(platform, run, present.run, present.roots):
            decision = Decision("skip", "a run that saw newer deliveries has built it")
        step = TableStep(platform, plan, table, run, pins, decision.reason, began)
        if present is None:
            _refuse_while_backfilled(platform, table)
        if present is None or decision.action == "build":
            return step.build(present, number, lease)
        return step.keep(present, decision)


def check_table(platform: Platform, plan: Plan, run: str, name: str) -> TableReport:
    """Judge the present build of a table again by all of its checks, and record the verdicts.

    The build itself stays as it is: what it consumed was read then, not now. Raises ChecksFailed when a
    blocking check fails, UserError when there is no build to judge.
    """
    table, began = plan.tables[name], time.monotonic()
    present = platform.ledger.latest_build(name, table.fingerprint)
    if present is None:
        raise UserError(f"{name} was never built; run `mart build {name}` first.")
    pins = pins_of(platform, plan, run, table)
    return TableStep(platform, plan, table, run, pins, "asked for", began).judge(present)


def newest(platform: Platform, table: PlannedTable) -> tuple[Build | None, int]:
    """Return the newest build of a table, and the number that its next version gets in the lake."""
    if table.kind == "view":
        return platform.ledger.latest_build(table.name, table.fingerprint), 0
    head = platform.lake.head(table.path)
    return adopt(platform, table, head), head.number + 1 if head else 0


def _refuse_while_backfilled(platform: Platform, table: PlannedTable) -> None:
    """Leave the first build of a table to the backfill that is at work on it."""
    for work in platform.ledger.backfills():
        if work.state == "running" and table.name in work.owed and is_alive(work.holder):
            raise UserError(
                f"{table.name} is being filled by the backfill of {work.target} from {work.first} to "
                f"{work.last}; wait for it to end."
            )


def pins_of(platform: Platform, plan: Plan, run: str, table: PlannedTable) -> Pins:
    """Return what a run reads for a table. Raises UserError when any of it was never built."""
    pins = read_by(platform, plan, run, table.name)
    if missing := [name for name in table.after if name not in pins]:
        raise UserError(
            f"{table.name} reads {missing[0]}, which was never built; run `mart build` for it first."
        )
    return pins


class TableStep:
    """The parts of one table's step, which share what the step knows."""

    def __init__(
        self,
        platform: Platform,
        plan: Plan,
        table: PlannedTable,
        run: str,
        pins: Pins,
        reason: str,
        began: float,
        cause: Cause = "change",
    ) -> None:
        self.platform, self.plan, self.table, self.run = platform, plan, table, run
        self.pins, self.reason, self.began, self.cause = pins, reason, began, cause

    def build(self, present: Build | None, number: int, lease: Lease) -> TableReport:
        """Find out which intervals have to be built, build them, and commit what came out otherwise.

        ``number`` is what the version will have in the lake. Raises CommitConflict when somebody else
        committed meanwhile, which happens when the lease ran out.
        """
        self.platform.progress.begins(self.table.name, "build")
        with self.platform.engine.session([]) as session:
            if self.table.kind == "view":
                return self._view(session, present)
            work = self._work(session, present)
            if present and work.is_nothing:
                return self._move(present)
            files = self.write(session, work.intervals, self._floor(present))
            candidate = self._candidate(present, work.intervals, files)
            try:
                checked = self._judged_as(session, candidate, present)
            except BaseException:  # nothing refers to the files yet, whatever ended it
                candidate.discard(self.platform)
                raise
            return self._settle(session, candidate, checked, present, number, lease)

    def put(
        self,
        present: Build | None,
        number: int,
        lease: Lease,
        intervals: Collection[str],
        files: Sequence[DataFile],
        owing: Collection[str],
    ) -> TableReport:
        """Commit files of some intervals that were written before; ``owing`` are those that are left.

        Of a table that was there already, what the other intervals consumed stays what it was.
        """
        with self.platform.engine.session([]) as session:
            candidate = self._candidate(present, intervals, files, owing)
            checked = self._judged_as(session, candidate, present)
            return self._settle(session, candidate, checked, present, number, lease)

    def as_it_is(self, present: Build) -> TableReport:
        """Leave the table as it is."""
        return self._report(present, version_of(self.platform, present), "skipped")

    def keep(self, present: Build, decision: Decision) -> TableReport:
        """Judge what is there where a verdict is missing, and move the pins where they stand elsewhere."""
        version = version_of(self.platform, present)
        if decision.action == "skip":
            self.platform.ledger.pin(self.run, {self.table.name: present})
            if all(check.timeless for check in self.table.checks):
                return self._report(present, version, "skipped")
            return self.judge(present)  # what was fresh yesterday need not be so today
        if decision.action == "move":
            return self._record(version, "moved")
        return self._record(version, "checked", self._judged(version))

    def judge(self, present: Build) -> TableReport:
        """Judge what is there, and change nothing but the verdicts."""
        version = version_of(self.platform, present)
        return self._report(present, version, "checked", self._judged(version))

    def write(
        self, session: EngineSession, intervals: Collection[str] | None, floor: str
    ) -> tuple[DataFile, ...]:
        """Write a candidate from inputs that are restricted as far as they may be."""
        for name in self.table.inputs:
            restricted = None
            if intervals is not None and name in self.table.bindings:
                restricted = restricted_input(
                    self.platform, session, self.plan, self.table, name, self.pins, intervals
                )
            session.define(restricted or input_of(self.platform, self.plan, self.table, name, self.pins))
        return building.write_candidate(self.platform, session, self.plan, self.table, intervals, floor)

    def define_checked_against(self, session: EngineSession) -> None:
        """Let the session see in full what the table is checked against."""
        for name in sorted({name for check in self.table.checks for name in check.reads}):
            session.define(input_of(self.platform, self.plan, self.table, name, self.pins))

    def checked(
        self, session: EngineSession, standing: Standing | None = None, *, partial: bool = False
    ) -> Checked:
        """Run the checks on the table in the session, and record each verdict under what it is about.

        Raises ChecksFailed when any of them blocks.
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
            standing=standing,
            partial=partial,
        )
        about = {c.fingerprint: judged_content(c, checked.content, self.pins) for c in checks}
        verdicts = tuple(v.model_copy(update={"content": about[v.fingerprint]}) for v in checked.verdicts)
        self.platform.ledger.record_verdicts(verdicts)
        if any(verdict.blocks for verdict in verdicts):
            raise ChecksFailed(self.table.name, verdicts)
        return Checked(checked.intervals, verdicts)

    def build_of(
        self, version: Version, rebuilt: Collection[str] = (), stands_for: Build | None = None
    ) -> Build:
        """Return the record of what this step makes of the table; ``rebuilt`` are the intervals it built.

        Where some intervals were put into the place of those of an earlier build, the others go on standing
        for what that one consumed.
        """
        build = Build(
            table=version.table,
            fingerprint=version.fingerprint,
            version=version.id,
            content=version.content,
            consumed={name: self.pins[name].content for name in self.table.inputs},
            read={name: self.pins[name].version_name for name in self.table.inputs},
            roots=roots_of(self.table, self.pins),
            watermark=watermark_of(self.table, self.pins),
            rebuilt=tuple(sorted(rebuilt)),
            cause=self.cause,
            run=self.run,
            reason=self.reason,
            seconds=time.monotonic() - self.began,
            at=self.platform.clock.wall(),
        )
        consumed = ("consumed", "read", "roots", "watermark") if stands_for else ()
        return build.model_copy(update={name: getattr(stands_for, name) for name in consumed})

    def _work(self, session: EngineSession, present: Build | None) -> Work:
        if present is None:
            return Work(None, self.reason)
        work = work_of(self.platform, session, self.plan, self.table, present, self.pins)
        self.reason = work.reason
        return work

    def _floor(self, present: Build | None) -> str:
        """Return the interval before which nothing is built; new logic takes over that of the old one."""
        if self.table.partition is None:
            return ""
        builds = [present] if present else self.platform.ledger.builds(self.table.name, limit=1)
        return version_of(self.platform, builds[0]).floor if builds else ""

    def _candidate(
        self,
        present: Build | None,
        intervals: Collection[str] | None,
        files: Sequence[DataFile],
        owing: Collection[str] = (),
    ) -> Candidate:
        base = version_of(self.platform, present) if present else None
        return Candidate(
            table=self.table,
            base=base,
            floor=self._floor(present),
            intervals=None if intervals is None else frozenset(intervals),
            written=tuple(files),
            owing=owed(self.platform, self.table, base).union(owing) if base else frozenset(owing),
        )

    def _judged_as(self, session: EngineSession, candidate: Candidate, present: Build | None) -> Checked:
        """Judge the table as it would be with a candidate."""
        columns = self.table.types
        session.define(of_files(self.platform, self.table.name, columns, candidate.all_files()))
        session.define(of_files(self.platform, CHANGED_ROWS, columns, candidate.files))
        self.define_checked_against(session)
        standing = self._standing(candidate, present)
        return self.checked(session, standing, partial=bool(candidate.owed))

    def _standing(self, candidate: Candidate, present: Build | None) -> Standing | None:
        """Return what is known of the intervals that stay; None when a row check was never run on them."""
        if present is None or candidate.intervals is None:
            return None
        verdicts = verdicts_on(self.table, present, self.pins, self.platform.ledger)
        if any(c.predicate is not None and c.check.name not in verdicts for c in self.table.checks):
            return None
        passed = frozenset(name for name, verdict in verdicts.items() if verdict.passed)
        return Standing(candidate.standing, passed)

    def _move(self, present: Build) -> TableReport:
        """Move the pins; what a check is held against may have changed, although the table did not."""
        version = version_of(self.platform, present)
        unjudged = unjudged_checks(self.table, present, self.pins, self.platform.ledger)
        return self._record(version, "moved", self._judged(version) if unjudged else ())

    def _view(self, session: EngineSession, present: Build | None) -> TableReport:
        """Judge what the view shows over the versions that the run reads; it has no files of its own."""
        if self.table.model is None or self.table.model.sql is None:
            raise ValueError(f"{self.table.name} is a view without a SELECT")
        reads = {name: self.pins[name].version_name for name in self.table.inputs}
        version = Version(
            table=self.table.name,
            fingerprint=self.table.fingerprint,
            id=digest_of(f"{name} {read.fingerprint} {read.version}" for name, read in reads.items()),
            number=0,
            columns=self.table.types,
            files=(),
            view=ViewText(sql=self.table.model.sql, reads=reads),
            content="",
            created_at=self.platform.clock.wall(),
        )
        session.define(relation_of(self.platform, version))
        self.define_checked_against(session)
        checked = self.checked(session)
        update = {"intervals": checked.intervals, "content": checked.content}
        same = present is not None and present.content == checked.content
        outcome: Outcome = "same rows" if same else "built"
        return self._record(version.model_copy(update=update), outcome, checked.verdicts)

    def _judged(self, version: Version) -> tuple[Verdict, ...]:
        relations = [relation_of(self.platform, version)]
        relations += inputs_of(self.platform, self.plan, self.table, self.pins)
        with self.platform.engine.session(relations) as session:
            return self.checked(session).verdicts

    def _settle(
        self,
        session: EngineSession,
        candidate: Candidate,
        checked: Checked,
        present: Build | None,
        number: int,
        lease: Lease,
    ) -> TableReport:
        """Commit what differs, with all that a killed run needs to be taken up."""
        changed = candidate.changed(self.platform, checked.intervals)
        stands_for = present if self.cause == "backfill" else None
        if candidate.base and not changed:
            candidate.discard(self.platform)
            built = self.build_of(candidate.base, candidate.looked_at, stands_for)
            return self._record(candidate.base, "same rows", checked.verdicts, built)
        now = self.platform.clock.wall()
        version = candidate.version(checked.intervals, changed, checked.content, number, now)
        before = candidate.base
        restatements = restated(
            self.platform, session, self.plan, self.table, before, version, present, self.run
        )
        build = self.build_of(version, candidate.looked_at, stands_for)
        try:
            commit(self.platform, self.table, build, version, before, lease, restatements)
        except CommitConflict:
            candidate.discard(self.platform)
            raise
        candidate.discard(self.platform, but=version)
        return self._report(build, version, "built", checked.verdicts, len(changed))

    def _record(
        self,
        version: Version,
        outcome: Outcome,
        verdicts: tuple[Verdict, ...] = (),
        build: Build | None = None,
    ) -> TableReport:
        build = build or self.build_of(version)
        self.platform.ledger.record_build(build, version)
        return self._report(build, version, outcome, verdicts)

    def _report(
        self,
        build: Build,
        version: Version,
        outcome: Outcome,
        verdicts: tuple[Verdict, ...] = (),
        changed: int = 0,
    ) -> TableReport:
        seconds = time.monotonic() - self.began
        facts = {"table": self.table.name, "outcome": outcome, "rows": version.rows, "bytes": version.bytes}
        self.platform.telemetry.record("step", run=self.run, seconds=seconds, intervals=changed, **facts)
        self.platform.progress.ends(self.table.name, outcome)
        return TableReport(
            table=self.table.name,
            outcome=outcome,
            reason=self.reason,
            rows=version.rows,
            bytes=version.bytes,
            version=version.id,
            watermark=build.watermark,
            seconds=seconds,
            verdicts=verdicts,
            facts={"intervals_changed": changed} if self.table.interval else {},
        )
