"""Who asks, once that is proved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mart_platform.spec.budgets import Budget
from mart_platform.spec.principals import Attribute


@dataclass(frozen=True)
class Caller:
    """A principal whose identity is proved. ``scope`` are the marts that its token is good for, or empty.

    ``roles`` are those in force now, from the folder and from grants; ``budget`` is the principal's own.
    """

    principal: str
    kind: Literal["person", "service"]
    roles: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    scope: tuple[str, ...] = ()
    how: Literal["secret", "token", "jwt"] = "secret"
    until: datetime | None = None
    budget: Budget = field(default_factory=Budget)
