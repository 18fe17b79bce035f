"""Jobs and schedules: one job a mart, one for all, and a schedule from each mart's cadence."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from mart_platform.orchestration.naming import BUILD_ALL, job_name, publication_key
from mart_platform.planning.plan import Plan, PlannedMart
from mart_platform.spec.problems import UserError
from mart_platform.spec.words import timedelta_of

if TYPE_CHECKING:  # the only name that Dagster has for what define_asset_job returns
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

_DAY = 24 * 60


def jobs_of(plan: Plan) -> "Iterator[UnresolvedAssetJobDefinition]":
    """Yield a job for each mart, its publication and all that it is made from, and one for everything."""
    for name, mart in plan.marts.items():
        yield dg.define_asset_job(
            job_name(name),
            selection=dg.AssetSelection.assets(publication_key(name)).upstream(),
            description=f"Lands, builds, checks and publishes {mart.spec.title}, from its sources on.",
        )
    yield dg.define_asset_job(
        BUILD_ALL,
        selection=dg.AssetSelection.all(),
        description="Lands, builds, checks and publishes everything.",
    )


def schedules_of(plan: Plan) -> Iterator[dg.ScheduleDefinition]:
    """Yield the schedule of each mart that has a cadence; a mart that is a stream has none.

    Schedules of marts in production run as soon as somebody starts the daemon. Those of a mart in
    development, in testing or deprecated wait until somebody turns them on.
    """
    for mart in plan.marts.values():
        if mart.spec.cadence != "stream":
            yield _schedule(plan, mart)


def cron_lines(cadence: str) -> list[str]:
    """Return a cadence as cron lines. Cadences of the form ``every …`` start anew at midnight.

    >>> cron_lines("30 4 * * *"), cron_lines("every 30m"), cron_lines("every 12h")
    (['30 4 * * *'], ['0,30 * * * *'], ['0 0,12 * * *'])
    >>> cron_lines("every 90m")
    ['0 0,3,6,9,12,15,18,21 * * *', '30 1,4,7,10,13,16,19,22 * * *']
    """
    every = re.fullmatch(r"every (\S+)", cadence)
    if every is None:
        return [cadence]
    step = int(timedelta_of(every[1]).total_seconds() // 60)
    minutes_of: dict[int, list[str]] = defaultdict(list)
    for moment in range(0, _DAY, step):
        minutes_of[moment // 60].append(str(moment % 60))
    hours_at: dict[str, list[str]] = defaultdict(list)
    for hour, minutes in minutes_of.items():
        hours_at[",".join(minutes)].append(str(hour))
    return [f"{minutes} {_listed(hours)} * * *" for minutes, hours in hours_at.items()]


def _listed(hours: list[str]) -> str:
    return "*" if len(hours) == 24 else ",".join(hours)


def _schedule(plan: Plan, mart: PlannedMart) -> dg.ScheduleDefinition:
    name, lines = mart.spec.mart, cron_lines(mart.spec.cadence)
    production = mart.spec.lifecycle == "production"
    try:
        return dg.ScheduleDefinition(
            name=f"{job_name(name)}_schedule",
            job_name=job_name(name),
            cron_schedule=lines[0] if len(lines) == 1 else lines,
            execution_timezone=plan.settings.zone,
            description=f"Cadence of {mart.spec.title}: {mart.spec.cadence}.",
            default_status=dg.DefaultScheduleStatus.RUNNING
            if production
            else dg.DefaultScheduleStatus.STOPPED,
        )
    except dg.DagsterInvalidDefinitionError as error:
        raise UserError(
            f"{mart.folder}/mart.yaml: the cadence '{mart.spec.cadence}' is no cron line. "
            'Write one such as "30 4 * * *", or "every 5m".'
        ) from error
