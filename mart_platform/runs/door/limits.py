"""Limits of a query: the budgets of its principal, its roles and its marts, the strictest of each."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from mart_platform.runs.access.callers import Caller
from mart_platform.runs.access.granting import mart_of
from mart_platform.runs.door.asking import Asked
from mart_platform.spec.budgets import Budget, Lane
from mart_platform.spec.rights import MartRights
from mart_platform.spec.words import bytes_of


@dataclass(frozen=True)
class Holder:
    """Who has a budget: ``principal ada``, ``role sales.agency of ada``, ``mart sales``."""

    kind: Literal["principal", "role", "mart", "lane"]
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

    @property
    def principal(self) -> Holder | None:
        """Return who asks."""
        return next((holder for holder in self.holders if holder.kind == "principal"), None)


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
    """Yield who pays for a query on some marts: its principal, they, and each role by which it reads them."""
    yield Holder("principal", principal)
    yield from (Holder("mart", mart) for mart in marts)
    yield from (_of_role(role, principal) for role in roles if mart_of(role) in marts)


def _of_role(role: str, principal: str) -> Holder:
    """Return a role as the holder of a budget: each principal who holds it has an account of their own."""
    return Holder("role", f"{role} of {principal}")


def _held(caller: Caller, own: Budget, rights: Mapping[str, MartRights]) -> Iterator[tuple[Holder, Budget]]:
    """Yield the budgets that a query of this caller is held to, each with its holder."""
    yield Holder("principal", caller.principal), own
    for mart, its in rights.items():
        yield Holder("mart", mart), its.quota
    for role in caller.roles:
        mart, _, name = role.partition(".")
        if mart in rights and name in rights[mart].roles:
            yield _of_role(role, caller.principal), rights[mart].roles[name].budget


def _said(limits: Iterable[tuple[Holder, float | None]]) -> Iterator[Limit]:
    return (Limit(most, holder) for holder, most in limits if most is not None)


def _strictest(limits: Iterable[tuple[Holder, float | None]]) -> Limit | None:
    return min(_said(limits), key=lambda limit: limit.most, default=None)
