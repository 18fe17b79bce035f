"""Limits: the strictest of what principal, roles and marts allow, and the lane of a query."""

import pytest

from mart_platform.runs.access.callers import Caller
from mart_platform.runs.door.asking import Asked
from mart_platform.runs.door.limits import Holder, limits_of
from mart_platform.spec.budgets import Budget, Lane
from mart_platform.spec.rights import MartRights, RoleRights

EACH = Budget(lane="ad-hoc", concurrency=4, seconds=60, rows=5_000_000)


def caller(*roles: str, budget: Budget = EACH) -> Caller:
    return Caller("ada", "person", roles, {}, budget=budget)


def rights(mart: str, quota: Budget | None = None, **roles: Budget) -> dict[str, MartRights]:
    its = {name: RoleRights(tables={}, budget=budget) for name, budget in roles.items()}
    return {mart: MartRights(mart=mart, roles=its, quota=quota or Budget())}


def test_of_each_limit_the_strictest_holds_and_says_whose_it_is() -> None:
    its = rights("sales", Budget(rows=1000), agency=Budget(seconds=5, rows=2000))
    limits = limits_of(Asked(""), caller("sales.agency"), its, EACH, bounded=True)
    assert limits.rows is not None
    assert limits.seconds is not None
    assert (limits.rows.most, str(limits.rows.holder)) == (1000, "mart sales")
    assert (limits.seconds.most, str(limits.seconds.holder)) == (5, "role sales.agency of ada")


def test_what_a_principal_is_given_stands_in_place_of_what_holds_for_each() -> None:
    limits = limits_of(Asked(""), caller(budget=Budget(seconds=600)), {}, EACH, bounded=True)
    assert limits.seconds is not None
    assert limits.seconds.most == 600
    assert limits.rows is not None
    assert limits.rows.most == 5_000_000


def test_roles_of_other_marts_have_no_say() -> None:
    its = rights("sales", agency=Budget(seconds=5))
    limits = limits_of(Asked(""), caller("finance.auditor"), its, EACH, bounded=True)
    assert limits.seconds is not None
    assert limits.seconds.most == 60
    assert Holder("role", "finance.auditor of ada") not in limits.holders


def test_every_holder_pays_with_or_without_a_limit() -> None:
    its = rights("sales", agency=Budget())
    limits = limits_of(Asked(""), caller("sales.agency"), its, EACH, bounded=True)
    assert set(map(str, limits.holders)) == {"principal ada", "mart sales", "role sales.agency of ada"}
    assert limits.spend == ()


@pytest.mark.parametrize(
    ("role", "asked", "bounded", "lane"),
    [
        (Budget(lane="dashboard"), None, True, "dashboard"),
        (Budget(lane="dashboard"), "ad-hoc", True, "ad-hoc"),
        (Budget(lane="dashboard"), "dashboard", False, "ad-hoc"),
        (Budget(), "dashboard", True, "ad-hoc"),
        (Budget(), None, True, "ad-hoc"),
    ],
)
def test_a_query_runs_among_dashboards_only_if_a_budget_lets_it_and_it_cannot_hurt(
    role: Budget, asked: Lane | None, bounded: bool, lane: Lane
) -> None:
    its = rights("sales", screen=role)
    assert limits_of(Asked("", lane=asked), caller("sales.screen"), its, EACH, bounded=bounded).lane == lane
