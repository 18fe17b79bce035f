from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.sensor_definition import SensorExecutionData

from mart_platform.orchestration.naming import publication_key
from mart_platform.orchestration.resources import platform_resource
from mart_platform.orchestration.sensors import freshness_sensor
from mart_platform.runs.leasing import this_process
from mart_platform.spec.records import Run
from mart_platform_tests.orchestration.shop import Shop


def test_the_sensor_is_on_and_ticks_every_half_minute(shop: Shop) -> None:
    sensor = freshness_sensor(shop.plan)
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 30


def test_a_change_shows_as_the_declared_check_once(shop: Shop) -> None:
    with shop.instance() as instance:
        first = tick(shop, instance, None)
        (event,) = first.asset_events
        assert isinstance(event, dg.AssetCheckEvaluation)
        assert event.asset_check_key == dg.AssetCheckKey(publication_key("orders"), "orders_fresh")
        assert (event.passed, event.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert event.description == "Nothing with a watermark is published yet."

        again = tick(shop, instance, first.cursor)
        assert (again.asset_events, again.run_requests) == ([], [])


def test_data_that_grow_old_on_the_business_clock_break_the_promise_and_name_who_is_late(shop: Shop) -> None:
    shop.build()
    state = shop.platform.ledger.freshness()[0]
    shop.platform.clock.set(datetime(2026, 10, 9, tzinfo=UTC))
    with shop.instance() as instance:
        (event,) = tick(shop, instance, None).asset_events
        assert isinstance(event, dg.AssetCheckEvaluation)
        assert not event.passed
        assert event.metadata["late first"].value == "shop.orders"
        assert event.metadata["on call"].value == "shop-on-call"
        assert event.description is not None
        assert "Late by" in event.description
        instance.report_runless_asset_event(event)
        key = event.asset_check_key
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
        assert record.status.value == "FAILED"
    assert state.objective == "orders-fresh"


def test_a_tick_buries_the_runs_of_the_dead(shop: Shop) -> None:
    now = datetime.now(UTC)
    dead = Run(id="r", cause="test", plan="p", targets=(), began_at=now, holder="")
    alive = dead.model_copy(update={"id": "s"})
    shop.platform.ledger.begin_run(dead.model_copy(update={"holder": holder_that_is_gone()}), {})
    shop.platform.ledger.begin_run(alive, {})
    with shop.instance() as instance:
        tick(shop, instance, None)
    outcomes = {run.id: run.outcome for run in shop.platform.ledger.runs()}
    assert outcomes == {"r": "abandoned", "s": "running"}


def holder_that_is_gone() -> str:
    host, _, _ = this_process().split(":")
    return f"{host}:{2**22 + 1}:1"


def tick(shop: Shop, instance: dg.DagsterInstance, cursor: str | None) -> SensorExecutionData:
    """Tick the sensor as the daemon does."""
    context = dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        resources={"platform": platform_resource(lambda: shop.platform, lambda report: None)},
    )
    with context:
        return freshness_sensor(shop.plan).evaluate_tick(context)
