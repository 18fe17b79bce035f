import itertools
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._utils.schedules import cron_string_iterator
from hypothesis import given, settings
from hypothesis import strategies as st

from mart_platform.orchestration.scheduling import cron_lines, schedules_of
from mart_platform.spec.problems import UserError
from mart_platform_tests.orchestration.shop import Shop


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=24 * 60 - 1))
def test_a_cadence_of_minutes_comes_round_as_often_as_it_says_between_two_midnights(minutes: int) -> None:
    ticks: set[datetime] = set()
    for line in cron_lines(f"every {minutes}m"):
        for tick in cron_string_iterator(datetime(2026, 10, 1, tzinfo=UTC).timestamp(), line, "UTC"):
            if tick >= tick.replace(day=2, hour=0, minute=0):
                break
            ticks.add(tick)
    assert len(ticks) == len(range(0, 24 * 60, minutes))
    ordered = sorted(ticks)
    gaps = {later - earlier for earlier, later in itertools.pairwise(ordered)}
    assert gaps <= {timedelta(minutes=minutes)}


def test_a_cron_line_stays_as_it_is() -> None:
    assert cron_lines("30 4 * * 1-5") == ["30 4 * * 1-5"]


def test_the_schedule_of_a_mart_runs_its_job_in_the_zone_of_the_settings(shop: Shop) -> None:
    (schedule,) = schedules_of(shop.plan)
    assert (schedule.name, schedule.job_name) == ("build_orders_schedule", "build_orders")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 4 * * *", "Europe/Berlin")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


@pytest.mark.parametrize("lifecycle", ["development", "testing", "deprecated"])
def test_only_a_mart_in_production_is_scheduled_without_being_asked_for(shop: Shop, lifecycle: str) -> None:
    change(shop, "lifecycle: production", f"lifecycle: {lifecycle}")
    (schedule,) = schedules_of(shop.plan)
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED


def test_a_stream_has_no_schedule(shop: Shop) -> None:
    change(shop, 'cadence: "30 4 * * *"', "cadence: stream")
    assert list(schedules_of(shop.plan)) == []


def test_a_cadence_that_is_no_cron_line_is_told_with_its_file(shop: Shop) -> None:
    change(shop, 'cadence: "30 4 * * *"', 'cadence: "30 25 * * *"')
    with pytest.raises(UserError, match=r"marts/orders/mart.yaml:9: cadence: '30 25 \* \* \*'"):
        list(schedules_of(shop.plan))


def change(shop: Shop, before: str, after: str) -> None:
    file = shop.places.warehouse / "marts" / "orders" / "mart.yaml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
