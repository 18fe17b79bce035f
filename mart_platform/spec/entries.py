"""What is remembered of who may ask, and who did: principals, grants, credentials, entries of the audit log.

All moments are aware and in UTC.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from mart_platform.spec.budgets import Lane
from mart_platform.spec.principals import Principal
from mart_platform.spec.records import Record
from mart_platform.spec.rights import MartRights


class KnownPrincipal(Record):
    """A principal as a command has made it; one that the warehouse folder declares can but be disabled.

    Where no command has made it, ``declared``, it is known for as long as the folder declares it, and only
    whether it is disabled counts here.
    """

    name: str
    principal: Principal
    at: datetime
    by: str
    disabled: bool = False
    declared: bool = False


class Grant(Record):
    """A role that a principal was given; it ends at ``until``, or when it is revoked."""

    id: str
    principal: str
    role: str
    until: datetime | None = None
    reason: str = ""
    at: datetime
    by: str
    revoked_at: datetime | None = None
    revoked_by: str | None = None


class Credential(Record):
    """The secret of a principal, or a token, as a salted hash.

    ``hash`` is ``<scheme>$<parameters>$<salt>$<digest>``. A password (``kind`` secret) is the only one of its
    principal; a token is called by its ``id``, and answers only what lies in its ``scope``: names of marts,
    all where it is empty.
    """

    id: str
    principal: str
    kind: Literal["secret", "token"]
    hash: str
    scope: tuple[str, ...] = ()
    expires: datetime | None = None
    at: datetime
    by: str
    revoked_at: datetime | None = None


class Approval(Record):
    """The rights of a mart that the door uses from ``at`` on."""

    rights: MartRights
    at: datetime
    by: str
    wider: tuple[str, ...] = ()


Outcome = Literal["answered", "cached", "refused", "failed", "cancelled"]


class QueryEntry(Record):
    """One query: who, from where, what, on which versions, under which policies, and how it went.

    ``policies`` is the digest of what ``Audit.policy`` gives; ``filtered`` names the tables whose rows were
    filtered, ``masked`` maps columns ``mart.table.column`` to their masks. ``steps`` are milliseconds.
    ``answered_from`` is the aggregate that was asked instead of what would have cost too much.
    ``detail`` is the whole error, which only this log holds. ``answer`` is the digest of the rows whatever
    their order, where a receipt was asked for.
    """

    kind: Literal["query"] = "query"
    id: str
    at: datetime
    principal: str
    roles: tuple[str, ...] = ()
    door: str
    client: str = ""
    text: str
    parameters: tuple[Any, ...] | dict[str, Any] = ()
    fingerprint: str = ""
    asked: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, int] = Field(default_factory=dict)
    policies: str = ""
    masked: dict[str, str] = Field(default_factory=dict)
    filtered: tuple[str, ...] = ()
    fenced: bool = False
    answered_from: str = ""
    lane: Lane | None = None
    outcome: Outcome
    code: str = ""
    detail: str = ""
    rows: int = 0
    bytes: int = 0
    bytes_read: int = 0
    cpu_seconds: float = 0.0
    price: float = 0.0
    estimate: float | None = None
    steps: dict[str, float] = Field(default_factory=dict)
    answer: str = ""

    @property
    def has_answer(self) -> bool:
        """Whether there was an answer, be it one that was kept from before."""
        return self.outcome in ("answered", "cached")


class AccessEntry(Record):
    """A change of who may see what: a grant, a token, an approval."""

    kind: Literal["access"] = "access"
    id: str
    at: datetime
    by: str
    what: str
    principal: str = ""
    role: str = ""
    mart: str = ""
    text: str = ""


class ConnectEntry(Record):
    """A try to connect. ``noise`` is one that named no principal that we know: a scanner's."""

    kind: Literal["connect"] = "connect"
    id: str
    at: datetime
    principal: str = ""
    client: str = ""
    how: Literal["secret", "token", "jwt", "none"]
    succeeded: bool
    noise: bool = False
    milliseconds: float = 0.0


Entry = Annotated[QueryEntry | AccessEntry | ConnectEntry, Field(discriminator="kind")]


class Sealed(Record):
    """An entry in its place of the chain: ``hash`` is over its number, the hash before it, and its text."""

    number: int
    previous: str
    entry: Entry
    hash: str
