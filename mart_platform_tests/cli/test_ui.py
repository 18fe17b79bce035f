"""``mart ui``: Dagster's own UI over the same folders."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from mart_platform.assembly import Places
from mart_platform.cli.commands.ui import dagster_dev, environment_of
from mart_platform_tests.cli.conftest import Ended

LOCATION = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"
RUNS = "{ runsOrError { ... on Runs { results { status } } } }"


def test_it_listens_on_this_machine_only() -> None:
    command = dagster_dev(4000)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == "4000"


def test_other_processes_are_told_the_same_places(tmp_path: Path) -> None:
    places = Places(tmp_path / "warehouse", tmp_path / "data")
    told = environment_of(places, tmp_path / "home", {"PATH": "/bin", "MART_DATA": "/elsewhere"})
    assert Places.told_by(told) == places
    assert (told["DAGSTER_HOME"], told["PATH"]) == (str(tmp_path / "home"), "/bin")


@pytest.mark.slow
def test_it_shows_what_the_command_line_built(built: tuple[Path, Ended]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = subprocess.Popen(
        [sys.executable, "-m", "mart_platform.cli", "--warehouse", "bakery", "ui", "--port", str(port)],
        cwd=built[0].parent,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert asked(port, LOCATION, "LOADED") == {
            "workspaceOrError": {"locationEntries": [{"name": "mart_platform", "loadStatus": "LOADED"}]}
        }
        assert asked(port, RUNS, "SUCCESS")["runsOrError"] == {"results": [{"status": "SUCCESS"}]}
    finally:
        started.send_signal(signal.SIGINT)
        started.wait(timeout=60)


def asked(port: int, query: str, awaited: str) -> dict[str, object]:
    """Ask Dagster until it is there and its answer holds what is awaited."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": query}).encode(),
        {"content-type": "application/json"},
    )
    give_up_at = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                found = answer.read().decode()
        except OSError:
            found = ""
        if awaited in found or time.monotonic() > give_up_at:
            data: dict[str, object] = json.loads(found)["data"]
            return data
        time.sleep(0.5)
