"""Until when something holds, as options say it: up to a day or a moment, or for a while."""

from datetime import UTC, date, datetime, timedelta

import click

from mart_platform.cli.moments import Moment
from mart_platform.planning.plan import Plan
from mart_platform.spec.words import timedelta_of


class Span(click.ParamType[timedelta]):
    """A span such as 8h or 30d."""

    name = "span"

    def convert(
        self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return timedelta_of(value)
        except ValueError:
            self.fail(f"'{value}' is not a span; write it as 30m, 8h, 14d, 6mo or 1y", param, ctx)


class End(click.ParamType[date]):
    """A day, which is included, or a moment; without a zone it is in UTC."""

    name = "end"

    def convert(
        self, value: str | date, param: click.Parameter | None, ctx: click.Context | None
    ) -> date | datetime:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            return Moment().convert(value, param, ctx)


def end_of_span(
    plan: Plan, now: datetime, until: date | datetime | None, lasting: timedelta | None
) -> datetime | None:
    """Return the moment that ``--until`` or ``--for`` names, None where neither is given."""
    from mart_platform.runs.access.principals import end_of

    if until is not None and lasting is not None:
        raise click.UsageError("Give --until or --for, not both.")
    if lasting is not None:
        return now + lasting
    if until is None or isinstance(until, datetime):
        return until
    return end_of(until, plan.settings.zone).astimezone(UTC)
