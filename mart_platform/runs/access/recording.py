"""What is kept of each change of who may see what: an entry in the audit log, and an event in the ledger."""

from uuid import uuid4

from mart_platform.ports import Platform
from mart_platform.spec.entries import AccessEntry
from mart_platform.spec.records import Event


def record(
    platform: Platform,
    what: str,
    by: str,
    *,
    principal: str = "",
    role: str = "",
    mart: str = "",
    text: str = "",
) -> AccessEntry:
    """Record a change before it is made, so that none is made that cannot be recorded.

    Raises AuditUnavailable. ``text`` must hold no secret.
    """
    entry = AccessEntry(
        id=uuid4().hex,
        at=platform.clock.wall(),
        by=by,
        what=what,
        principal=principal,
        role=role,
        mart=mart,
        text=text,
    )
    platform.audit.append(entry)
    platform.audit.close()  # such changes are rare: the ledger shall know of each at once
    details = entry.model_dump(mode="json", exclude={"at", "what"}, exclude_defaults=True)
    platform.ledger.add_event(Event(at=entry.at, kind=what, subject=principal or mart, details=details))
    return entry
