"""The command line as it is called: in this process where nothing else counts, else in one of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mart_platform.cli.program import run
from mart_platform.stages.founding import found_warehouse

CAKE = Path(__file__).parent / "cake"


@dataclass(frozen=True)
class Ended:
    """How a call ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


Mart = Callable[..., Ended]


@pytest.fixture
def bakery(tmp_path: Path) -> Path:
    """A small warehouse folder of its own: one source with one delivery, one canonical table, two marts."""
    return new_bakery(tmp_path)


@pytest.fixture
def mart(bakery: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Mart:
    """Call the command line on the bakery, in this process."""

    def call(*arguments: str) -> Ended:
        capfd.readouterr()
        code = run(["--warehouse", str(bakery), "--data", str(tmp_path / "data"), *arguments])
        printed = capfd.readouterr()
        return Ended(code, printed.out, printed.err)

    return call


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """The bakery's data folder after its first build, and what that printed; to be copied, not changed."""
    place = tmp_path_factory.mktemp("built")
    new_bakery(place)
    ended = process("--warehouse", "bakery", "build", cwd=place)
    return place / "data", Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture
def built_mart(built: tuple[Path, Ended], mart: Mart, tmp_path: Path) -> Mart:
    """Call the command line on a bakery that is built already."""
    shutil.copytree(built[0], tmp_path / "data", symlinks=True)
    return mart


def new_bakery(place: Path) -> Path:
    """Write the first warehouse that every user gets, and beside its bread a mart of cake."""
    found_warehouse(place / "bakery")
    shutil.copytree(CAKE, place / "bakery" / "marts" / "cake")
    return place / "bakery"


def deliver(bakery: Path, day: int, *lines: str) -> None:
    """Let the tills of the bakery deliver one more day."""
    head = "receipt,line,product,price,sold_at"
    (bakery / "exports" / "sales" / f"day_{day}.csv").write_text("\n".join([head, *lines]) + "\n")


def process(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call the command line in a process of its own, from ``cwd``."""
    return subprocess.run(
        [sys.executable, "-m", "mart_platform.cli", *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
