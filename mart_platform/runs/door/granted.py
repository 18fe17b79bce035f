"""What each caller may see: the rights that are approved, and the policies that follow from them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mart_platform.gate.policies import Policy
from mart_platform.planning.plan import Plan
from mart_platform.ports import Directory
from mart_platform.runs.access.callers import Caller
from mart_platform.runs.door.policies import policy_for
from mart_platform.runs.door.recent import Recent
from mart_platform.spec.rights import MartRights


@dataclass(frozen=True)
class Approved:
    """The rights of all marts at one moment."""

    rights: Mapping[str, MartRights]

    @cached_property
    def digest(self) -> tuple[str, ...]:
        """The digest of all of them."""
        return tuple(sorted(its.digest for its in self.rights.values()))

    def of(self, marts: Collection[str]) -> dict[str, MartRights]:
        """Return the rights of some marts."""
        return {mart: self.rights[mart] for mart in marts if mart in self.rights}


@dataclass
class Granted:
    """The approved rights of all marts, as of the last ``refresh``. Safe for many threads."""

    directory: Directory
    plan_of: Callable[[], Plan]
    approved: Approved = field(default_factory=lambda: Approved({}))
    _stamp: int | None = None
    _policies: "Recent[tuple[Any, ...], Policy]" = field(default_factory=lambda: Recent(4096))

    def refresh(self) -> None:
        """Look for rights that were approved since."""
        stamp = self.directory.stamp()
        if stamp != self._stamp:
            approvals = (self.directory.approval(mart) for mart in self.plan_of().marts)
            self.approved = Approved({each.rights.mart: each.rights for each in approvals if each})
            self._stamp = stamp

    def policy(self, caller: Caller, approved: Approved) -> Policy:
        """Return what a caller may see by these rights."""
        attributes = tuple((name, type(v).__name__, v) for name, v in caller.attributes.items())
        key = (caller.principal, caller.roles, caller.scope, attributes, approved.digest)
        return self._policies.of(key, lambda: policy_for(caller, approved.rights))
