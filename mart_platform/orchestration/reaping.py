"""Runs whose process is gone: marked as failed, since nobody else will."""

import dagster as dg

from mart_platform.orchestration.steps import PROCESS
from mart_platform.ports import Platform
from mart_platform.runs.leasing import is_alive
from mart_platform.runs.starting import abandon_dead_runs

_UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def reap_dead_runs(instance: dg.DagsterInstance, platform: Platform) -> list[str]:
    """Mark the runs that no process carries any more as failed in Dagster, as abandoned in the ledger.

    A run names its process in a tag; one without it, or on another machine, is left alone. Returns the ids of
    Dagster's runs that were marked.
    """
    under_way = instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
    dead = [run for run in under_way if PROCESS in run.tags and not is_alive(run.tags[PROCESS])]
    for run in dead:
        gone = f"Its process {run.tags[PROCESS]} is gone; run `mart build` to go on."
        instance.report_run_failed(run, gone)
    abandon_dead_runs(platform)
    return [run.run_id for run in dead]
