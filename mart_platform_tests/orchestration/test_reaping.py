import os
import signal

import dagster as dg
import pytest

from mart_platform.orchestration.reaping import reap_dead_runs
from mart_platform_tests.orchestration.shop import Shop
from mart_platform_tests.orchestration.test_running import await_file


def test_a_run_killed_with_9_does_not_stay_started_and_the_next_build_goes_on(shop: Shop) -> None:
    begun = shop.slow_down()
    process = shop.python("-m", "mart_platform_tests.orchestration.shop")
    await_file(begun, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    with shop.instance() as instance:
        (run,) = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.STARTED

    model = shop.places.warehouse / "canonical" / "customer.py"
    model.write_text(model.read_text().replace("time.sleep(60)", "pass"))
    assert shop.build().succeeded

    with shop.instance() as instance:
        killed = instance.get_run_by_id(run.run_id)
        assert killed is not None
        assert killed.status is dg.DagsterRunStatus.FAILURE
    outcomes = [run.outcome for run in shop.platform.ledger.runs()]
    assert outcomes == ["succeeded", "abandoned"]


@pytest.mark.parametrize("process", [{}, {"mart/process": "elsewhere:1:2"}])
def test_a_run_that_may_be_alive_is_left_alone(shop: Shop, process: dict[str, str]) -> None:
    with shop.instance() as instance:
        run = instance.create_run_for_job(
            _job(),
            status=dg.DagsterRunStatus.STARTED,
            tags=process,
        )
        assert reap_dead_runs(instance, shop.platform) == []
        still = instance.get_run_by_id(run.run_id)
        assert still is not None
        assert still.status is dg.DagsterRunStatus.STARTED


def _job() -> dg.JobDefinition:
    @dg.asset
    def one() -> None: ...

    return dg.Definitions(assets=[one], jobs=[dg.define_asset_job("a")]).resolve_job_def("a")
