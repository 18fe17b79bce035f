"""The program as a whole: help, options, endings."""

import os
import resource
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import click
import pytest

from mart_platform.adapters.ledger import open_ledger
from mart_platform.cli.program import COMMANDS, EXIT_CODES
from mart_platform_tests.cli.conftest import Mart, process


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_one_says_of_itself(name: str) -> None:
    module = name.replace("-", "_")
    command: click.Command = getattr(import_module(f"mart_platform.cli.commands.{module}"), module)
    assert (command.help or "").splitlines()[0] == COMMANDS[name]


def test_help_lists_all_commands_and_exit_codes(mart: Mart) -> None:
    told = mart("--help").out
    assert all(f"  {name} " in told for name in COMMANDS)
    assert all(f"  {code} " in told for code in EXIT_CODES)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(mart: Mart, name: str) -> None:
    ended = mart(name, "--help")
    assert ended.code == 0
    assert f"Usage: mart {name}" in ended.out


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    heavy = ["polars", "duckdb", "dagster", "pandera", "pydantic", "sqlalchemy", "sqlglot", "rich", "yaml"]
    script = (
        "import sys; from mart_platform.cli.program import run; run(['--help']); "
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ended.stderr.strip() == "[]"


def test_help_starts_at_once(tmp_path: Path) -> None:
    """Well below the 0.15 CPU seconds that are promised on an idle machine."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(3):
        process("--help", cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    assert spent / 3 < 0.3
    assert not (tmp_path / "data").exists()


def test_an_unknown_command_is_answered_with_the_nearest(mart: Mart) -> None:
    ended = mart("biuld")
    assert ended.code == 2
    assert "Did you mean 'build'?" in ended.err


def test_an_unknown_option_is_wrong_use(mart: Mart) -> None:
    assert mart("build", "--everything").code == 2


def test_the_places_may_stand_after_the_command(mart: Mart, bakery: Path, tmp_path: Path) -> None:
    ended = mart("validate", "--data", str(tmp_path / "elsewhere"))
    assert ended.code == 0
    assert (tmp_path / "elsewhere" / "cache").is_dir()


def test_the_environment_names_the_places(bakery: Path, tmp_path: Path) -> None:
    ended = process(
        "validate", cwd=tmp_path, MART_WAREHOUSE=str(bakery), MART_DATA=str(tmp_path / "from_environment")
    )
    assert (ended.returncode, str(bakery) in ended.stdout) == (0, True)
    assert (tmp_path / "from_environment").is_dir()


def test_an_option_goes_before_the_environment(bakery: Path, tmp_path: Path) -> None:
    ended = process("--warehouse", "bakery", "validate", cwd=tmp_path, MART_WAREHOUSE="/nowhere")
    assert ended.returncode == 0, ended.stderr


def test_a_warehouse_that_is_not_there_is_wrong_use(mart: Mart) -> None:
    ended = mart("validate", "--warehouse", "nowhere")
    assert ended.code == 2
    assert "'nowhere' does not exist" in ended.err


def test_a_mistake_of_the_user_is_one_sentence(mart: Mart) -> None:
    ended = mart("explain", "bread.dayly")
    assert ended.code == 1
    assert ended.err == "There is no table 'bread.dayly'. Did you mean 'bread.daily'?\n"


def test_a_script_gets_the_mistake_as_a_document(mart: Mart) -> None:
    ended = mart("explain", "bread.dayly", "--json")
    assert ended.document == {"error": "There is no table 'bread.dayly'. Did you mean 'bread.daily'?"}


def test_a_data_folder_that_cannot_be_made_is_a_sentence(mart: Mart) -> None:
    ended = mart("validate", "--data", "/proc/nothing")
    assert (ended.code, ended.err) == (
        1,
        "The data folder /proc/nothing cannot be written: No such file or directory.\n",
    )


def test_a_bug_names_a_log_with_the_traceback(mart: Mart, tmp_path: Path) -> None:
    """A ledger that holds what no release ever wrote stands for whatever we did not foresee."""
    assert mart("clock").code == 0
    ledger = open_ledger(tmp_path / "data" / "ledger.sqlite")
    ledger.set_setting("business_clock", "not an anchor")
    ledger.close()
    ended = mart("clock")
    assert ended.code == 70
    assert "a bug of ours" in ended.err
    assert "Traceback" not in ended.err
    [log] = (tmp_path / "data" / "logs").glob("bug-*.log")
    assert str(log) in ended.err
    assert "Traceback" in log.read_text()


def test_a_damaged_plan_in_the_cache_is_made_again(mart: Mart, tmp_path: Path) -> None:
    assert mart("validate").code == 0
    [plan] = (tmp_path / "data" / "cache").glob("plan-*.json")
    plan.write_text(plan.read_text()[:1000])
    assert mart("validate").code == 0


def test_a_reader_that_goes_away_is_no_mistake(bakery: Path, tmp_path: Path) -> None:
    query = "query --warehouse bakery --format csv 'SELECT * FROM range(1000000)'"
    command = f"{sys.executable} -m mart_platform.cli {query} | head -1"
    ended = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("range\n", "")


def test_an_interrupt_ends_with_its_own_code(bakery: Path, tmp_path: Path) -> None:
    called = subprocess.Popen(
        [sys.executable, "-m", "mart_platform.cli", "--warehouse", str(bakery), "query"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(1.5)
    called.send_signal(signal.SIGINT)
    _, told = called.communicate(timeout=20)
    assert (called.returncode, told.strip()) == (130, "Interrupted.")
