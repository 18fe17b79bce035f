"""The days or hours of a replay, numbered from 1970 on the source's own clock."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from mart_platform.spec.sources import EventTime, Replay
from mart_platform.spec.words import timedelta_of

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (the source's own clock, which says nothing of its zone)


@dataclass(frozen=True)
class Intervals:
    """What a number stands for: a day or an hour, which is one delivery."""

    replay: Replay
    event_time: EventTime

    def number_of(self, local: str) -> str:
        """Return the SQL of the number of the interval that holds a time on the source's clock."""
        return f"date_diff('{self.replay.every}', TIMESTAMP '1970-01-01', {local})"

    def number_of_day(self, day: date) -> int:
        """Return the number of the interval with which a day begins."""
        return (datetime.combine(day, datetime.min.time()) - _EPOCH) // self._length

    def position(self, number: int, ending: str) -> str:
        """Return the name of a delivery, such as ``2017/2017-01-31.csv``."""
        start = _EPOCH + number * self._length
        name = f"{start:%Y-%m-%d}" if self.replay.every == "day" else f"{start:%Y-%m-%dT%H}"
        return f"{start.year}/{name}{ending}"

    def ends(self, number: int) -> datetime:
        """Return the moment at which an interval is over, in UTC."""
        end = _EPOCH + (number + 1) * self._length
        return end.replace(tzinfo=ZoneInfo(self.event_time.zone)).astimezone(UTC)

    def complete_through(self, number: int) -> datetime:
        """Return up to when a delivery is complete: its end, less the lateness where rows are late."""
        lateness = self.event_time.lateness if self.replay.late else None
        return self.ends(number) - (timedelta_of(lateness) if lateness else timedelta())

    @property
    def _length(self) -> timedelta:
        return timedelta(days=1) if self.replay.every == "day" else timedelta(hours=1)
