"""Authentication: who asks, proved by a secret, by a token of ours or by one that an issuer has signed.

Every way of not being let in looks the same and costs the same: the same sentence, the same hash. What was
proved is kept for a minute, so that not each request pays for it; yet a change of the directory counts at
once, because what is kept is good for one stamp of it.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from uuid import uuid4

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.access.callers import Caller, Proof
from mart_platform.runs.access.credentials import TOKEN_PREFIX
from mart_platform.runs.access.hashing import hashed, matches
from mart_platform.runs.access.principals import Known, as_approved, in_force, roles_of
from mart_platform.runs.access.slowing import Delays
from mart_platform.spec.entries import ConnectEntry, Credential, Grant

_KEPT_SECONDS = 60.0
_KEPT_PROOFS = 10_000
_STRIPES = 64
_LONGEST_NAME = 200

How = Literal["secret", "token", "jwt", "none"]


class NotConnected(Exception):
    """Nobody is let in by these credentials; why is nobody's business who has no right ones.

    ``code`` is ``not_connected``, or ``slow_down`` where too many tries have failed: the next one is heard
    after ``retry_after`` seconds.
    """

    def __init__(self, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        self.code = "not_connected" if retry_after is None else "slow_down"
        super().__init__(
            "These credentials do not open this door: the name or the secret is wrong, or no longer good."
            if retry_after is None
            else f"Too many tries have failed; the next one is heard in {retry_after:.0f} seconds."
        )


class Authenticator:
    """Proves who asks; safe for many threads. ``elapsed`` gives seconds that only grow.

    Every method raises NotConnected; a try that cannot be recorded raises AuditUnavailable.
    """

    def __init__(
        self,
        platform: Platform,
        plan_of: Callable[[], Plan],
        *,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._platform, self._plan_of = platform, plan_of
        self._tokens = platform.tokens  # made here, so that a missing key set is told when the door opens
        self._delays = Delays(elapsed)
        self._proofs = _Proofs(elapsed)
        self._one_at_a_time = tuple(threading.Lock() for _ in range(_STRIPES))
        self._nobodys_secret = hashed(secrets.token_hex(), "scrypt")
        self._nobodys_token = hashed(secrets.token_hex(), "sha256")
        self._seen: _Directory | None = None

    def with_secret(self, name: str, secret: str, client: str) -> Caller:
        """Return who has this name and secret; ``client`` is the address that it comes from."""
        return self._connected(_Try("secret", _bounded(name), secret, client))

    def with_token(self, token: str, client: str) -> Caller:
        """Return who was given this token: one of ours, or one that an issuer has signed."""
        if token.startswith(TOKEN_PREFIX):
            identity, _, secret = token.removeprefix(TOKEN_PREFIX).partition("_")
            return self._connected(_Try("token", _bounded(identity), secret, client))
        how: How = "jwt" if token.count(".") == 2 else "none"
        return self._connected(_Try(how, hashlib.sha256(_bytes(token)).hexdigest(), token, client))

    def again(self, caller: Caller) -> Caller:
        """Return somebody who has connected as they are now, if what proved it still holds.

        It is no try to connect: there is no secret to guess, and nothing to record.
        """
        directory, proof = self._directory(), caller.proof
        found = self._caller(proof, directory) if proof and directory.holds(proof) else None
        if found is None:
            raise NotConnected
        return found

    def _connected(self, attempt: "_Try") -> Caller:
        directory = self._directory()
        if caller := self._kept(attempt, directory):
            return caller
        with self._one_at_a_time[hash((attempt.name, attempt.client)) % _STRIPES]:
            if caller := self._kept(attempt, directory):
                return caller
            if wait := self._delays.left(attempt.name, attempt.client):
                raise NotConnected(wait)
            return self._proved(attempt, directory)

    def _proved(self, attempt: "_Try", directory: "_Directory") -> Caller:
        began = time.perf_counter()
        named, proof = self._examined(attempt, directory)
        caller = self._caller(proof, directory) if proof else None
        self._record(attempt, directory.known.get(named), caller is not None, time.perf_counter() - began)
        if proof is None or caller is None:
            self._delays.failed(attempt.name, attempt.client)
            raise NotConnected
        self._delays.succeeded(attempt.name, attempt.client)
        self._proofs.keep(attempt, directory.state, proof)
        return caller

    def _kept(self, attempt: "_Try", directory: "_Directory") -> Caller | None:
        proof = self._proofs.kept(attempt, directory.state)
        return self._caller(proof, directory) if proof else None

    def _examined(self, attempt: "_Try", directory: "_Directory") -> tuple[str, Proof | None]:
        """Return whom an attempt names, as far as it does, and what it proves."""
        match attempt.how:
            case "none":
                return "", None
            case "jwt":
                proof = self._signed(attempt)
                return proof.principal if proof else "", proof
            case "secret" | "token":
                return self._compared(attempt, attempt.how, directory)

    def _signed(self, attempt: "_Try") -> Proof | None:
        signed = self._tokens.read(attempt.secret) if self._tokens else None
        return Proof(signed.principal, "jwt", attempt.name, until=signed.until) if signed else None

    def _compared(
        self, attempt: "_Try", how: Literal["secret", "token"], directory: "_Directory"
    ) -> tuple[str, Proof | None]:
        credential = directory.credentials.get(attempt.name)
        if credential and credential.kind != how:
            credential = None
        nobodys = self._nobodys_secret if how == "secret" else self._nobodys_token
        right = matches(attempt.secret, credential.hash if credential else nobodys)
        named = attempt.name if how == "secret" else credential.principal if credential else ""
        if not right or credential is None or credential.revoked_at is not None:
            return named, None
        of = _identity(credential)
        return named, Proof(credential.principal, how, of, credential.scope, credential.expires)

    def _caller(self, proof: Proof, directory: "_Directory") -> Caller | None:
        """Return who it is that has proved this, None where that one may not ask at this moment."""
        now = self._platform.clock.wall()
        known = directory.known.get(proof.principal)
        if known is None or not known.may_ask(now) or (proof.until and now >= proof.until):
            return None
        grants = [each for each in directory.grants.get(known.name, ()) if in_force(each, now)]
        ends = [proof.until, known.until, *(grant.until for grant in grants)]
        return Caller(
            principal=known.name,
            kind=known.principal.kind,
            roles=roles_of(known, grants, now),
            attributes=known.principal.attributes,
            until=min((end for end in ends if end is not None), default=None),
            budget=known.principal.budget,
            proof=proof,
        )

    def _record(self, attempt: "_Try", known: Known | None, succeeded: bool, seconds: float) -> None:
        """Record a try. A name that nobody has is left out: it may be a secret in the wrong field."""
        self._platform.audit.append(
            ConnectEntry(
                id=uuid4().hex,
                at=self._platform.clock.wall(),
                principal=known.name if known else "",
                client=attempt.client,
                how=attempt.how,
                succeeded=succeeded,
                noise=known is None,
                milliseconds=round(1000 * seconds, 3),
            )
        )

    def _directory(self) -> "_Directory":
        """Return what the directory holds and the folder declares, read again only when either changed."""
        plan, state = self._plan_of(), self._platform.directory.stamp()
        seen = self._seen
        if seen is None or seen.state != (state, plan.digest):
            seen = self._seen = _Directory.read(self._platform, plan, state)
        return seen


@dataclass(frozen=True)
class _Try:
    """A try to connect: ``name`` is what it is counted under, the secret is that alone."""

    how: How
    name: str
    secret: str
    client: str


@dataclass(frozen=True)
class _Directory:
    """Everything that authentication looks up, as it was at one stamp and in one plan."""

    state: tuple[int, str]
    known: Mapping[str, Known]
    grants: Mapping[str, Sequence[Grant]]
    credentials: Mapping[str, Credential]

    @classmethod
    def read(cls, platform: Platform, plan: Plan, stamp: int) -> "_Directory":
        directory = platform.directory
        grants: dict[str, list[Grant]] = {}
        for grant in directory.grants():
            grants.setdefault(grant.principal, []).append(grant)
        return cls(
            state=(stamp, plan.digest),
            known=as_approved(platform, plan),
            grants=grants,
            credentials={credential.id: credential for credential in directory.credentials()},
        )

    def holds(self, proof: Proof) -> bool:
        """Say whether a credential still is the one that proved it, and was not revoked.

        What an issuer has signed it cannot take back: that holds until it expires.
        """
        return proof.how == "jwt" or proof.credential in self._in_use

    @cached_property
    def _in_use(self) -> frozenset[str]:
        in_use = (each for each in self.credentials.values() if each.revoked_at is None)
        return frozenset(map(_identity, in_use))


class _Proofs:
    """What was proved of late, under a keyed hash of the secret: the secret itself is not kept."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._key = secrets.token_bytes(32)
        self._proofs: OrderedDict[bytes, tuple[Proof, tuple[int, str], float]] = OrderedDict()
        self._lock = threading.Lock()

    def kept(self, attempt: _Try, state: tuple[int, str]) -> Proof | None:
        with self._lock:
            proof, at, since = self._proofs.get(self._name(attempt), (None, state, 0.0))
        return proof if at == state and self._elapsed() - since < _KEPT_SECONDS else None

    def keep(self, attempt: _Try, state: tuple[int, str], proof: Proof) -> None:
        with self._lock:
            self._proofs[self._name(attempt)] = (proof, state, self._elapsed())
            while len(self._proofs) > _KEPT_PROOFS:
                self._proofs.popitem(last=False)

    def _name(self, attempt: _Try) -> bytes:
        parts = (attempt.how, attempt.name, attempt.client, attempt.secret)
        return hmac.digest(self._key, b"\0".join(map(_bytes, parts)), "sha256")


def _identity(credential: Credential) -> str:
    """Return the name of this very secret or token; the salt in its hash makes each another one."""
    return hashlib.sha256(f"{credential.id} {credential.hash}".encode()).hexdigest()


def _bounded(name: str) -> str:
    """Return a name, or that of nobody for one so long that only our memory would feel it."""
    return name if len(name) <= _LONGEST_NAME else ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
