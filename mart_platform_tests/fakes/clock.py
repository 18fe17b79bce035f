"""A clock that stands still until it is moved."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class SettableClock:
    """Shows ``business`` and ``real``; ``tick`` moves both."""

    business: datetime = datetime(2018, 1, 1, tzinfo=UTC)
    real: datetime = datetime(2026, 11, 2, 9, tzinfo=UTC)

    def now(self) -> datetime:
        return self.business

    def wall(self) -> datetime:
        return self.real

    def tick(self, **by: float) -> None:
        """Move both clocks, by what ``timedelta`` takes: ``tick(hours=1)``."""
        self.business += timedelta(**by)
        self.real += timedelta(**by)
