"""What has to be done, and why; decided from the plan and the ledger alone, no data is read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mart_platform.planning.plan import Plan, PlannedCheck, PlannedTable
from mart_platform.ports import Ledger, Platform
from mart_platform.runs.changes import changed_inputs, has_gaps
from mart_platform.runs.relations import Pins, is_broken, version_of
from mart_platform.runs.rights import is_approved
from mart_platform.runs.starting import seen_by, snapshot
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.records import Build, Publication, Verdict, digest_of
from mart_platform.stages.landing import landed_version, pending
from mart_platform.stages.publishing import derived_state

NOT_ALL_THERE = "some of its rows are not there"
"""Why a table is built of which nothing that it reads has changed."""


@dataclass(frozen=True)
class Decision:
    """What to do with a table: ``build`` it, ``check`` what is there, ``move`` its pins, or ``skip`` it.

    Pins move when the inputs were delivered anew and yet hold the same rows: nothing is computed, but the
    table is complete up to a later moment.
    """

    action: Literal["build", "check", "move", "skip"]
    reason: str


def decide(table: PlannedTable, present: Build | None, pins: Pins, ledger: Ledger) -> Decision:
    """Decide about a canonical or mart table, given its present build and what the run reads."""
    if present is None:
        earlier = any(build.fingerprint != table.fingerprint for build in ledger.builds(table.name, limit=1))
        return Decision("build", "its logic or that of an input changed" if earlier else "never built before")
    if changed := changed_inputs(table, present, pins):
        return Decision("build", f"{_listed(changed)} changed")
    if unjudged := unjudged_checks(table, present, pins, ledger):
        return Decision("check", f"no verdict yet of {_listed([check.check.name for check in unjudged])}")
    if present.roots != roots_of(table, pins) or present.watermark != watermark_of(table, pins):
        return Decision("move", "new deliveries hold the same rows")
    return Decision("skip", "nothing that it reads has changed")


def unjudged_checks(table: PlannedTable, build: Build, pins: Pins, ledger: Ledger) -> list[PlannedCheck]:
    """Return the checks that have no verdict on this build of a table."""
    verdicts = verdicts_on(table, build, pins, ledger)
    return [check for check in table.checks if check.check.name not in verdicts]


def verdicts_on(table: PlannedTable, build: Build, pins: Pins, ledger: Ledger) -> dict[str, Verdict]:
    """Return the verdicts on exactly this build of a table, by the names of their checks."""
    about = {check.check.name: judged_content(check, build.content, pins) for check in table.checks}
    known = {content: ledger.verdicts(table.name, content) for content in set(about.values())}
    return {
        check.check.name: verdict
        for check in table.checks
        if (verdict := known[about[check.check.name]].get(check.fingerprint))
    }


def judged_content(check: PlannedCheck, content: str, pins: Pins) -> str:
    """Return what a verdict is about: the table's content, and the tables that it was held against.

    Those count by their logic too, for a landed table's content names what was delivered, and another
    contract makes other rows of it.
    """
    if not check.reads:
        return content
    against = (f"{name} {pins[name].fingerprint} {pins[name].content}" for name in check.reads)
    return digest_of([f"this {content}", *against])


def roots_of(table: PlannedTable, pins: Pins) -> dict[str, str]:
    """Return the landed tables below a table, with the contents that its inputs go back to."""
    seen: dict[str, set[str]] = {}
    for name in table.inputs:
        for root, contents in pins[name].roots.items():
            seen.setdefault(root, set()).update(contents.split())
    return {root: " ".join(sorted(contents)) for root, contents in seen.items()}


def watermark_of(table: PlannedTable, pins: Pins) -> datetime | None:
    """Return the earliest watermark among the inputs that know time; None when none of them does."""
    known = [pins[name].watermark for name in table.inputs]
    return min((moment for moment in known if moment is not None), default=None)


@dataclass(frozen=True)
class Todo:
    """What a run would do: tables and marts, each with the reason; empty when there is nothing to do."""

    tables: Mapping[str, str]
    marts: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.tables or self.marts)

    def without(self, tables: Iterable[str]) -> "Todo":
        """Return the same without these tables."""
        left_out = frozenset(tables)
        return Todo({name: why for name, why in self.tables.items() if name not in left_out}, self.marts)


def what_to_do(platform: Platform, plan: Plan, targets: Iterable[str]) -> Todo:
    """Return what must be done so that the targets are up to date: marts, or single tables.

    A table below one that is to be built is listed too, although it may turn out that nothing reaches it.
    """
    marts, tables = chosen(plan, targets)
    pins = snapshot(platform, plan)
    due: dict[str, str] = {}
    for name in plan.upstream_of(tables):
        table = plan.tables[name]
        if table.layer == "landing":
            reason = _why_land(platform, plan, table, pins.get(name))
        else:
            reason = _why_build(platform, plan, table, pins, due)
        if reason:
            due[name] = reason
    waiting = {mart: why for mart in marts if (why := _why_publish(platform, plan, mart, pins, due))}
    return Todo(due, waiting)


def chosen(plan: Plan, targets: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the marts and the tables that targets name; no target means all marts.

    A target is a mart, or a table as ``schema.table``. Raises UserError for anything else.
    """
    targets = tuple(targets)
    if not targets:
        return tuple(plan.marts), tuple(plan.tables)
    if unknown := [name for name in targets if name not in plan.marts and name not in plan.tables]:
        raise UserError(
            f"There is no mart or table '{unknown[0]}'. {nearest(unknown[0], [*plan.marts, *plan.tables])}"
        )
    marts = tuple(mart for mart in plan.marts if mart in targets)
    tables = [name for name in plan.tables if name in targets]
    for mart in marts:
        tables += plan.marts[mart].tables
    return marts, tuple(tables)


def deliveries(count: int) -> str:
    """Return so many new deliveries in words."""
    return f"{count} new {'delivery' if count == 1 else 'deliveries'}"


def _why_land(platform: Platform, plan: Plan, table: PlannedTable, present: Build | None) -> str | None:
    if arrivals := pending(platform, plan, table):
        return deliveries(len(arrivals))
    if present is None:
        return "never landed before"
    batches = platform.ledger.batches(table.name, table.fingerprint)
    contract = plan.sources[table.schema_name].tables[table.short_name]
    before = version_of(platform, present)
    version, watermark = landed_version(table, contract, batches, before, before.number, present.at)
    if (version.id, watermark) != (present.version, present.watermark):
        return "its source says otherwise which deliveries are read, or how late they may be"
    return None


def _why_build(
    platform: Platform, plan: Plan, table: PlannedTable, pins: Pins, due: Mapping[str, str]
) -> str | None:
    if changing := [upstream for upstream in table.after if upstream in due]:
        return f"{_listed(changing)} may change"
    seen = seen_by(plan, table.name, pins)
    if unread := [upstream for upstream in table.after if upstream not in seen]:
        return f"{_listed(unread)} was not published before"
    present = pins.get(table.name)
    decision = decide(table, present, seen, platform.ledger)
    if decision.action != "skip":
        return decision.reason
    return NOT_ALL_THERE if present and has_gaps(platform, table, present) else None


def _why_publish(platform: Platform, plan: Plan, mart: str, pins: Pins, due: Mapping[str, str]) -> str | None:
    """Return why a mart has to be published, or None when its live version is what there is."""
    live = platform.ledger.live(mart)
    if live is None:
        return "never published before"
    if platform.ledger.hold_of(mart) is None:
        if changing := [name for name in plan.marts[mart].tables if name in due]:
            return f"{_listed(changing)} may change"
        if any(not shows(live, pins[name]) for name in plan.marts[mart].tables):
            return "its tables have newer versions"
        if is_broken(platform, live):
            return "files of its live version are gone"
        if live.watermark != mart_watermark(plan, mart, pins):
            return "it is complete up to a later moment"
    if wrong := derived_state(platform, plan, mart):
        return f"its published folder is to be mended: {wrong}"
    if platform.ledger.hold_of(mart) is None and not is_approved(platform, plan, mart):
        return "its access rules are not those that were approved"
    return None


def shows(live: Publication, build: Build) -> bool:
    """Return whether a publication holds the rows of a build, whatever files they lie in."""
    published = live.tables.get(build.table)
    same = published and (published.fingerprint, published.content) == (build.fingerprint, build.content)
    return bool(same)


def mart_watermark(plan: Plan, mart: str, pins: Pins) -> datetime | None:
    """Return the earliest watermark among a mart's tables that know time."""
    known = [pins[name].watermark for name in plan.marts[mart].tables]
    return min((moment for moment in known if moment is not None), default=None)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
