"""The plan as one Dagster code location."""

import dagster as dg

from mart_platform.orchestration.assets import assets_of
from mart_platform.orchestration.backfilling import backfill_job
from mart_platform.orchestration.maintaining import maintenance_job, maintenance_schedule
from mart_platform.orchestration.naming import published_database, refuse_taken_names
from mart_platform.orchestration.resources import (
    Connect,
    Reported,
    platform_resource,
    published_database_of,
)
from mart_platform.orchestration.scheduling import jobs_of, schedules_of
from mart_platform.orchestration.sensors import freshness_sensor
from mart_platform.planning.plan import Plan
from mart_platform.runs.reporting import MartReport, TableReport
from mart_platform.spec.layout import DataFolder


def unheard(report: TableReport | MartReport) -> None:
    """Take a report that nobody waits for: Dagster's own events have it."""


def definitions_of(
    plan: Plan, data: DataFolder, connect: Connect, reported: Reported = unheard
) -> dg.Definitions:
    """Return everything that Dagster knows of a plan: assets, checks, jobs, schedules, the sensor, resources.

    Steps run one after another in the process of their run: that costs 20 to 45 ms a step where a process for
    each step costs seconds, and the engine uses all cores by itself. Raises UserError where a name or a
    cadence of the plan cannot be had in Dagster.
    """
    refuse_taken_names(plan)
    databases = {published_database(mart): published_database_of(data, mart) for mart in plan.marts}
    return dg.Definitions(
        assets=list(assets_of(plan)),
        jobs=[*jobs_of(plan), backfill_job(plan, data), maintenance_job(plan)],
        schedules=[*schedules_of(plan), maintenance_schedule(plan)],
        sensors=[freshness_sensor(plan)],
        resources={"platform": platform_resource(connect, reported), **databases},
        executor=dg.in_process_executor,
        metadata={"warehouse": dg.MetadataValue.path(plan.root), "plan": plan.digest},
    )
