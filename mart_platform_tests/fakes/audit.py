"""An audit log in memory, in which every entry is a file of its own; it can be made to fail."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile
from uuid import uuid4

from mart_platform.ports import AuditFault, AuditUnavailable
from mart_platform.spec.entries import AccessEntry, Entry, Sealed


@dataclass
class MemoryAudit:
    """Keeps entries in a list. While ``full`` it takes none, as if its disk were full."""

    full: bool = False
    _entries: list[Sealed] = field(default_factory=list)
    _policies: dict[str, str] = field(default_factory=dict)
    _number: int = 0
    _hash: str = "0" * 64

    def append(self, entry: Entry) -> Sealed:
        if self.full:
            raise AuditUnavailable("The audit log cannot be written.")
        text = f"{self._number + 1}{self._hash}{entry!r}"
        sealed = Sealed(
            number=self._number + 1,
            previous=self._hash,
            entry=entry,
            hash=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        )
        self._entries.append(sealed)
        self._number, self._hash = sealed.number, sealed.hash
        return sealed

    def entries(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[Sealed]:
        for sealed in self._entries:
            at = sealed.entry.at
            if (since is None or since <= at) and (until is None or at < until):
                yield sealed

    def find(self, identity: str) -> Sealed | None:
        return next((sealed for sealed in self._entries if sealed.entry.id == identity), None)

    def keep_policy(self, digest: str, policy: str) -> None:
        if self.full:
            raise AuditUnavailable("The audit log cannot be written.")
        self._policies.setdefault(digest, policy)

    def policy(self, digest: str) -> str | None:
        return self._policies.get(digest)

    def verify(self) -> Sequence[AuditFault]:
        return []

    def retire(self, before: datetime) -> int:
        gone = list(takewhile(lambda sealed: sealed.entry.at < before, self._entries[:-1]))
        if gone:
            self.append(_entry("audit_retired", "retention", f"{len(gone)} entries"))
            del self._entries[: len(gone)]
        return len(gone)

    def begin_anew(self, by: str, reason: str) -> Sealed:
        self._entries.clear()
        return self.append(_entry("audit_begun_anew", by, reason))

    def close(self) -> None:
        """Nothing is open."""


def _entry(what: str, by: str, text: str) -> AccessEntry:
    return AccessEntry(id=uuid4().hex, at=datetime.now(UTC), by=by, what=what, text=text)
