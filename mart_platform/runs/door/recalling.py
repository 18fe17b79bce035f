"""What the door knew before it was opened again, from the audit log: what was spent, what queries cost."""

from datetime import UTC, datetime, timedelta

from mart_platform.ports import Platform
from mart_platform.runs.door.answering import Answerer
from mart_platform.spec.entries import QueryEntry

_LEARNS_FROM = timedelta(days=1)


def recall(platform: Platform, answerer: Answerer) -> None:
    """Put today's spending back on its accounts, and learn from the queries of the last day."""
    now = platform.clock.wall()
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
    for sealed in platform.audit.entries(since=min(midnight, now - _LEARNS_FROM)):
        entry = sealed.entry
        if isinstance(entry, QueryEntry):
            answerer.recall(entry, of_today=entry.at >= midnight)
