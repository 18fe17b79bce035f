"""Maintenance as Dagster knows it: a job, a schedule, and figures at its step."""

from pathlib import Path

import dagster as dg
import pytest

from mart_platform.assembly import Assembled
from mart_platform.orchestration.defining import definitions_of
from mart_platform.orchestration.maintaining import maintenance_schedule
from mart_platform.planning.plan import Plan
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError
from mart_platform.spec.settings import MaintenanceSettings
from mart_platform_tests.runs.kiosk import Kiosk


def with_maintenance(plan: Plan, **said: str) -> Plan:
    maintenance = MaintenanceSettings.model_validate(said)
    return plan.model_copy(update={"settings": plan.settings.model_copy(update={"maintenance": maintenance})})


def test_the_job_does_what_the_command_does_and_shows_the_figures(tmp_path: Path) -> None:
    kiosk = Kiosk(tmp_path)
    data = DataFolder(kiosk.places.data)
    definitions = definitions_of(kiosk.plan, data, lambda: Assembled(kiosk.places, kiosk.plan.settings))
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("maintain").execute_in_process(instance=instance)
    assert result.success
    assert [run.outcome for run in kiosk.platform.ledger.runs()] == ["succeeded"]
    [event] = kiosk.platform.ledger.events(kind="maintained")
    assert event.details["files_after"] == 0


def test_it_is_scheduled_off_peak_in_the_zone_of_the_settings(tmp_path: Path) -> None:
    plan = Kiosk(tmp_path).plan
    schedule = maintenance_schedule(plan)
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 3 * * *", "UTC")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    six_hourly = maintenance_schedule(with_maintenance(plan, at="every 6h"))
    assert six_hourly.cron_schedule == "0 0,6,12,18 * * *"


def test_a_time_that_is_none_is_refused(tmp_path: Path) -> None:
    plan = with_maintenance(Kiosk(tmp_path).plan, at="stream")
    with pytest.raises(UserError, match=r"'maintenance: \{at: stream\}' is no cron line"):
        maintenance_schedule(plan)
