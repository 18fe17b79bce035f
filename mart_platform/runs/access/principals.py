"""Principals: who is known, from the warehouse folder and from commands, and which roles they hold now.

A principal of the folder stands as it is declared there, whatever a command says, but for one thing: a
command can disable it at once.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.access.recording import record
from mart_platform.spec.entries import Grant, KnownPrincipal
from mart_platform.spec.principals import Attribute, Principal
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.rights import MartRights


@dataclass(frozen=True)
class Known:
    """A principal, ``declared`` in the folder or else made by a command. It ends ``until``, if ever."""

    name: str
    principal: Principal
    declared: bool
    disabled: bool
    until: datetime | None

    def may_ask(self, now: datetime) -> bool:
        """Say whether it is neither disabled nor at its end."""
        return not self.disabled and (self.until is None or now < self.until)


def principals(plan: Plan, made: Iterable[KnownPrincipal]) -> dict[str, Known]:
    """Return all principals by name: those of the folder, and those that commands have made."""
    of_commands = {each.name: each for each in made}
    disabled = {name for name, each in of_commands.items() if each.disabled}
    made_so = {name: each.principal for name, each in of_commands.items() if not each.declared}
    found = made_so | plan.principals
    return {
        name: Known(
            name,
            principal,
            declared=name in plan.principals,
            disabled=name in disabled,
            until=end_of(principal.until, plan.settings.zone) if principal.until else None,
        )
        for name, principal in sorted(found.items())
    }


def as_approved(platform: Platform, plan: Plan) -> dict[str, Known]:
    """Return all principals as the door knows them: of what the folder declares, only what was approved.

    A role that is declared counts where the approved rights of its mart give it to that principal. An
    attribute that a row filter names counts where it was approved, and is declared so still.
    """
    from mart_platform.planning.rights import attributes_that_choose  # noqa: PLC0415 (sqlglot, seldom needed)

    found = (platform.directory.approval(mart) for mart in plan.rights)
    rights = [
        (approval.rights, attributes_that_choose(approval.rights.roles.values()))
        for approval in found
        if approval
    ]
    everybody = principals(plan, platform.directory.principals())
    declared = {name: _approved_of(known, rights) for name, known in everybody.items() if known.declared}
    return everybody | declared


def principal_named(platform: Platform, plan: Plan, name: str) -> Known:
    """Return a principal. Raises UserError when there is none of this name."""
    known = principals(plan, platform.directory.principals())
    if name not in known:
        raise UserError(
            f"There is no principal '{name}'. {nearest(name, known)} `mart access add {name}` makes it, or "
            "principals.yaml."
        )
    return known[name]


def end_of(day: date, zone: str) -> datetime:
    """Return the moment at which a day is over in a zone."""
    return datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(zone))


def in_force(grant: Grant, now: datetime) -> bool:
    """Say whether a grant was neither revoked nor has ended."""
    return grant.revoked_at is None and (grant.until is None or now < grant.until)


def roles_of(known: Known, grants: Iterable[Grant], now: datetime) -> tuple[str, ...]:
    """Return the roles that a principal holds now, declared and granted; none when it may not ask."""
    if not known.may_ask(now):
        return ()
    granted = {grant.role for grant in grants if grant.principal == known.name and in_force(grant, now)}
    return tuple(sorted(granted.union(known.principal.roles)))


def add_principal(platform: Platform, plan: Plan, name: str, principal: Principal, by: str) -> KnownPrincipal:
    """Make a principal, or give one that a command has made its new state; it is not disabled then.

    Raises UserError for one that the warehouse folder declares.
    """
    if name in plan.principals:
        raise UserError(f"{name} is declared in principals.yaml; change it there.")
    added = KnownPrincipal(name=name, principal=principal, at=platform.clock.wall(), by=by)
    return _put(platform, added, "principal_added")


def disable_principal(platform: Platform, plan: Plan, name: str, by: str) -> KnownPrincipal:
    """Let a principal ask no more, from this moment on, wherever it comes from."""
    return _put(platform, _marked(platform, plan, name, by, disabled=True), "principal_disabled")


def enable_principal(platform: Platform, plan: Plan, name: str, by: str) -> KnownPrincipal:
    """Let a principal that was disabled ask again."""
    return _put(platform, _marked(platform, plan, name, by, disabled=False), "principal_enabled")


def _approved_of(known: Known, rights: Sequence[tuple[MartRights, frozenset[str]]]) -> Known:
    """Return what was approved of a principal; beside rights stand the attributes that choose rows."""
    holders = {f"{its.mart}.{role}": names for its, _ in rights for role, names in its.holders.items()}
    attributes = {
        name: value
        for name, value in known.principal.attributes.items()
        if all(_is_approved(known.name, name, value, its, choosing) for its, choosing in rights)
    }
    roles = tuple(role for role in known.principal.roles if known.name in holders.get(role, ()))
    return replace(
        known, principal=known.principal.model_copy(update={"roles": roles, "attributes": attributes})
    )


def _is_approved(
    principal: str, name: str, value: Attribute, its: MartRights, choosing: Collection[str]
) -> bool:
    """Say whether an attribute is the one that was approved, if it chooses rows; 1 and true are two."""
    if name not in choosing:
        return True
    approved = its.attributes.get(principal, {}).get(name)
    return (type(approved), approved) == (type(value), value)


def _marked(platform: Platform, plan: Plan, name: str, by: str, *, disabled: bool) -> KnownPrincipal:
    """Return a principal as disabled or not; what the folder says is not kept, as it may be taken back."""
    principal_named(platform, plan, name)
    earlier = {each.name: each for each in platform.directory.principals()}.get(name)
    if earlier is None:
        earlier = KnownPrincipal(
            name=name, principal=Principal(), at=platform.clock.wall(), by=by, declared=True
        )
    return earlier.model_copy(update={"at": platform.clock.wall(), "by": by, "disabled": disabled})


def _put(platform: Platform, known: KnownPrincipal, what: str) -> KnownPrincipal:
    text = known.principal.model_dump_json(exclude_defaults=True)
    record(platform, what, known.by, principal=known.name, text=text)
    platform.directory.put_principal(known)
    return known
