"""One table in one run: decided, written, checked, committed and recorded, in this order."""

import time
from collections.abc import Collection, Sequence

from mart_platform.planning.plan import CHANGED_ROWS, Plan, PlannedTable
from mart_platform.ports import CommitConflict, EngineSession, Platform
from mart_platform.runs.changes import Work, has_gaps, work_of
from mart_platform.runs.committing import adopt, commit
from mart_platform.runs.deciding import (
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
    gone,
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
    Interval,
    Lease,
    Verdict,
    Version,
    VersionName,
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
            decision = Decision("build", "some of its rows are not there")
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
            files = self.write(session, work.intervals, self.floor_of(present))
            candidate = Candidate(self, session, present, work.intervals, files)
            try:
                checked = candidate.judged()
            except BaseException:
                candidate.discard_new()
                raise
            return self._settle(session, candidate, checked, number, lease)

    def put(
        self,
        present: Build | None,
        number: int,
        lease: Lease,
        intervals: Collection[str],
        files: Sequence[DataFile],
        owed: Collection[str],
    ) -> TableReport:
        """Commit files of some intervals that were written before; ``owed`` are those that are left.

        Of a table that was there already, what the other intervals consumed stays what it was.
        """
        with self.platform.engine.session([]) as session:
            candidate = Candidate(self, session, present, intervals, files, owed)
            return self._settle(session, candidate, candidate.judged(), number, lease)

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

    def build_of(self, version: Version, candidate: "Candidate | None" = None) -> Build:
        """Return the record of what this step makes of the table."""
        rebuilt = candidate.looked_at if candidate else ()
        build = Build(
            table=version.table,
            fingerprint=version.fingerprint,
            version=version.id,
            content=version.content,
            consumed={name: self.pins[name].content for name in self.table.inputs},
            read={name: _named(self.pins[name]) for name in self.table.inputs},
            roots=roots_of(self.table, self.pins),
            watermark=watermark_of(self.table, self.pins),
            rebuilt=tuple(sorted(rebuilt)),
            cause=self.cause,
            run=self.run,
            reason=self.reason,
            seconds=time.monotonic() - self.began,
            at=self.platform.clock.wall(),
        )
        if self.cause == "backfill" and candidate and candidate.present:
            kept = ("consumed", "read", "roots", "watermark")
            return build.model_copy(update={name: getattr(candidate.present, name) for name in kept})
        return build

    def _work(self, session: EngineSession, present: Build | None) -> Work:
        if present is None:
            return Work(None, self.reason)
        work = work_of(self.platform, session, self.plan, self.table, present, self.pins)
        self.reason = work.reason
        return work

    def floor_of(self, present: Build | None) -> str:
        """Return the interval before which nothing is built; new logic takes over that of the old one."""
        if self.table.partition is None:
            return ""
        builds = [present] if present else self.platform.ledger.builds(self.table.name, limit=1)
        return version_of(self.platform, builds[0]).floor if builds else ""

    def _move(self, present: Build) -> TableReport:
        """Move the pins; what a check is held against may have changed, although the table did not."""
        version = version_of(self.platform, present)
        unjudged = unjudged_checks(self.table, present, self.pins, self.platform.ledger)
        return self._record(version, "moved", self._judged(version) if unjudged else ())

    def _view(self, session: EngineSession, present: Build | None) -> TableReport:
        """Judge what the view shows over the versions that the run reads; it has no files of its own."""
        if self.table.model is None or self.table.model.sql is None:
            raise ValueError(f"{self.table.name} is a view without a SELECT")
        reads = {name: _named(self.pins[name]) for name in self.table.inputs}
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
        self, session: EngineSession, candidate: "Candidate", checked: Checked, number: int, lease: Lease
    ) -> TableReport:
        """Commit what differs, with all that a killed run needs to be taken up."""
        if candidate.base and not candidate.changed(checked):
            candidate.discard_new()
            return self._record(candidate.base, "same rows", checked.verdicts, candidate)
        version, present = candidate.version(checked, number), candidate.present
        restatements = restated(
            self.platform, session, self.plan, self.table, candidate.base, version, present, self.run
        )
        build = self.build_of(version, candidate)
        try:
            commit(self.platform, self.table, build, version, candidate.base, lease, restatements)
        except CommitConflict:
            candidate.discard_new()
            raise
        candidate.discard_new(besides=version)
        return self._report(build, version, "built", checked.verdicts, len(candidate.changed(checked)))

    def _record(
        self,
        version: Version,
        outcome: Outcome,
        verdicts: tuple[Verdict, ...] = (),
        candidate: "Candidate | None" = None,
    ) -> TableReport:
        build = self.build_of(version, candidate)
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


class Candidate:
    """New files of some intervals beside those of the version that they are meant to follow.

    ``intervals`` are those that were written, None for all that are not retired.
    """

    def __init__(
        self,
        step: TableStep,
        session: EngineSession,
        present: Build | None,
        intervals: Collection[str] | None,
        files: Sequence[DataFile],
        owed: Collection[str] = (),
    ) -> None:
        self.step, self.session, self.present, self.intervals = step, session, present, intervals
        self.base = version_of(step.platform, present) if present else None
        self.floor = step.floor_of(present)
        self.written, self.owed = tuple(files), owed
        self.files = tuple(file for file in files if not _is_before(file, self.floor))

    @property
    def looked_at(self) -> frozenset[str]:
        """The intervals that were built, whatever came out."""
        if self.intervals is not None:
            return frozenset(self.intervals)
        written = {key for file in self.files for key in file.intervals}
        known = {key for key in self.base.intervals if key >= self.floor} if self.base else set[str]()
        return frozenset(written | known)

    def judged(self) -> Checked:
        """Judge the table as it would be."""
        step = self.step
        kept = self.base.files_of(self._standing_intervals()) if self.base else ()
        columns = step.table.types
        session = self.session
        session.define(of_files(step.platform, step.table.name, columns, (*kept, *self.files)))
        session.define(of_files(step.platform, CHANGED_ROWS, columns, self.files))
        step.define_checked_against(session)
        return step.checked(session, self._standing(), partial=bool(self._owed()))

    def changed(self, checked: Checked) -> frozenset[str]:
        """Return the intervals that hold other rows than before, or whose files were lost."""
        if self.base is None:
            return frozenset(checked.intervals)
        lost = {key for file in gone(self.step.platform, self.base) for key in file.intervals}
        before = self.base.intervals
        return frozenset(
            key
            for key in self.looked_at
            if key in lost or _content(before.get(key)) != _content(checked.intervals.get(key))
        )

    def discard_new(self, besides: Version | None = None) -> None:
        """Remove the files that were written and that no version holds: neither the base nor ``besides``."""
        kept = {file.path for version in (self.base, besides) if version for file in version.files}
        building.discard(self.step.platform, [file for file in self.written if file.path not in kept])

    def version(self, checked: Checked, number: int) -> Version:
        """Return the version that the candidate makes."""
        changed = self.changed(checked)
        kept = [key for key in (self.base.intervals if self.base else ()) if key not in changed]
        new = [file for file in self.files if changed.intersection(file.intervals)]
        files = (*(self.base.files_of(kept) if self.base else ()), *new)
        return Version(
            table=self.step.table.name,
            fingerprint=self.step.table.fingerprint,
            id=digest_of(file.path for file in files),
            number=number,
            columns=self.step.table.types,
            files=files,
            intervals=checked.intervals,
            floor=self.floor,
            owed=self._owed(),
            content=checked.content,
            created_at=self.step.platform.clock.wall(),
        )

    def _owed(self) -> tuple[str, ...]:
        owed = {*self.owed, *(self.base.owed if self.base else ())}
        return tuple(sorted(owed - self.looked_at))

    def _standing_intervals(self) -> list[str]:
        return [key for key in (self.base.intervals if self.base else ()) if key not in self.looked_at]

    def _standing(self) -> Standing | None:
        """Return what is known of the other intervals; None when a row check was never run on them."""
        if self.base is None or self.present is None or self.intervals is None:
            return None
        step = self.step
        verdicts = verdicts_on(step.table, self.present, step.pins, step.platform.ledger)
        if any(c.predicate is not None and c.check.name not in verdicts for c in step.table.checks):
            return None
        intervals = {key: self.base.intervals[key] for key in self._standing_intervals()}
        return Standing(intervals, frozenset(name for name, verdict in verdicts.items() if verdict.passed))


def _content(interval: Interval | None) -> str | None:
    return interval.content if interval and interval.rows else None


def _is_before(file: DataFile, floor: str) -> bool:
    return bool(floor and file.intervals and max(file.intervals) < floor)


def _named(build: Build) -> VersionName:
    return VersionName(fingerprint=build.fingerprint, version=build.version)
