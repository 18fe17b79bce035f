"""Granting: a principal is given a role, for a while or for good, and loses it again; all is recorded."""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from mart_platform.planning.plan import Plan
from mart_platform.ports import Directory, Platform
from mart_platform.runs.access.principals import in_force, principal_named
from mart_platform.runs.access.recording import record
from mart_platform.spec.entries import Grant
from mart_platform.spec.problems import UserError, nearest


def grant_role(
    platform: Platform,
    plan: Plan,
    principal: str,
    role: str,
    *,
    until: datetime | None = None,
    reason: str = "",
    by: str,
) -> Grant:
    """Give a principal a role, up to a moment or until it is revoked; the same grant twice is one.

    Raises UserError for an unknown principal or role, and for a moment that has passed.
    """
    principal_named(platform, plan, principal)
    now, roles = platform.clock.wall(), known_roles(platform.directory, plan)
    if role not in roles:
        raise UserError(f"There is no role '{role}'. {nearest(role, roles)}")
    if until is not None and until <= now:
        raise UserError(f"{until:%Y-%m-%d %H:%M %Z} has passed; let the grant end later.")
    for held in _in_force(platform, principal, role):
        if held.until == until:
            return held
    grant = Grant(id=uuid4().hex, principal=principal, role=role, until=until, reason=reason, at=now, by=by)
    text = "; ".join(filter(None, [f"until {until:%Y-%m-%d %H:%M %Z}" if until else "", reason]))
    record(platform, "role_granted", by, principal=principal, role=role, mart=mart_of(role), text=text)
    platform.directory.add_grant(grant)
    return grant


def revoke_role(
    platform: Platform, plan: Plan, principal: str, role: str, *, reason: str = "", by: str
) -> Sequence[Grant]:
    """End all grants of a role to a principal, and return them.

    Raises UserError when nothing was granted, also where the warehouse folder gives the role.
    """
    granted = _in_force(platform, principal, role)
    if not granted:
        raise UserError(_nothing_granted(platform, plan, principal, role))
    record(platform, "role_revoked", by, principal=principal, role=role, mart=mart_of(role), text=reason)
    for grant in granted:
        platform.directory.revoke_grant(grant.id, platform.clock.wall(), by)
    return granted


def lacking(platform: Platform, plan: Plan, principal: str, role: str) -> list[str]:
    """Return the attributes by which rows of a role are chosen, and which a principal does not have."""
    from mart_platform.planning.rights import attributes_that_choose  # noqa: PLC0415 (sqlglot, seldom needed)

    mart, _, name = role.partition(".")
    approval = platform.directory.approval(mart)
    rights = [plan.rights[mart], *([approval.rights] if approval else [])]
    named = attributes_that_choose(its.roles[name] for its in rights if name in its.roles)
    return sorted(named - principal_named(platform, plan, principal).principal.attributes.keys())


def known_roles(directory: Directory, plan: Plan) -> frozenset[str]:
    """Return the roles of all marts, ``mart.role``, as they are declared or as they were approved."""
    names = set()
    for mart, declared in plan.rights.items():
        approval = directory.approval(mart)
        approved = approval.rights.roles if approval else {}
        names |= {f"{mart}.{role}" for role in (*declared.roles, *approved)}
    return frozenset(names)


def mart_of(role: str) -> str:
    """Return the mart of a role.

    >>> mart_of("sales.manager")
    'sales'
    """
    return role.partition(".")[0]


def _in_force(platform: Platform, principal: str, role: str) -> list[Grant]:
    now = platform.clock.wall()
    grants = platform.directory.grants(principal)
    return [grant for grant in grants if grant.role == role and in_force(grant, now)]


def _nothing_granted(platform: Platform, plan: Plan, principal: str, role: str) -> str:
    if principal in plan.principals and role in plan.principals[principal].roles:
        return (
            f"{principal} has {role} from principals.yaml; take it away there, or stop {principal} at once "
            f"by `mart access disable {principal}`."
        )
    return f"{role} is not granted to {principal}. {nearest(role, _granted(platform, principal))}"


def _granted(platform: Platform, principal: str) -> list[str]:
    now = platform.clock.wall()
    return [grant.role for grant in platform.directory.grants(principal) if in_force(grant, now)]
