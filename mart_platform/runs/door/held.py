"""What the aggregates of a publication hold of its other tables, as far as that is proved of it."""

from collections.abc import Iterator, Mapping

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import Ledger, Platform
from mart_platform.runs.deciding import verdicts_on
from mart_platform.runs.starting import builds_of, seen_by
from mart_platform.spec.checks import HoldsSums
from mart_platform.spec.records import Build, Publication, Verdict


def holdings_of(platform: Platform, plan: Plan, publication: Publication) -> dict[str, tuple[HoldsSums, ...]]:
    """Return what each aggregate ``mart.table`` holds, where the check of it passed on just these versions.

    A publication of before may have been made when nothing, or something else, was declared to be held.
    """
    pins, found = platform.ledger.pins(publication.run), dict[str, tuple[HoldsSums, ...]]()
    for name, build in builds_of(platform, publication).items():
        if name in plan.tables and plan.tables[name].holds:
            read = {**seen_by(plan, name, pins), name: build}
            found[name] = tuple(_proved(plan.tables[name], read, platform.ledger))
    return {name: held for name, held in found.items() if held}


def verdicts_as_read(table: PlannedTable, read: Mapping[str, Build], ledger: Ledger) -> dict[str, Verdict]:
    """Return the verdicts on a table by check, given the builds read with it, its own among them.

    A check against a table that was not there then has none.
    """
    known = tuple(planned for planned in table.checks if read.keys() >= set(planned.reads))
    return verdicts_on(table.model_copy(update={"checks": known}), read[table.name], read, ledger)


def _proved(table: PlannedTable, read: Mapping[str, Build], ledger: Ledger) -> Iterator[HoldsSums]:
    verdicts = verdicts_as_read(table, read, ledger)
    for held in table.holds:
        if (verdict := verdicts.get(held.name)) is not None and verdict.passed:
            yield held
