"""The code location as Dagster's own tools see it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import pytest

from mart_platform_tests.orchestration.shop import ROOT, Shop

MODULE = ["-m", "mart_platform.definitions"]

CATALOGUE = """
{ assetNodes {
    assetKey { path } groupName kinds owners { ... on TeamAssetOwner { team } }
    assetChecksOrError { ... on AssetChecks { checks { name
        executionForLatestMaterialization { status } } } }
    latestMaterializationByPartition: assetMaterializations(limit: 1) { runId }
    freshnessPolicy: internalFreshnessPolicy { __typename }
} }
"""


def test_it_validates_by_the_workspace_file(shop: Shop) -> None:
    validated = dagster_tool(shop, "definitions", "validate", "-w", str(ROOT / "workspace.yaml"))
    assert validated.returncode == 0, validated.stderr


def test_a_broken_warehouse_folder_shows_its_problems_as_the_load_error(shop: Shop) -> None:
    mart = shop.places.warehouse / "marts" / "orders" / "mart.yaml"
    mart.write_text(mart.read_text().replace("pattern: star ", "pattern: stra "))
    daily = shop.places.warehouse / "marts" / "orders" / "tables" / "daily.sql"
    daily.write_text(daily.read_text().replace("orders.customer", "orders.custmer"))
    validated = dagster_tool(shop, "definitions", "validate", *MODULE)
    told = validated.stdout + validated.stderr
    assert validated.returncode != 0
    assert "InvalidDeclarations: marts/orders/mart.yaml:" in told
    assert "'stra'" in told


@pytest.mark.slow
def test_a_run_of_dagsters_own_does_the_same_as_ours(shop: Shop) -> None:
    shop.instance().dispose()
    ran = dagster_tool(shop, "job", "execute", *MODULE, "-j", "build_orders")
    assert ran.returncode == 0, ran.stderr
    (run,) = shop.platform.ledger.runs()
    assert (run.cause, run.targets, run.outcome) == ("Dagster", ("orders",), "succeeded")
    with shop.instance() as instance:
        (shown,) = instance.get_runs()
        assert (shown.run_id, shown.status) == (run.id, dg.DagsterRunStatus.SUCCESS)
        assert shown.tags["mart/process"] == run.holder
    live = shop.platform.ledger.live("orders")
    assert live is not None
    assert live.run == run.id


@pytest.mark.slow
def test_the_web_server_lists_assets_checks_and_what_a_command_built(shop: Shop) -> None:
    outcome = shop.build()
    with web_server(shop) as ask:
        nodes = {"/".join(n["assetKey"]["path"]): n for n in ask(CATALOGUE)["assetNodes"]}
        (location,) = ask("{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }")[
            "workspaceOrError"
        ]["locationEntries"]
        runs = ask("{ runsOrError { ... on Runs { results { runId status jobName } } } }")["runsOrError"]

    assert location["loadStatus"] == "LOADED"
    assert set(nodes) == {
        "shop/orders",
        "shop/customers",
        "canonical/customer",
        "canonical/order_line",
        "orders/customer",
        "orders/order_line",
        "orders/daily",
        "orders/publication",
    }
    publication = nodes["orders/publication"]
    assert publication["groupName"] == "orders"
    assert publication["owners"][0] == {"team": "shop-analytics"}
    assert publication["freshnessPolicy"] == {"__typename": "TimeWindowFreshnessPolicy"}
    checks = {
        c["name"]: c["executionForLatestMaterialization"]["status"]
        for c in publication["assetChecksOrError"]["checks"]
    }
    assert checks == {"readable": "SUCCEEDED", "orders_fresh": "SUCCEEDED"}
    assert {n["latestMaterializationByPartition"][0]["runId"] for n in nodes.values()} == {outcome.run}
    assert runs == {"results": [{"runId": outcome.run, "status": "SUCCESS", "jobName": "build_orders"}]}


def dagster_tool(shop: Shop, *arguments: str) -> "subprocess.CompletedProcess[str]":
    shop.home.parent.mkdir(exist_ok=True)
    shop.home.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "dagster", *arguments],
        env=shop.environment(),
        cwd=shop.places.warehouse.parent,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@contextmanager
def web_server(shop: Shop) -> Iterator[Any]:
    """Start Dagster's web server on the loopback, give what asks it by GraphQL, and stop it again."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = shop.python("-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *MODULE)
    try:
        await_answer(f"http://127.0.0.1:{port}/server_info", process)
        yield lambda query: asked(f"http://127.0.0.1:{port}/graphql", query)
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)


def await_answer(url: str, process: "subprocess.Popen[str]") -> None:
    give_up_at = time.monotonic() + 120
    while time.monotonic() < give_up_at:
        assert process.poll() is None, process.communicate()[0]
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError("the web server did not come up")


def asked(url: str, query: str) -> dict[str, Any]:
    body = json.dumps({"query": query}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        found = json.load(answer)
    assert "errors" not in found, found
    data: dict[str, Any] = found["data"]
    return data
