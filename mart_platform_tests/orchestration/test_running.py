"""A build from the outside: what it makes, what it shows in Dagster, what it leaves when it fails."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from mart_platform.orchestration.assets import assets_of
from mart_platform.orchestration.naming import publication_key, table_key
from mart_platform.orchestration.running import BuildOutcome
from mart_platform_tests.fakes import RecordingProgress
from mart_platform_tests.orchestration.shop import Shop

TOO_MUCH = "100030,1,C1,lamp,100000,39.90,paid,2026-10-03 10:00:00,2026-10-04 02:00:00"
ONE_MORE = "100030,1,C1,lamp,1,39.90,paid,2026-10-03 10:00:00,2026-10-04 02:00:00"


def test_a_build_lands_builds_checks_and_publishes(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    progress = RecordingProgress()
    outcome = shop.build(progress=progress)

    assert (outcome.succeeded, outcome.failures) == (True, ())
    assert rows_of(outcome) == {
        "shop.customers": 6,
        "shop.orders": 38,
        "canonical.customer": 6,
        "canonical.order_line": 36,
        "orders.customer": 6,
        "orders.order_line": 36,
        "orders.daily": 10,
    }
    (mart,) = outcome.marts
    assert (mart.mart, mart.published, mart.live.number) == ("orders", True, 1)
    assert capfd.readouterr() == ("", "")


def test_a_build_shows_in_dagster(published: Shop) -> None:
    with published.instance() as instance:
        (run,) = instance.get_runs()
        assert (run.job_name, run.status) == ("build_orders", dg.DagsterRunStatus.SUCCESS)
        assert run.tags["mart/cause"] == "test"

        made = materialised(instance, table_key("orders.daily"))
        assert made["dagster/row_count"] == 10
        assert made["outcome"] == "built"
        assert made["reason"] == "never built before"
        assert made["plan"] == published.plan.digest
        assert "dagster/column_lineage" in made
        assert materialised(instance, publication_key("orders"))["publication"] == 1

        for key, spec in checks_of(published):
            evaluation = evaluated(instance, key)
            assert evaluation is not None, f"{key} has no result"
            expected = key != dg.AssetCheckKey(table_key("shop.orders"), "contract")
            assert evaluation.passed is expected, spec


def test_rows_in_quarantine_show_at_the_contract(published: Shop) -> None:
    with published.instance() as instance:
        contract = evaluated(instance, dg.AssetCheckKey(table_key("shop.orders"), "contract"))
    assert contract is not None
    assert (contract.passed, contract.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert contract.metadata["quarantined"].value == 4
    assert contract.description == "4 of 42 rows are in quarantine; `mart quarantine shop.orders` shows them."


def test_the_run_is_in_the_ledger_with_its_cause_and_its_end(published: Shop) -> None:
    (run,) = published.platform.ledger.runs()
    assert (run.cause, run.targets, run.outcome) == ("test", ("orders",), "succeeded")


def test_a_build_that_finds_nothing_new_materialises_the_publication_again(shop: Shop) -> None:
    shop.build()
    again = shop.build()
    assert {report.outcome for report in again.tables} == {"skipped"}
    assert [mart.published for mart in again.marts] == [False]
    with shop.instance() as instance:
        newest = instance.get_latest_materialization_event(publication_key("orders"))
        assert newest is not None
        assert newest.run_id == again.run
        for key, _ in checks_of(shop):
            record = record_of(instance, key)
            assert record, f"{key} lost its result"
            assert record.run_id == again.run


def test_a_check_that_fails_shows_its_rows_and_keeps_what_was_live(shop: Shop) -> None:
    shop.build()
    before = published_rows(shop)
    shop.deliver("2026-10-04", TOO_MUCH)
    outcome = shop.build()

    assert not outcome.succeeded
    (failure,) = outcome.failures
    assert failure.subject == "orders.daily"
    assert failure.message.startswith("orders.daily: net_amount_in_range: 1 of 11 rows (9.09%).")
    assert "net_amount_in_range" in failure.log.read_text()
    assert outcome.marts == ()
    assert published_rows(shop) == before

    with shop.instance() as instance:
        key = dg.AssetCheckKey(table_key("orders.daily"), "net_amount_in_range")
        evaluation = evaluated(instance, key)
        assert evaluation is not None
        assert (evaluation.passed, evaluation.blocking) == (False, True)
        assert (evaluation.metadata["failed"].value, evaluation.metadata["tested"].value) == (1, 11)
        sample = evaluation.metadata["sample"]
        assert isinstance(sample, dg.TableMetadataValue)
        assert sample.records[0].data["net_amount"] == "3990000.00"
        run = instance.get_run_by_id(outcome.run)
        assert run is not None
        assert run.status is dg.DagsterRunStatus.FAILURE
        stats = instance.get_run_stats(outcome.run)
        assert (stats.steps_failed, retried(instance, outcome.run)) == (1, 0)
    assert shop.platform.ledger.runs()[0].outcome == "failed"


def test_what_was_refused_shows_as_passed_again_when_the_table_stays_as_it_was(shop: Shop) -> None:
    """The newest verdict is about the candidate that was refused; the table itself keeps its promise."""
    shop.build()
    shop.deliver("2026-10-04", TOO_MUCH)
    assert not shop.build().succeeded
    shop.deliver("2026-10-05", TOO_MUCH.replace(",100000,", ",1,").replace("10-04 02", "10-05 02"))
    shop.build(["shop.orders", "canonical.order_line", "orders.order_line", "orders.daily"], ["orders"])
    outcome = shop.build()
    assert outcome.succeeded, outcome.failures
    with shop.instance() as instance:
        key = dg.AssetCheckKey(table_key("orders.daily"), "net_amount_in_range")
        evaluation = evaluated(instance, key)
        assert evaluation is not None
        assert evaluation.passed


def test_a_delivery_that_cannot_be_read_fails_its_own_step_and_what_hangs_on_it(shop: Shop) -> None:
    shop.build()
    (shop.places.warehouse / "exports" / "orders" / "2026-10-04.csv").write_text("order_id,line\n1,2\n")
    outcome = shop.build()
    assert [failure.subject for failure in outcome.failures] == ["shop.orders"]
    assert "customer_id" in outcome.failures[0].message
    assert {report.table for report in outcome.tables} == {
        "shop.customers",
        "canonical.customer",
        "orders.customer",
    }
    with shop.instance() as instance:
        contract = evaluated(instance, dg.AssetCheckKey(table_key("shop.orders"), "contract"))
        assert contract is not None
        assert (contract.passed, contract.severity) == (False, dg.AssetCheckSeverity.ERROR)


def test_only_what_is_named_is_built(shop: Shop) -> None:
    shop.build()
    shop.deliver("2026-10-04", ONE_MORE)
    outcome = shop.build(["shop.orders", "canonical.order_line"], [])
    assert rows_of(outcome) == {"shop.orders": 39, "canonical.order_line": 37}
    assert outcome.marts == ()
    with shop.instance() as instance:
        run = instance.get_run_by_id(outcome.run)
        assert run is not None
        assert run.job_name == "build_all"
        assert run.asset_selection == {table_key("shop.orders"), table_key("canonical.order_line")}
    assert shop.platform.ledger.runs()[0].targets == ("canonical.order_line", "shop.orders")


def test_nothing_asked_for_is_nothing_done(shop: Shop) -> None:
    assert shop.build([], []) == BuildOutcome(run="", succeeded=True)
    assert not shop.home.exists()


def test_what_a_model_prints_goes_to_the_log_and_to_the_ui(
    shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    model = shop.places.warehouse / "canonical" / "customer.py"
    model.write_text(
        model.read_text().replace("    return customers", "    print('ahoy')\n    return customers")
    )
    outcome = shop.build()
    assert outcome.succeeded
    assert "ahoy" not in "".join(capfd.readouterr())
    log = shop.platform.data.logs / f"{outcome.run}.log"
    assert "ahoy\n" in log.read_text()
    shown = list((shop.home / "storage" / outcome.run / "compute_logs").glob("*.err"))
    assert [file.read_text() for file in shown] == [log.read_text()]


def test_an_interrupted_build_ends_at_once_and_is_recorded_as_failed(shop: Shop) -> None:
    begun = shop.slow_down()
    process = shop.python("-m", "mart_platform_tests.orchestration.shop")
    await_file(begun, process)
    interrupted_at = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert time.monotonic() - interrupted_at < 20
    assert process.returncode != 0
    assert "KeyboardInterrupt" in out
    assert shop.platform.ledger.runs()[0].outcome == "failed"
    with shop.instance() as instance:
        (run,) = instance.get_runs()
        assert run.is_finished
        assert not run.is_success


def await_file(file: Path, process: Any) -> None:
    give_up_at = time.monotonic() + 120
    while not file.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < give_up_at, "the step did not begin"
        time.sleep(0.05)


def rows_of(outcome: BuildOutcome) -> dict[str, int]:
    return {report.table: report.rows for report in outcome.tables}


def published_rows(shop: Shop) -> list[Any]:
    file = shop.platform.data.published / "orders" / "current" / "orders.duckdb"
    with duckdb.connect(file, read_only=True) as connection:
        return connection.execute("SELECT * FROM daily ORDER BY ALL").fetchall()


def materialised(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, Any]:
    event = instance.get_latest_materialization_event(key)
    assert event is not None
    assert event.asset_materialization is not None
    return {name: entry.value for name, entry in event.asset_materialization.metadata.items()}


def checks_of(shop: Shop) -> list[tuple[dg.AssetCheckKey, dg.AssetCheckSpec]]:
    return [(spec.key, spec) for asset in assets_of(shop.plan) for spec in asset.check_specs]


def record_of(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> Any:
    return instance.event_log_storage.get_latest_asset_check_execution_by_key([key]).get(key)


def evaluated(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> dg.AssetCheckEvaluation | None:
    record = record_of(instance, key)
    return record.event.dagster_event.asset_check_evaluation_data if record and record.event else None


def retried(instance: dg.DagsterInstance, run: str) -> int:
    return sum(
        entry.dagster_event is not None and entry.dagster_event.is_step_up_for_retry
        for entry in instance.all_logs(run)
    )
