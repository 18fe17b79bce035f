"""A build that a command asks for: the same steps as in the UI, in this process, quiet on the terminal."""

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import dagster as dg
from dagster._core.events import RunFailureReason

from mart_platform.orchestration.defining import definitions_of
from mart_platform.orchestration.home import home_of, open_home
from mart_platform.orchestration.naming import (
    BUILD_ALL,
    job_name,
    publication_key,
    subject_of,
    table_key,
)
from mart_platform.orchestration.reaping import reap_dead_runs
from mart_platform.orchestration.run_log import logged_to, shown_in_the_ui
from mart_platform.orchestration.steps import CAUSE, PROCESS, SHADOW, WIDER_ACCESS
from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.leasing import this_process
from mart_platform.runs.reporting import MartReport, TableReport
from mart_platform.spec.layout import DataFolder

CODE_LOCATION = "mart_platform"
"""The name of the code location in workspace.yaml, under which the UI looks for the runs of a job."""


class Places(Protocol):
    """Where everything is."""

    @property
    def data(self) -> Path:
        """The data folder."""
        ...


@dataclass(frozen=True)
class Failure:
    """What went wrong with a table, a mart or the run as a whole, and the file that says more."""

    subject: str
    message: str
    log: Path


@dataclass(frozen=True)
class BuildOutcome:
    """How a build went. ``run`` is its id in Dagster and in the ledger; empty when nothing was asked for."""

    run: str
    succeeded: bool
    tables: tuple[TableReport, ...] = ()
    marts: tuple[MartReport, ...] = ()
    failures: tuple[Failure, ...] = ()


def build(
    platform: Platform,
    plan: Plan,
    places: Places,
    tables: Sequence[str],
    marts: Sequence[str],
    *,
    cause: str,
    shadow: bool = False,
    allow_wider: bool = False,
) -> BuildOutcome:
    """Bring exactly these tables up to date, publish exactly these marts, and return how it went.

    With ``shadow`` they are published beside the live version, which stays; ``allow_wider`` lets their rights
    show somebody more than before.

    What comes after a step that failed is left as it is. The run shows in the UI like one that was started
    there; what is printed meanwhile goes to a file below the logs. Raises KeyboardInterrupt when somebody
    interrupts it, after the run is recorded as failed.
    """
    selected = [*map(table_key, tables), *map(publication_key, marts)]
    if not selected:
        return BuildOutcome(run="", succeeded=True)
    run, reports = str(uuid.uuid4()), list[TableReport | MartReport]()
    data = DataFolder(places.data)
    log, home = data.logs / f"{run}.log", home_of(data, os.environ)
    with logged_to(log), open_home(home, shown_in_the_ui(log, home)) as instance:
        reap_dead_runs(instance, platform)
        definitions = definitions_of(plan, data, lambda: platform, reports.append)
        result = definitions.resolve_job_def(_job(plan, tables, marts)).execute_in_process(
            run_id=run,
            instance=instance,
            asset_selection=selected,
            tags=_tags(cause, {SHADOW: shadow, WIDER_ACCESS: allow_wider}),
            raise_on_error=False,
        )
    if _interrupted(result):
        raise KeyboardInterrupt
    return BuildOutcome(
        run=run,
        succeeded=result.success,
        tables=tuple(report for report in reports if isinstance(report, TableReport)),
        marts=tuple(report for report in reports if isinstance(report, MartReport)),
        failures=tuple(_failures(result, log)),
    )


def _job(plan: Plan, tables: Sequence[str], marts: Sequence[str]) -> str:
    """Return the job of the one mart that all this is for, or that of everything."""
    for mart in marts:
        if len(marts) == 1 and set(tables) <= set(plan.upstream_of(plan.marts[mart].tables)):
            return job_name(mart)
    return BUILD_ALL


def _tags(cause: str, wanted: Mapping[str, bool]) -> dict[str, str]:
    return {
        **{tag: "true" for tag in wanted if wanted[tag]},
        CAUSE: cause,
        PROCESS: this_process(),
        "dagster/code_location": CODE_LOCATION,
        ".dagster/repository": f"__repository__@{CODE_LOCATION}",
    }


def _failures(result: dg.ExecuteInProcessResult, log: Path) -> Iterator[Failure]:
    """Yield a failure for each step that failed, or one for the run when none did and yet it failed."""
    steps = [event for event in result.all_events if event.is_step_failure]
    for event in steps:
        key = dg.AssetKey(str(event.step_key).split("__", 1))
        yield Failure(subject_of(key), _message(event), log)
    if not steps and not result.success:
        ends = [event.message for event in result.all_events if event.is_job_failure]
        yield Failure("run", (ends and ends[-1]) or "It ended without a reason.", log)


def _message(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error
    while error and error.cause:
        error = error.cause
    return error.message.strip() if error else (event.message or "It failed without a reason.")


def _interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Say whether the run ended because its process was told to, be it within a step or between two."""
    failed = (event.job_failure_data for event in result.all_events if event.is_job_failure)
    return any(data.failure_reason is RunFailureReason.UNEXPECTED_TERMINATION for data in failed)
