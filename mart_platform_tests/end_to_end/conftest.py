"""The built-in warehouse, built once by the real command for all tests that read it."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest


def mart(
    *words: str, data: Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would, and return what it printed."""
    told: Mapping[str, str] = {**os.environ, "MART_DATA": str(data), **environment}
    return subprocess.run(
        [sys.executable, "-m", "mart_platform.cli", *words],
        env=dict(told),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


@pytest.fixture(scope="session")
def built_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder after a build of all marts; workers of one test run share it, and only read."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    data = shared / "built"
    with (shared / "built.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (data / "done").exists():
            ran = mart("build", data=data)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            (data / "first_build.txt").write_text(ran.stdout + ran.stderr)
            (data / "done").touch()
    return data
