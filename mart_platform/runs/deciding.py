"""What has to be done, and why; decided from the plan and the ledger alone, no data is read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mart_platform.planning.plan import Plan, PlannedCheck, PlannedTable
from mart_platform.ports import Ledger, Platform
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.records import Build, Publication, PublishedTable, Verdict, digest_of
from mart_platform.stages.landing import pending

Pins = Mapping[str, Build]
"""For each table the build that is read."""


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
    changed = [name for name in table.inputs if present.consumed.get(name) != pins[name].content]
    if changed:
        return Decision("build", f"{_listed(changed)} changed")
    if unjudged := unjudged_checks(table, present, pins, ledger):
        return Decision("check", f"no verdict yet of {_listed([check.check.name for check in unjudged])}")
    if present.roots != roots_of(table, pins) or present.watermark != watermark_of(table, pins):
        return Decision("move", "new deliveries hold the same rows")
    return Decision("skip", "nothing that it reads has changed")


def unjudged_checks(table: PlannedTable, build: Build, pins: Pins, ledger: Ledger) -> list[PlannedCheck]:
    """Return the checks that have no verdict on this build of a table."""
    verdicts = _Verdicts(ledger, table.name)
    return [
        check
        for check in table.checks
        if verdicts.on(judged_content(check, build.content, pins), check) is None
    ]


def bad_verdicts(table: PlannedTable, build: Build, pins: Pins, ledger: Ledger) -> list[Verdict]:
    """Return the failures of severity error on this build of a table."""
    verdicts = _Verdicts(ledger, table.name)
    found = (verdicts.on(judged_content(check, build.content, pins), check) for check in table.checks)
    return [
        verdict
        for verdict, check in zip(found, table.checks, strict=True)
        if verdict is not None and not verdict.passed and check.check.blocks
    ]


def judged_content(check: PlannedCheck, content: str, pins: Pins) -> str:
    """Return what a verdict is about: the table's content, and that of the tables it was held against."""
    if not check.reads:
        return content
    return digest_of([f"this {content}", *(f"{name} {pins[name].content}" for name in check.reads)])


def roots_of(table: PlannedTable, pins: Pins) -> dict[str, str]:
    """Return the landed tables below a table, with the contents that its inputs go back to."""
    roots: dict[str, str] = {}
    for name in table.inputs:
        roots |= pins[name].roots
    return roots


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


def what_to_do(platform: Platform, plan: Plan, targets: Iterable[str]) -> Todo:
    """Return what must be done so that the targets are up to date: marts, or single tables.

    A table below one that is to be built is listed too, although it may turn out that nothing reaches it.
    """
    marts, tables = chosen(plan, targets)
    pins = {
        name: build for (name, fp), build in platform.ledger.latest_builds().items() if _is(plan, name, fp)
    }
    due: dict[str, str] = {}
    for name in plan.upstream_of(tables):
        table = plan.tables[name]
        if table.layer == "landing":
            if arrivals := pending(platform, plan, table):
                due[name] = f"{len(arrivals)} new {'delivery' if len(arrivals) == 1 else 'deliveries'}"
            elif name not in pins:
                due[name] = "never landed before"
        elif changing := [upstream for upstream in table.after if upstream in due]:
            due[name] = f"{_listed(changing)} may change"
        else:
            decision = decide(table, pins.get(name), pins, platform.ledger)
            if decision.action != "skip":
                due[name] = decision.reason
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


def published_as(build: Build) -> PublishedTable:
    """Return a build as a publication lists it."""
    return PublishedTable(fingerprint=build.fingerprint, version=build.version, content=build.content)


def _why_publish(platform: Platform, plan: Plan, mart: str, pins: Pins, due: Mapping[str, str]) -> str | None:
    """Return why a mart has to be published, or None when its live version is what there is."""
    if changing := [name for name in plan.marts[mart].tables if name in due]:
        return f"{_listed(changing)} may change"
    live = platform.ledger.live(mart)
    if live is None:
        return "never published before"
    if platform.ledger.hold_of(mart):
        return None
    if {name: published_as(pins[name]) for name in plan.marts[mart].tables} != live.tables:
        return "its tables have newer versions"
    if live.watermark != mart_watermark(plan, mart, pins):
        return "it is complete up to a later moment"
    return None if _is_derived(platform, live) else "its published files are missing"


def mart_watermark(plan: Plan, mart: str, pins: Pins) -> datetime | None:
    """Return the earliest watermark among a mart's tables that know time."""
    known = [pins[name].watermark for name in plan.marts[mart].tables]
    return min((moment for moment in known if moment is not None), default=None)


def _is_derived(platform: Platform, live: Publication) -> bool:
    current = platform.data.published / live.mart / "current"
    return current.exists() and current.resolve().name.partition(".")[0] == str(live.number)


def _is(plan: Plan, table: str, fingerprint: str) -> bool:
    return table in plan.tables and plan.tables[table].fingerprint == fingerprint


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


class _Verdicts:
    """The verdicts on a table, asked from the ledger once for each content."""

    def __init__(self, ledger: Ledger, table: str) -> None:
        self._ledger, self._table = ledger, table
        self._known: dict[str, Mapping[str, Verdict]] = {}

    def on(self, content: str, check: PlannedCheck) -> Verdict | None:
        if content not in self._known:
            self._known[content] = self._ledger.verdicts(self._table, content)
        return self._known[content].get(check.fingerprint)
