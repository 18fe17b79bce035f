"""What a step does: begin the run, call the use case, report; and what becomes of each kind of failure."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from mart_platform.orchestration import freshness, reporting
from mart_platform.orchestration.naming import PUBLICATION, published_database, subject_of
from mart_platform.orchestration.resources import OpenPlatform
from mart_platform.planning.plan import Plan, PlannedMart, PlannedTable
from mart_platform.ports import CommitConflict
from mart_platform.runs.building import build_table
from mart_platform.runs.landing import land_table
from mart_platform.runs.leasing import this_process
from mart_platform.runs.publishing import publish_mart
from mart_platform.runs.reporting import ChecksFailed
from mart_platform.runs.watching import watch
from mart_platform.spec.problems import UserError
from mart_platform.stages.landing import Refused

CAUSE, PROCESS, SHADOW = "mart/cause", "mart/process", "mart/shadow"
"""Tags of a run: what started it, the process that carries it, and that it leaves the live versions alone."""

WIDER_ACCESS = "mart/allow-wider-access"
"""Tag of a run, ``true`` where its publications may show somebody more than before."""

Results = Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]

RETRIES = dg.RetryPolicy(
    max_retries=4, delay=0.5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""How often and how long to wait for what may pass by itself.

It stands on no asset: there, Dagster also takes an interrupt for a failure, and tries again what somebody
has stopped.
"""


def landing_step(context: dg.AssetExecutionContext, plan: Plan, table: PlannedTable) -> Results:
    """Land a source's table; a delivery that is refused shows at its contract, and fails the step."""
    with _told(context, table.name):
        opened = _begun(context, plan)
        try:
            report = land_table(opened.ports, plan, context.run.run_id, table.name)
        except Refused as refused:
            yield reporting.delivery_refused(table, str(refused))
            raise
        opened.reported(report)
        yield reporting.table_materialised(opened.ports, plan, table, report)
        yield reporting.contract_kept(table, report)


def building_step(context: dg.AssetExecutionContext, plan: Plan, table: PlannedTable) -> Results:
    """Bring a table up to date; a blocking check that fails shows its verdict, and fails the step."""
    with _told(context, table.name):
        opened, run = _begun(context, plan), context.run.run_id
        try:
            report = build_table(opened.ports, plan, run, table.name)
        except ChecksFailed as failed:
            yield from reporting.check_results(table, failed.verdicts)
            raise
        opened.reported(report)
        yield reporting.table_materialised(opened.ports, plan, table, report)
        verdicts = report.verdicts or reporting.standing_verdicts(opened.ports, plan, run, table)
        yield from reporting.check_results(table, verdicts)


def publishing_step(context: dg.AssetExecutionContext, plan: Plan, mart: PlannedMart) -> Results:
    """Publish a mart, read what readers see, and judge its promises about freshness."""
    name = mart.spec.mart
    with _told(context, name):
        opened, run = _begun(context, plan), context.run
        opened.ports.progress.begins(name, "publish")
        report = publish_mart(
            opened.ports,
            plan,
            run.run_id,
            name,
            by=_cause(run),
            shadow=run.tags.get(SHADOW) == "true",
            allow_wider=run.tags.get(WIDER_ACCESS) == "true",
        )
        opened.ports.progress.ends(name, "published" if report.published else "unchanged")
        opened.reported(report)
        yield reporting.mart_materialised(plan, report)
        published = getattr(context.resources, published_database(name))
        yield reporting.published_as_recorded(opened.ports, published, report.live)
        yield from freshness.check_results(mart, watch(opened.ports, plan))


def _begun(context: dg.AssetExecutionContext, plan: Plan) -> OpenPlatform:
    """Return the platform of a run that has begun: its snapshot is taken, its process is known."""
    opened: OpenPlatform = context.resources.platform
    run = context.run
    opened.begin(plan, run.run_id, _cause(run), _targets(context))
    if PROCESS not in run.tags:
        context.instance.add_run_tags(run.run_id, {PROCESS: this_process()})
    return opened


def _cause(run: dg.DagsterRun) -> str:
    """Return what started a run, in words."""
    if cause := run.tags.get(CAUSE):
        return cause
    if schedule := run.tags.get("dagster/schedule_name"):
        return f"schedule {schedule}"
    return "Dagster"


def _targets(context: dg.AssetExecutionContext) -> tuple[str, ...]:
    """Return the marts that a run publishes; its tables when it publishes none."""
    keys = sorted(context.job_def.asset_layer.selected_asset_keys)
    published = [key for key in keys if key.path[-1] == PUBLICATION]
    return tuple(subject_of(key) for key in published or keys)


@contextmanager
def _told(context: dg.AssetExecutionContext, subject: str) -> Iterator[None]:
    """Say what went wrong as a sentence, try again what may pass by itself, leave bugs as they are."""
    try:
        yield
    except Exception as error:
        if _may_pass(error) and context.retry_number < RETRIES.max_retries:
            context.log.warning("%s: %s. It may pass by itself: the step is tried again.", subject, error)
            raise dg.RetryRequested(
                RETRIES.max_retries, RETRIES.calculate_delay(context.retry_number + 1)
            ) from error
        opened: OpenPlatform = context.resources.platform
        opened.ports.progress.ends(subject, "failed")
        if isinstance(error, UserError):
            raise dg.Failure(str(error), allow_retries=False) from None
        raise


def _may_pass(error: BaseException) -> bool:
    """Say whether a failure may be gone a moment later: of the machine, of another writer, of a busy file."""
    if isinstance(error, OSError | CommitConflict):
        return True
    while error.__cause__ is not None:
        error = error.__cause__
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
