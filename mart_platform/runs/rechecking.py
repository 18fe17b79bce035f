"""Checks run again on what is there, outside of any build."""

from collections.abc import Iterable
from dataclasses import dataclass

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs import starting
from mart_platform.runs.building import check_table
from mart_platform.runs.deciding import chosen
from mart_platform.runs.reporting import ChecksFailed
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Verdict


@dataclass(frozen=True)
class Rechecked:
    """A table's verdicts; ``problem`` says why there are none, or what a blocking one found."""

    table: str
    verdicts: tuple[Verdict, ...]
    problem: str = ""


def tables_to_check(plan: Plan, targets: Iterable[str]) -> tuple[str, ...]:
    """Return the tables among the targets that have checks. Raises UserError for an unknown target."""
    _, tables = chosen(plan, targets)
    return tuple(name for name in plan.tables if name in tables and plan.tables[name].checks)


def recheck(
    platform: Platform, plan: Plan, run: str, tables: Iterable[str], cause: str = "mart check"
) -> list[Rechecked]:
    """Judge the present build of each table by all of its checks; one that fails stops none of the others."""
    tables = tuple(tables)
    starting.begin(platform, plan, run, cause, tables)
    rechecked: list[Rechecked] = []
    try:
        for name in tables:
            platform.progress.begins(name, "check")
            rechecked.append(_rechecked(platform, plan, run, name))
    finally:
        succeeded = len(rechecked) == len(tables) and not any(table.problem for table in rechecked)
        starting.end(platform, run, succeeded=succeeded)
    return rechecked


def _rechecked(platform: Platform, plan: Plan, run: str, name: str) -> Rechecked:
    try:
        return Rechecked(name, check_table(platform, plan, run, name).verdicts)
    except ChecksFailed as error:
        problem, verdicts = str(error), error.verdicts
    except UserError as error:
        problem, verdicts = str(error), ()
    platform.progress.ends(name, "failed")
    return Rechecked(name, verdicts, problem)
