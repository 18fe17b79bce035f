"""When the rows of a delivery happened: the newest of them, and those that come later than allowed."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from mart_platform.planning.quoting import literal, quoted
from mart_platform.ports import EngineSession
from mart_platform.spec.sources import EventTime, SourceTable


@dataclass(frozen=True)
class EventTimes:
    """The newest event of some rows, and how many happened before a watermark; moments are in UTC."""

    newest: datetime | None = None
    late: int = 0
    earliest: datetime | None = None


def event_times(
    session: EngineSession, contract: SourceTable, relation: str, watermark: datetime | None
) -> EventTimes:
    """Look at the rows of a relation; ``earliest`` is the first of them, where any is late.

    A snapshot repeats what was there, so that none of its rows is late.
    """
    event_time = contract.event_time
    if event_time is None:
        return EventTimes()
    column, late = quoted(event_time.column), "false"
    if watermark is not None and contract.delivers == "changes":
        late = _before(watermark, column, contract.columns[event_time.column].type, event_time)
    (found,) = session.rows(
        f"SELECT max({column}) AS newest, min({column}) AS earliest, count(*) FILTER ({late}) AS late"
        f" FROM {relation}"
    )
    return EventTimes(
        newest=_moment(found["newest"], event_time),
        late=found["late"],
        earliest=_moment(found["earliest"], event_time) if found["late"] else None,
    )


def _before(watermark: datetime, column: str, kind: str, event_time: EventTime) -> str:
    """Return the SQL that is true for rows before the watermark, on the source's own clock."""
    if kind == "timestamptz":
        return f"{column} < TIMESTAMPTZ {literal(watermark.isoformat())}"
    local = watermark.astimezone(ZoneInfo(event_time.zone)).replace(tzinfo=None)
    return f"{column}::TIMESTAMP < TIMESTAMP {literal(local.isoformat())}"


def _moment(found: date | datetime | None, event_time: EventTime) -> datetime | None:
    """Return an event time as a moment; a day is its midnight on the source's clock."""
    if found is None:
        return None
    moment = found if isinstance(found, datetime) else datetime.combine(found, datetime.min.time())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(event_time.zone))
    return moment.astimezone(UTC)
