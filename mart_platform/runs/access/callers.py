"""Who asks, once that is proved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mart_platform.spec.budgets import Budget
from mart_platform.spec.principals import Attribute


@dataclass(frozen=True)
class Proof:
    """By what an identity was proved, for which marts (all where ``scope`` is empty), and until when.

    ``credential`` names the very secret or token without telling anything of it: what is put in its place has
    another name. ``until`` is when the proof ends by itself.
    """

    principal: str
    how: Literal["secret", "token", "jwt"]
    credential: str
    scope: tuple[str, ...] = ()
    until: datetime | None = None


@dataclass(frozen=True)
class Caller:
    """A principal whose identity is proved; None is the ``proof`` of one that was made up for a trial.

    ``roles`` are those in force now, from the folder and from grants; ``budget`` is the principal's own. All
    of it holds ``until`` the first of its parts ends.
    """

    principal: str
    kind: Literal["person", "service"]
    roles: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    until: datetime | None = None
    budget: Budget = field(default_factory=Budget)
    proof: Proof | None = None

    @property
    def scope(self) -> tuple[str, ...]:
        """The marts that its token is good for; empty where it is good for all."""
        return self.proof.scope if self.proof else ()
