"""Every command block of README and docs runs, in the order in which a reader would type it.

Blocks of ``sh`` and ``python`` are commands. They run in a scratch folder that looks like a checkout, on
copies of the built data and of the warehouse folder. A block that serves runs until the page ends; a token
that a command has shown is the reader's from then on.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENDLESS = ("make ui", "mart ui")
THIS_VERY_TEST = ("make test", "make check", "make bench", "make lock")
"""They would run this test again, or measure for minutes; `.ci/run` and the benchmarks' own test run them."""


def blocks(page: Path) -> list[tuple[str, str]]:
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [(language, text) for language, text in found if language in ("sh", "python")]


WITH_COMMANDS = [page for page in PAGES if blocks(page)]


@pytest.fixture
def checkout(tmp_path: Path, built_data: Path) -> Path:
    """A folder with all that a checkout has, and a copy of the built data."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in {"data", ".git", ".venv"} and not entry.name.endswith("_cache"):
            (folder / entry.name).symlink_to(entry)
    environment = Path(sys.prefix)
    (folder / ".venv").symlink_to(environment)
    data = folder / "data"
    subprocess.run(["cp", "-a", str(built_data), str(data)], check=True)
    shutil.copytree(ROOT / "mart_platform" / "warehouse", folder / "warehouse")
    return folder


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_command_blocks_of_a_page_run(
    page: Path, checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    alone = tmp_path_factory.getbasetemp().parent / "door.lock"
    environment = {
        **os.environ,
        "MART_DATA": str(checkout / "data"),
        "MART_WAREHOUSE": str(checkout / "warehouse"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with ExitStack() as until_the_page_ends:
        for language, text in blocks(page):
            if text.startswith("mart serve"):
                until_the_page_ends.enter_context(serving(text, checkout, environment, alone))
                continue
            told = told_by(language, text, page, checkout, environment)
            if token := re.search(r"^mt_\S+$", told, re.MULTILINE):
                environment["MART_TOKEN"] = token[0]


def told_by(language: str, text: str, page: Path, checkout: Path, environment: dict[str, str]) -> str:
    """Run a block, and return what it has printed."""
    if any(line.strip().startswith(ENDLESS + THIS_VERY_TEST) for line in text.splitlines()):
        return ""
    command = ["bash", "-euo", "pipefail", "-c", text] if language == "sh" else [sys.executable, "-c", text]
    # make may install: it works in the real checkout, so that no environment points to the scratch folder
    folder = ROOT if text.startswith("make ") else checkout
    ran = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert ran.returncode == 0, f"{page.name}:\n{text}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@contextmanager
def serving(text: str, checkout: Path, environment: dict[str, str], alone: Path) -> Iterator[None]:
    """Serve as a block says; one page at a time, since the block names the port."""
    with alone.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = ["bash", "-euo", "pipefail", "-c", f"exec {text}"]
        server = subprocess.Popen(command, cwd=checkout, env=environment, stderr=subprocess.PIPE, text=True)
        try:
            assert server.stderr is not None
            assert any("are served at" in line for line in server.stderr)
            yield
        finally:
            server.terminate()
            server.wait(60)


def test_every_page_that_is_linked_to_is_there() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not link.startswith(("http", "mailto")):
                assert (page.parent / link).exists(), f"{page.relative_to(ROOT)} links to {link}"


def test_every_command_and_option_of_the_readme_is_known() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "mart_platform.cli", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for page in PAGES:
        for command in re.findall(r"^mart ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert f"\n  {command} " in told, f"{page.name} names mart {command}"
