"""Days and moments as they are given to options."""

from datetime import UTC, date, datetime

import click


class Moment(click.ParamType[datetime]):
    """A day or a moment as ISO 8601 writes it; without a zone it is in UTC."""

    name = "moment"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            given = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(
                f"'{value}' is not a moment; write it as 2018-01-01 or 2018-01-01T12:00:00Z", param, ctx
            )
        return given if given.tzinfo else given.replace(tzinfo=UTC)


class Day(click.ParamType[date]):
    """A day as ISO 8601 writes it."""

    name = "day"

    def convert(self, value: str | date, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"'{value}' is not a day; write it as 2017-01-31", param, ctx)
