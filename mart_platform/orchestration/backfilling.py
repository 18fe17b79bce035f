"""The job ``backfill``: the command of this name with its range as config, in a process of its own."""

import os
import subprocess
import sys

import dagster as dg
from pydantic import Field

from mart_platform.planning.plan import Plan
from mart_platform.spec.layout import DataFolder

BACKFILL = "backfill"
"""The name of the job."""


class BackfillConfig(dg.Config):
    """What is built again: a mart or a table, and the first and last day of it."""

    target: str = Field(description="A mart, or a table as schema.table.")
    first: str = Field(description="The first day, as 2017-01-01.")
    last: str = Field(description="The last day, included.")
    batch: int = Field(default=32, description="Intervals that one query builds.")
    memory: str | None = Field(default=None, description="What the engine may take, as 1GB.")
    hours: str | None = Field(default=None, description="Hours of the day in which it may work, as 22-06.")


def backfill_job(plan: Plan, data: DataFolder) -> dg.JobDefinition:
    """Return the job; when it is ended, so is its process, and the same config goes on where it stopped."""

    @dg.op(name=f"{BACKFILL}_range", description="Builds a range of intervals, and publishes once.")
    def backfill_range(context: dg.OpExecutionContext, config: BackfillConfig) -> None:
        command = [*_mart(plan, data), *_arguments(config)]
        with subprocess.Popen(  # noqa: S603 (our own program, with arguments that click checks)
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ)
        ) as process:
            try:
                last = ""
                for line in process.stdout or ():
                    last = line.rstrip()
                    context.log.info(last)
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            raise dg.Failure(f"The backfill ended with {process.returncode}: {last}", allow_retries=False)

    @dg.job(name=BACKFILL, description="Builds a range of intervals beside production, and publishes once.")
    def backfill() -> None:
        backfill_range()

    return backfill


def _mart(plan: Plan, data: DataFolder) -> list[str]:
    places = ["--warehouse", plan.root, "--data", str(data.root)]
    return [sys.executable, "-m", "mart_platform.cli", *places]


def _arguments(config: BackfillConfig) -> list[str]:
    given = {"--from": config.first, "--to": config.last, "--memory": config.memory, "--hours": config.hours}
    options = [part for option, value in given.items() if value for part in (option, value)]
    return ["backfill", config.target, *options, "--batch", str(config.batch)]
