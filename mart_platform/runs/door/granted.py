"""What each caller may see: the rights that are approved, and the policies that follow from them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mart_platform.gate.policies import Policy
from mart_platform.planning.plan import Plan
from mart_platform.ports import Directory
from mart_platform.runs.access.callers import Caller
from mart_platform.runs.door.policies import policy_for
from mart_platform.runs.door.recent import Recent
from mart_platform.spec.rights import MartRights


@dataclass
class Granted:
    """The approved rights of all marts, as of the last ``refresh``. Safe for many threads."""

    directory: Directory
    plan_of: Callable[[], Plan]
    rights: Mapping[str, MartRights] = field(default_factory=dict)
    _stamp: int | None = None
    _policies: "Recent[tuple[Any, ...], Policy]" = field(default_factory=lambda: Recent(4096))

    def refresh(self) -> None:
        """Look for rights that were approved since."""
        stamp = self.directory.stamp()
        if stamp != self._stamp:
            approvals = (self.directory.approval(mart) for mart in self.plan_of().marts)
            self.rights = {each.rights.mart: each.rights for each in approvals if each}
            self._stamp = stamp

    def of(self, marts: Collection[str]) -> dict[str, MartRights]:
        """Return the rights of some marts."""
        rights = self.rights
        return {mart: rights[mart] for mart in marts if mart in rights}

    def policy(self, caller: Caller) -> Policy:
        """Return what a caller may see now."""
        rights = self.rights
        attributes = sorted((name, type(v).__name__, v) for name, v in caller.attributes.items())
        digests = sorted((mart, its.digest) for mart, its in rights.items())
        key = (caller.principal, caller.roles, caller.scope, tuple(attributes), tuple(digests))
        return self._policies.of(key, lambda: policy_for(caller, rights))
