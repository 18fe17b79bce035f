"""``mart serve``: the door over HTTP, as a process."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mart_platform_tests.cli.conftest import Ended, Mart

ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "MART_SECRET_MASK_KEY": "0123456789abcdef0123456789abcdef"}


@contextmanager
def serving(place: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start a server on a free port, and give the process and the port."""
    started = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mart_platform.cli",
            "--warehouse",
            "bakery",
            "serve",
            "--port",
            "0",
            *arguments,
        ],
        cwd=place,
        env=os.environ | ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stderr is not None
        told = started.stderr.readline()
        assert told.startswith("Marts are served at http://127.0.0.1:"), told + started.stderr.read()
        yield started, int(told.split(";")[0].rpartition(":")[2])
    finally:
        started.kill()
        started.wait(30)


def health(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/health")
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(built: tuple[Path, Ended], number: signal.Signals) -> None:
    with serving(built[0].parent) as (server, port):
        assert health(port) == 200
        server.send_signal(signal.SIGHUP)
        assert health(port) == 200
        server.send_signal(number)
        assert server.wait(60) == 0


def test_others_may_not_reach_it_without_encryption(mart: Mart) -> None:
    ended = mart("serve", "--host", "0.0.0.0")
    assert (ended.code, "without TLS" in ended.err) == (1, True)


def test_a_certificate_comes_with_its_key(mart: Mart, tmp_path: Path) -> None:
    (tmp_path / "door.pem").write_text("")
    assert mart("serve", "--certificate", str(tmp_path / "door.pem")).code == 2


def test_plain_data_are_not_served_where_they_must_be_encrypted(mart: Mart, bakery: Path) -> None:
    with (bakery / "settings.yaml").open("a") as settings:
        settings.write("\nserving: {encrypted_data: true}\n")
    ended = mart("serve", "--port", "0")
    assert (ended.code, "encrypted_data" in ended.err) == (1, True)
