"""Credentials: the secret of a principal, and its tokens, of which the platform keeps salted hashes alone."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.access.hashing import hashed
from mart_platform.runs.access.principals import Known, principal_named
from mart_platform.runs.access.recording import record
from mart_platform.spec.entries import Credential
from mart_platform.spec.problems import UserError, nearest

TOKEN_PREFIX = "mt_"  # noqa: S105 - what all tokens begin with, so that scanners of code find a lost one
_SHORTEST, _LONGEST = 12, 1000
_LONGEST_LASTING = timedelta(days=366)
_TOKEN_BYTES = 32


@dataclass(frozen=True)
class IssuedToken:
    """A new token: ``token`` is told this once, and is kept nowhere."""

    token: str = field(repr=False)
    credential: Credential


def set_secret(platform: Platform, plan: Plan, principal: str, secret: str, by: str) -> Credential:
    """Give a principal a secret, in the place of the one before.

    Raises UserError for an unknown principal, and for a secret that is too easily guessed.
    """
    principal_named(platform, plan, principal)
    if not _SHORTEST <= len(secret) <= _LONGEST:
        raise UserError(
            f"A secret has at least {_SHORTEST} characters, and at most {_LONGEST}; give another."
        )
    if principal in secret.lower() or len(set(secret)) < _SHORTEST // 2:
        raise UserError("This secret is too easily guessed; give one that is made at random.")
    credential = Credential(
        id=principal,
        principal=principal,
        kind="secret",
        hash=hashed(secret, "scrypt"),
        at=platform.clock.wall(),
        by=by,
    )
    record(platform, "secret_set", by, principal=principal)
    platform.directory.put_credential(credential)
    return credential


def remove_secret(platform: Platform, principal: str, by: str) -> Credential:
    """Take the secret of a principal away, also of one that is gone. Raises UserError when it has none."""
    credential = platform.directory.credential(principal)
    if credential is None or credential.kind != "secret" or credential.revoked_at is not None:
        raise UserError(f"{principal} has no secret.")
    record(platform, "secret_removed", by, principal=principal)
    platform.directory.revoke_credential(principal, platform.clock.wall())
    return credential


def issue_token(
    platform: Platform, plan: Plan, principal: str, *, scope: Sequence[str] = (), lasting: timedelta, by: str
) -> IssuedToken:
    """Make a token ``mt_<id>_<secret>`` for a principal, good for the marts in ``scope``, or for all.

    Raises UserError for a principal that is unknown or disabled, an unknown mart, a span above a year.
    """
    _may_have_a_token(principal_named(platform, plan, principal))
    if unknown := next((mart for mart in scope if mart not in plan.rights), None):
        raise UserError(f"There is no mart '{unknown}'. {nearest(unknown, plan.rights)}")
    if not timedelta(0) < lasting <= _LONGEST_LASTING:
        raise UserError("A token lasts for at most a year; give a shorter span, and make a new one in time.")
    now, secret = platform.clock.wall(), secrets.token_urlsafe(_TOKEN_BYTES)
    credential = Credential(
        id=f"T{secrets.token_hex(6).upper()}",  # a capital, which no principal's name has
        principal=principal,
        kind="token",
        hash=hashed(secret, "sha256"),
        scope=tuple(scope),
        expires=now + lasting,
        at=now,
        by=by,
    )
    text = (
        f"{credential.id} until {credential.expires:%Y-%m-%d %H:%M} UTC for {', '.join(scope) or 'all marts'}"
    )
    record(platform, "token_issued", by, principal=principal, text=text)
    platform.directory.put_credential(credential)
    return IssuedToken(f"{TOKEN_PREFIX}{credential.id}_{secret}", credential)


def tokens(platform: Platform, principal: str | None = None) -> list[Credential]:
    """Return the tokens of a principal, or of all, also those that ended."""
    return [each for each in platform.directory.credentials(principal) if each.kind == "token"]


def revoke_token(platform: Platform, identity: str, by: str) -> Credential:
    """End a token by its id. Raises UserError when there is none; one that was revoked stays as it is."""
    known = {token.id: token for token in tokens(platform)}
    if identity not in known:
        raise UserError(f"There is no token '{identity}'. {nearest(identity, known)}")
    token = known[identity]
    if token.revoked_at is None:
        record(platform, "token_revoked", by, principal=token.principal, text=identity)
        platform.directory.revoke_credential(identity, platform.clock.wall())
    return token


def _may_have_a_token(known: Known) -> None:
    if known.disabled:
        raise UserError(
            f"{known.name} is disabled; `mart access enable {known.name}` lets it ask again first."
        )
