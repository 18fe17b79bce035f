"""Limits of a query: the budgets of its principal, its roles and its marts, the strictest of each."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mart_platform.runs.access.callers import Caller
from mart_platform.runs.door.asking import Asked
from mart_platform.spec.budgets import Budget, Lane
from mart_platform.spec.rights import MartRights
from mart_platform.spec.words import bytes_of


@dataclass(frozen=True)
class Holder:
    """Who has a budget: ``principal ada``, ``role sales.agency``, ``mart sales``."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Limit:
    """A number that may not be exceeded, and whose it is."""

    most: float
    holder: Holder


@dataclass(frozen=True)
class Limits:
    """What a query may take. ``at_once`` and ``spend`` hold for each of their holders.

    ``holders`` are all on whose accounts its price is put.
    """

    lane: Lane
    holders: tuple[Holder, ...]
    seconds: Limit | None
    rows: Limit | None
    memory: int | None
    at_once: tuple[Limit, ...]
    spend: tuple[Limit, ...]


def limits_of(
    asked: Asked, caller: Caller, rights: Mapping[str, MartRights], each: Budget, *, bounded: bool
) -> Limits:
    """Return the limits of a query on the marts of ``rights``.

    ``each`` holds for a principal where its own budget says nothing. A query runs among the dashboards when a
    budget of its principal or roles lets it, it does not ask otherwise, and it is ``bounded``.
    """
    ours = Budget.model_validate({**each.model_dump(), **caller.budget.model_dump(exclude_none=True)})
    held = list(_held(caller, ours, rights))
    lanes = [budget.lane for holder, budget in held if holder.kind != "mart"]
    is_dashboard = "dashboard" in lanes and asked.lane != "ad-hoc" and bounded
    sizes = [bytes_of(budget.memory) for _, budget in held if budget.memory]
    return Limits(
        lane="dashboard" if is_dashboard else "ad-hoc",
        holders=tuple(holders_of(caller.principal, caller.roles, rights)),
        seconds=_strictest((holder, budget.seconds) for holder, budget in held),
        rows=_strictest((holder, budget.rows) for holder, budget in held),
        memory=min(sizes, default=None),
        at_once=tuple(_said((holder, budget.concurrency) for holder, budget in held)),
        spend=tuple(_said((holder, budget.spend_per_day) for holder, budget in held)),
    )


def holders_of(principal: str, roles: Iterable[str], marts: Collection[str]) -> Iterator[Holder]:
    """Yield who pays for a query on some marts: its principal, each role by which it reads them, the marts.

    What a role may spend is per principal, so that each of its holders has an account of its own.
    """
    yield Holder("principal", principal)
    for mart in marts:
        yield Holder("mart", mart)
    for role in roles:
        if role.partition(".")[0] in marts:
            yield Holder("role", f"{role} of {principal}")


def _held(
    caller: Caller, budget: Budget, rights: Mapping[str, MartRights]
) -> Iterator[tuple[Holder, Budget]]:
    for holder in holders_of(caller.principal, caller.roles, rights):
        if holder.kind == "principal":
            yield holder, budget
        elif holder.kind == "mart":
            yield holder, rights[holder.name].quota
        else:
            mart, _, role = holder.name.partition(" ")[0].partition(".")
            if role in rights[mart].roles:
                yield holder, rights[mart].roles[role].budget


def _said(limits: Iterable[tuple[Holder, float | None]]) -> Iterator[Limit]:
    return (Limit(most, holder) for holder, most in limits if most is not None)


def _strictest(limits: Iterable[tuple[Holder, float | None]]) -> Limit | None:
    return min(_said(limits), key=lambda limit: limit.most, default=None)
