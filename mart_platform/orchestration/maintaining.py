"""Maintenance as a job with a schedule of its own, off-peak."""

import dagster as dg

from mart_platform.orchestration.naming import MAINTAIN
from mart_platform.orchestration.resources import OpenPlatform
from mart_platform.orchestration.scheduling import cron_lines
from mart_platform.orchestration.steps import CAUSE, PROCESS
from mart_platform.planning.plan import Plan
from mart_platform.runs.leasing import this_process
from mart_platform.runs.maintaining import Maintained, maintain
from mart_platform.spec.problems import UserError


def maintenance_job(plan: Plan) -> dg.JobDefinition:
    """Return the job, which does what ``mart maintain`` does."""

    @dg.op(name=f"{MAINTAIN}_lake", required_resource_keys={"platform"})
    def step(context: dg.OpExecutionContext) -> None:
        opened: OpenPlatform = context.resources.platform
        cause = context.run.tags.get(CAUSE) or f"the job {MAINTAIN}"
        context.instance.add_run_tags(context.run_id, {PROCESS: this_process()})
        try:
            opened.begin(plan, context.run_id, cause, tuple(plan.marts))
            maintained = maintain(opened.ports, plan, context.run_id, cause=cause)
        except UserError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        context.add_output_metadata(_figures(maintained))
        if problems := [f"{each.table}: {each.problem}" for each in maintained.tables if each.problem]:
            raise dg.Failure("\n".join(problems), allow_retries=False)

    @dg.job(name=MAINTAIN, description="Retires old rows, joins small files, removes what nobody needs.")
    def job() -> None:
        step()

    return job


def maintenance_schedule(plan: Plan) -> dg.ScheduleDefinition:
    """Return its schedule, which runs as soon as somebody starts the daemon if any mart is in production.

    Raises UserError when the settings name no time for it.
    """
    at = plan.settings.maintenance.at
    lines = [] if at == "stream" else cron_lines(at)
    production = any(mart.spec.lifecycle == "production" for mart in plan.marts.values())
    try:
        return dg.ScheduleDefinition(
            name=f"{MAINTAIN}_schedule",
            job_name=MAINTAIN,
            cron_schedule=lines[0] if len(lines) == 1 else lines,
            execution_timezone=plan.settings.zone,
            description="When the lake is cleaned.",
            default_status=dg.DefaultScheduleStatus.RUNNING
            if production
            else dg.DefaultScheduleStatus.STOPPED,
        )
    except dg.DagsterInvalidDefinitionError as error:
        raise UserError(
            f"settings.yaml: 'maintenance: {{at: {at}}}' is no cron line. "
            'Write one such as "30 3 * * *", or "every 6h".'
        ) from error


def _figures(maintained: Maintained) -> dict[str, dg.MetadataValue]:
    (files, files_now), (size, size_now) = maintained.files, maintained.bytes
    lines = [f"| {each.step} | {each.table} | {each.told} |" for each in maintained.tables]
    return {
        "files": dg.MetadataValue.int(files_now),
        "files before": dg.MetadataValue.int(files),
        "bytes": dg.MetadataValue.int(size_now),
        "bytes before": dg.MetadataValue.int(size),
        "seconds": dg.MetadataValue.float(maintained.seconds),
        "tables": dg.MetadataValue.md("\n".join(["| step | table | what |", "|---|---|---|", *lines])),
    }
