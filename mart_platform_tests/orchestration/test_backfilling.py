"""The job ``backfill`` in Dagster: the command of that name in a process of its own, its range as config."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mart_platform.assembly import Assembled
from mart_platform.orchestration.defining import definitions_of
from mart_platform.spec.layout import DataFolder
from mart_platform_tests.runs.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.build()
    return shop


def backfilled(shop: Shop, **config: Any) -> dg.ExecuteInProcessResult:
    data = DataFolder(shop.places.data)
    definitions = definitions_of(shop.plan, data, lambda: Assembled(shop.places, shop.plan.settings))
    with dg.DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def("backfill").execute_in_process(
            instance=instance,
            run_config={"ops": {"backfill_range": {"config": config}}},
            raise_on_error=False,
        )


def test_the_job_builds_its_range_and_publishes(shop: Shop) -> None:
    shop.edit(
        "marts/orders/tables/order_line.sql", "quantity, net_amount", "quantity + 1 AS quantity, net_amount"
    )
    number = shop.live.number
    result = backfilled(shop, target="orders", first="2026-10-01", last="2026-10-31", memory="500MB")
    assert result.success
    [work] = shop.platform.ledger.backfills()
    assert (work.target, work.state) == ("orders", "done")
    assert shop.live.number == number + 1


def test_a_range_that_is_none_fails_with_the_sentence_of_the_command(shop: Shop) -> None:
    result = backfilled(shop, target="orders", first="2026-10-01", last="2026-02-31")
    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert "2026-02-31" in str(failure.step_failure_data.user_failure_data)
