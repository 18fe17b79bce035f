"""Reviewing: who may see what and since when, who used it, and what wants somebody's attention.

``who_can`` and ``what_can`` tell what the door goes by, the approved rights, and not what a folder plans.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.access.granting import known_roles, mart_of
from mart_platform.runs.access.principals import (
    Known,
    as_approved,
    in_force,
    principal_named,
    principals,
    roles_of,
)
from mart_platform.spec.access import DEFAULT_BAND, DEFAULT_PREFIX, Band, Mask, Prefix
from mart_platform.spec.entries import Credential, Grant, QueryEntry
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.records import Record
from mart_platform.spec.rights import MartRights, RoleRights

_USED_WITHIN = timedelta(days=90)
_ENDS_SOON = timedelta(days=14)
_MEANT_TO_END = timedelta(days=1)

Asked = Mapping[tuple[str, str], datetime]
"""When a principal last asked a mart, by both their names."""


class HeldRole(Record):
    """A role that a principal holds, or held. ``asked`` is when it last asked the role's mart."""

    role: str
    source: Literal["principals.yaml", "command", "grant"]
    in_force: bool
    since: datetime | None = None
    until: datetime | None = None
    by: str = ""
    reason: str = ""
    asked: datetime | None = None


class ReviewedToken(Record):
    """A token, without its hash."""

    id: str
    scope: tuple[str, ...]
    since: datetime
    until: datetime | None
    revoked: datetime | None


class ReviewedPrincipal(Record):
    """A principal, what it holds, and what about it wants attention, in sentences."""

    principal: str
    kind: Literal["person", "service"]
    name: str
    declared: bool
    disabled: bool
    until: datetime | None
    roles: tuple[HeldRole, ...]
    tokens: tuple[ReviewedToken, ...]
    has_secret: bool
    asked: datetime | None
    attention: tuple[str, ...]


class Review(Record):
    """All principals, and what wants attention about names that are no principals any more."""

    principals: tuple[ReviewedPrincipal, ...]
    attention: tuple[str, ...]


class Reading(Record):
    """How a role lets a principal read a table: columns with their masks, in words, and which rows."""

    principal: str
    role: str
    table: str
    columns: dict[str, str]
    rows: str


def review(platform: Platform, plan: Plan) -> Review:
    """Return every principal; what was asked is looked up in the audit log of the last 90 days.

    A role of the folder counts as held since the log began, as nobody knows when it was given.
    """
    now, directory = platform.clock.wall(), platform.directory
    asked, roles = last_asked(platform, now - _USED_WITHIN), known_roles(directory, plan)
    begun = next((sealed.entry.at for sealed in platform.audit.entries()), now)
    grants, credentials = directory.grants(), directory.credentials()
    everybody, found = principals(plan, directory.principals()), list[ReviewedPrincipal]()
    for known in everybody.values():
        held = tuple(_held(known, grants, now, asked))
        own = [credential for credential in credentials if credential.principal == known.name]
        found.append(
            ReviewedPrincipal(
                principal=known.name,
                kind=known.principal.kind,
                name=known.principal.name,
                declared=known.declared,
                disabled=known.disabled,
                until=known.until,
                roles=held,
                tokens=tuple(_token(each) for each in own if each.kind == "token"),
                has_secret=any(each.kind == "secret" and each.revoked_at is None for each in own),
                asked=max((at for (name, _), at in asked.items() if name == known.name), default=None),
                attention=tuple(_attention(known, held, own, roles, now, begun)),
            )
        )
    return Review(
        principals=tuple(found),
        attention=tuple(_left_behind(everybody, grants, credentials, now)),
    )


def who_can(platform: Platform, plan: Plan, table: str) -> list[Reading]:
    """Return who may read a table now, and how. Raises UserError for one that nobody was given rights to."""
    rights = _approved(platform, plan, mart_of(table))
    if table not in rights.types:
        raise UserError(f"There is no table '{table}' in the approved rights. {nearest(table, rights.types)}")
    now, grants = platform.clock.wall(), platform.directory.grants()
    return [
        reading
        for known in as_approved(platform, plan).values()
        for reading in _readings(known, roles_of(known, grants, now), rights)
        if reading.table == table
    ]


def what_can(platform: Platform, plan: Plan, principal: str) -> list[Reading]:
    """Return all tables that a principal may read now, and how. Raises UserError for an unknown one."""
    principal_named(platform, plan, principal)
    known = as_approved(platform, plan)[principal]
    roles = roles_of(known, platform.directory.grants(principal), platform.clock.wall())
    approvals = [platform.directory.approval(mart) for mart in sorted({mart_of(role) for role in roles})]
    return [
        reading for approval in approvals if approval for reading in _readings(known, roles, approval.rights)
    ]


def last_asked(platform: Platform, since: datetime) -> Asked:
    """Return when each principal last asked each mart, as far as it has since a moment."""
    asked: dict[tuple[str, str], datetime] = {}
    for sealed in platform.audit.entries(since=since):
        if isinstance(sealed.entry, QueryEntry):
            asked |= {(sealed.entry.principal, mart): sealed.entry.at for mart in sealed.entry.versions}
    return asked


def in_words(mask: Mask) -> str:
    """Return what a mask leaves of a value.

    >>> in_words("partial"), in_words(Band(band=5))
    ('its first character', 'the start of its band of 5')
    """
    if isinstance(mask, Band):
        return f"the start of its band of {mask.band:g}"
    if isinstance(mask, Prefix):
        return f"its first {mask.prefix} characters"
    return _WORDS[mask]


_WORDS = {
    "clear": "shown",
    "redact": "hidden",
    "partial": "its first character",
    "hmac": "a keyed hash",
    "year": "its year",
    "band": f"the start of its band of {DEFAULT_BAND:g}",
    "prefix": f"its first {DEFAULT_PREFIX} characters",
}


def _held(known: Known, grants: Sequence[Grant], now: datetime, asked: Asked) -> Iterator[HeldRole]:
    for role in known.principal.roles:
        yield HeldRole(
            role=role,
            source="principals.yaml" if known.declared else "command",
            in_force=known.may_ask(now),
            until=known.until,
            asked=asked.get((known.name, mart_of(role))),
        )
    for grant in grants:
        if grant.principal == known.name:
            yield HeldRole(
                role=grant.role,
                source="grant",
                in_force=known.may_ask(now) and in_force(grant, now),
                since=grant.at,
                until=grant.revoked_at or grant.until,
                by=grant.by,
                reason=grant.reason,
                asked=asked.get((known.name, mart_of(grant.role))),
            )


def _token(credential: Credential) -> ReviewedToken:
    return ReviewedToken(
        id=credential.id,
        scope=credential.scope,
        since=credential.at,
        until=credential.expires,
        revoked=credential.revoked_at,
    )


def _attention(
    known: Known,
    held: Sequence[HeldRole],
    credentials: Sequence[Credential],
    roles: frozenset[str],
    now: datetime,
    begun: datetime,
) -> Iterator[str]:
    for role in held:
        yield from _about_role(role, roles, now, begun)
    if known.disabled and any(role.until is None or role.until > now for role in held):
        yield "is disabled and still holds roles; revoke them, or enable it"
    if known.until and now < known.until < now + _ENDS_SOON:
        yield f"ends at {known.until:%Y-%m-%d}"
    for token in credentials:
        if token.kind == "token" and token.revoked_at is None and token.expires:
            if now < token.expires < now + _ENDS_SOON and token.expires - token.at > _MEANT_TO_END:
                yield f"token {token.id} ends at {token.expires:%Y-%m-%d}; make a new one in time"
            elif known.disabled and now < token.expires:
                yield f"token {token.id} is of a disabled principal; revoke it"


def _about_role(held: HeldRole, roles: frozenset[str], now: datetime, begun: datetime) -> Iterator[str]:
    if held.role not in roles:
        yield f"{held.role} is a role of no mart; it counts for nothing"
    elif not held.in_force:
        return
    elif held.until and held.until < now + _ENDS_SOON:
        yield f"{held.role} ends at {held.until:%Y-%m-%d %H:%M}"
    elif held.asked is None and (held.since or begun) < now - _USED_WITHIN:
        yield f"{held.role} was not used for 90 days; revoke it if nobody needs it"


def _left_behind(
    everybody: Mapping[str, Known], grants: Sequence[Grant], credentials: Sequence[Credential], now: datetime
) -> Iterator[str]:
    """Yield what is still there of principals that are gone; it would count if they came back."""
    for grant in grants:
        if grant.principal not in everybody and in_force(grant, now):
            yield f"{grant.role} is granted to {grant.principal}, whom nobody declares any more; revoke it"
    for credential in credentials:
        ended = credential.revoked_at or (credential.expires and credential.expires <= now)
        if credential.principal not in everybody and not ended:
            yield f"there is a {credential.kind} of {credential.principal}, whom nobody declares any more"


def _approved(platform: Platform, plan: Plan, mart: str) -> MartRights:
    approval = platform.directory.approval(mart)
    if approval is None:
        if mart not in plan.rights:
            raise UserError(f"There is no mart '{mart}'. {nearest(mart, plan.rights)}")
        raise UserError(
            f"No rights to {mart} are approved yet: nobody reads it through the door. Publish it, or use "
            f"`mart access approve {mart}`."
        )
    return approval.rights


def _readings(known: Known, roles: Sequence[str], rights: MartRights) -> Iterator[Reading]:
    for name, role in rights.roles.items():
        if f"{rights.mart}.{name}" in roles:
            yield from _readings_by(known, f"{rights.mart}.{name}", role)


def _readings_by(known: Known, name: str, role: RoleRights) -> Iterator[Reading]:
    for table, rights in role.tables.items():
        yield Reading(
            principal=known.name,
            role=name,
            table=table,
            columns={column: in_words(mask) for column, mask in rights.columns.items()},
            rows=_rows_in_words(rights.rows, rights.smallest_group),
        )


def _rows_in_words(condition: str | None, group: tuple[str, int] | None) -> str:
    parts = [f"where {condition}"] if condition else []
    parts += [f"of groups with {group[0]} of at least {group[1]}"] if group else []
    return ", ".join(parts) or "all"
