"""A directory in memory."""

from dataclasses import dataclass, field
from datetime import datetime

from mart_platform.spec.entries import Approval, Credential, Grant, KnownPrincipal


@dataclass
class MemoryDirectory:
    """Keeps everything in dictionaries and lists; newest is last."""

    _principals: dict[str, KnownPrincipal] = field(default_factory=dict)
    _grants: dict[str, Grant] = field(default_factory=dict)
    _credentials: dict[str, Credential] = field(default_factory=dict)
    _approvals: list[Approval] = field(default_factory=list)
    _changes: int = 0

    def put_principal(self, principal: KnownPrincipal) -> None:
        self._principals[principal.name] = principal
        self._changes += 1

    def principals(self) -> list[KnownPrincipal]:
        return [self._principals[name] for name in sorted(self._principals)]

    def add_grant(self, grant: Grant) -> None:
        self._grants[grant.id] = grant
        self._changes += 1

    def revoke_grant(self, grant: str, at: datetime, by: str) -> None:
        if grant not in self._grants:
            raise LookupError(f"the directory knows no '{grant}'")
        if self._grants[grant].revoked_at is None:
            revoked = {"revoked_at": at, "revoked_by": by}
            self._grants[grant] = self._grants[grant].model_copy(update=revoked)
        self._changes += 1

    def grants(self, principal: str | None = None) -> list[Grant]:
        return [grant for grant in self._grants.values() if principal in (None, grant.principal)]

    def put_credential(self, credential: Credential) -> None:
        self._credentials[credential.id] = credential
        self._changes += 1

    def credentials(self, principal: str | None = None) -> list[Credential]:
        return [each for each in self._credentials.values() if principal in (None, each.principal)]

    def credential(self, identity: str) -> Credential | None:
        return self._credentials.get(identity)

    def revoke_credential(self, identity: str, at: datetime) -> None:
        if identity not in self._credentials:
            raise LookupError(f"the directory knows no '{identity}'")
        if self._credentials[identity].revoked_at is None:
            self._credentials[identity] = self._credentials[identity].model_copy(update={"revoked_at": at})
        self._changes += 1

    def approve(self, approval: Approval) -> None:
        self._approvals.append(approval)
        self._changes += 1

    def approval(self, mart: str) -> Approval | None:
        return next(iter(self.approvals(mart)), None)

    def approvals(self, mart: str) -> list[Approval]:
        return [approval for approval in reversed(self._approvals) if approval.rights.mart == mart]

    def stamp(self) -> int:
        return self._changes
