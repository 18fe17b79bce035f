"""Ledgers to test: the fake, SQLite, and a PostgreSQL that lives as long as the tests."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from mart_platform.adapters.ledger import open_ledger, schema
from mart_platform.ports import Ledger
from mart_platform_tests.fakes import MemoryLedger


def _postgresql_programs() -> Path | None:
    found = shutil.which("initdb")
    places = (
        [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    )
    return next((place for place in places if (place / "initdb").exists()), None)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server on loopback that lives as long as the tests; it refuses to run as root."""
    programs = _postgresql_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server (initdb) is installed")
    if find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed: pip install 'mart-platform[postgres]'")
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="mart-pg-"))
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    try:
        if user:
            shutil.chown(folder, user)
        subprocess.run(
            [programs / "initdb", "-D", folder / "db", "-U", "mart", "-A", "trust", "-E", "UTF8", "-N"],
            user=user, cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "db", "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"],
            user=user, cwd=folder, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_for(port)
            yield f"postgresql://mart@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(2)  # fast shutdown: does not wait for connections
            server.wait(30)
    finally:
        shutil.rmtree(folder)


def _wait_for(port: int) -> None:
    psycopg = import_module("psycopg")  # installed with an extra only
    for _ in range(300):
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=mart dbname=postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("PostgreSQL did not start within 30 s")


@pytest.fixture
def empty_postgresql(postgresql: str) -> str:
    engine = create_engine(postgresql.replace("://", "+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA IF EXISTS {schema.POSTGRESQL_SCHEMA} CASCADE"))
    engine.dispose()
    return postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger can be made: a file or a URL."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.sqlite")
    return str(request.getfixturevalue("empty_postgresql"))


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    with closing(
        open_ledger(
            tmp_path / "ledger.sqlite"
            if request.param == "sqlite"
            else request.getfixturevalue("empty_postgresql")
        )
    ) as opened:
        yield opened
