"""What was found of a publication: the verdicts on its tables, as the run that made it has read them."""

from collections.abc import Collection, Mapping

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import Ledger, Platform
from mart_platform.runs.deciding import verdicts_on
from mart_platform.runs.starting import builds_of, seen_by
from mart_platform.spec.records import Build, Publication, Verdict


def verdicts_of(
    platform: Platform, plan: Plan, publication: Publication, tables: Collection[str] | None = None
) -> dict[str, dict[str, Verdict]]:
    """Return the verdicts on the tables of a publication, or on some of them, by table and check.

    A table that is declared no more is left out. A check that was declared since has no verdict, unless it
    asks what another one did; and none has one against a table that was not there then.
    """
    pins = platform.ledger.pins(publication.run)
    return {
        name: _as_read(plan.tables[name], {**seen_by(plan, name, pins), name: build}, platform.ledger)
        for name, build in builds_of(platform, publication).items()
        if name in plan.tables and (tables is None or name in tables)
    }


def _as_read(table: PlannedTable, read: Mapping[str, Build], ledger: Ledger) -> dict[str, Verdict]:
    known = tuple(planned for planned in table.checks if read.keys() >= set(planned.reads))
    return verdicts_on(table.model_copy(update={"checks": known}), read[table.name], read, ledger)
