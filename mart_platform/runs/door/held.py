"""What the aggregates of a publication hold of its other tables, as far as that is proved of it."""

from collections.abc import Mapping

from mart_platform.planning.plan import Plan
from mart_platform.spec.checks import HoldsSums
from mart_platform.spec.records import Verdict


def holdings_of(plan: Plan, judged: Mapping[str, Mapping[str, Verdict]]) -> dict[str, tuple[HoldsSums, ...]]:
    """Return what each aggregate ``mart.table`` holds, where the check of it has passed on these versions.

    ``judged`` are the verdicts by table and check. A publication of before may have been made when nothing,
    or something else, was declared to be held.
    """
    found = {
        name: tuple(held for held in plan.tables[name].holds if _has_passed(verdicts, held.name))
        for name, verdicts in judged.items()
    }
    return {name: held for name, held in found.items() if held}


def _has_passed(verdicts: Mapping[str, Verdict], check: str) -> bool:
    return check in verdicts and verdicts[check].passed
