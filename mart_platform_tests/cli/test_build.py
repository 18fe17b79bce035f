"""``mart build``, from outside: what it does, what it says, how it ends."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

from mart_platform_tests.cli.conftest import Ended, Mart, deliver, process

TOO_DEAR = "R6,1,rye bread,5000,2026-03-03 18:00:00"


def test_the_first_build_ends_with_marts_answers_and_what_next(built: tuple[Path, Ended]) -> None:
    ended = built[1]
    assert ended.code == 0, ended.err
    assert "1 table landed, 3 tables built, 2 marts published, 1 row in quarantine" in ended.out
    assert "bread: How much bread is sold each day?" in ended.out
    assert "cake: How much cake is sold each day?" in ended.out
    assert 'query "SELECT * FROM bread.daily LIMIT 5"' in ended.out
    assert "data/published/bread/current/bread.duckdb" in ended.out


def test_without_a_terminal_each_finished_step_is_a_line(built: tuple[Path, Ended]) -> None:
    lines = built[1].err.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("[1/6] till.sales landed (6 rows read, ")
    assert lines[5].startswith("[6/6] cake published (") or lines[5].startswith("[6/6] bread published (")


def test_the_next_commands_work_as_they_are_printed(built: tuple[Path, Ended]) -> None:
    place = built[0].parent
    [line] = [line.strip() for line in built[1].out.splitlines() if " query " in line]
    command = line.replace("mart ", f"{sys.executable} -m mart_platform.cli ", 1)
    ended = subprocess.run(["bash", "-c", command], cwd=place, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "6.40" in ended.stdout


def test_a_second_build_finds_nothing_to_do(built_mart: Mart) -> None:
    built_mart("build")  # the data folder was copied, so that its views still looked into the other one
    ended = built_mart("build")
    assert ended.code == 0
    assert ended.out.startswith("Nothing to do")
    assert "bread" in ended.out
    told = built_mart("build", "--json").document
    assert told == {"run": "", "succeeded": True, "tables": [], "marts": [], "failures": []}


def test_a_build_of_nothing_imports_nothing_heavy_and_costs_little(built: tuple[Path, Ended]) -> None:
    """The promise is 1.5 CPU seconds more than an empty Python, on a machine of its own."""
    place = built[0].parent
    script = (
        "import sys; from mart_platform.cli.program import run; "
        "run(['--warehouse', 'bakery', 'build']); "
        "print([n for n in ['dagster', 'polars', 'pandera', 'duckdb', 'deltalake'] if n in sys.modules])"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=place, capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.stdout.startswith("Nothing to do")
    assert ended.stdout.splitlines()[-1] == "[]"
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < 1.5


def test_quiet_prints_nothing_when_all_is_well(built_mart: Mart, bakery: Path) -> None:
    assert built_mart("build", "-q") == Ended(0, "", "")
    deliver(bakery, 2, "R7,1,rye bread,3.20,2026-03-03 18:00:00")
    assert built_mart("build", "-q") == Ended(0, "", "")


def test_a_dry_run_tells_what_and_why_and_does_nothing(built_mart: Mart, bakery: Path) -> None:
    deliver(bakery, 2, "R7,1,rye bread,3.20,2026-03-03 18:00:00")
    plan = built_mart("build", "--dry-run", "--json").document
    assert plan["tables"]["till.sales"] == "1 new delivery"
    assert plan["tables"]["bread.daily"] == "canonical.sale may change"
    assert set(plan["marts"]) == {"bread", "cake"}
    assert "canonical.sale" in built_mart("build", "--dry-run").out
    assert built_mart("build", "--dry-run", "--json").document == plan


def test_a_new_delivery_is_built_and_told_to_a_script(built_mart: Mart, bakery: Path) -> None:
    deliver(bakery, 2, "R7,1,rye bread,3.20,2026-03-03 18:00:00")
    ended = built_mart("build", "--json")
    assert ended.code == 0, ended.err
    told = ended.document
    assert told["succeeded"]
    assert {report["table"]: report["outcome"] for report in told["tables"]} == {
        "till.sales": "landed",
        "canonical.sale": "built",
        "bread.daily": "built",
        "cake.daily": "same rows",
    }
    answer = built_mart("query", "--format", "json", "SELECT sum(takings) AS sum FROM bread.daily").document
    assert answer == [{"sum": "12.50"}]


def test_a_single_table_is_built_with_what_it_is_made_from(mart: Mart) -> None:
    ended = mart("build", "canonical.sale")
    assert ended.code == 0, ended.err
    assert "canonical.sale" in ended.out
    assert "bread" not in ended.out
    assert mart("status", "--json").document["marts"][0]["live"] is None


def test_a_failed_check_names_table_reason_log_and_what_stays(built_mart: Mart, bakery: Path) -> None:
    deliver(bakery, 2, TOO_DEAR)
    ended = built_mart("build")
    assert ended.code == 1
    assert "bread.daily failed: " in ended.err
    assert "takings_in_range: 1 of 2 rows" in ended.err
    assert "bread: readers keep publication 1" in ended.err
    [log] = [line.strip().removeprefix("log: ") for line in ended.err.splitlines() if "log: " in line]
    assert Path(log).is_file()
    assert "Traceback" not in ended.err
    assert (
        built_mart("query", "SELECT max(takings) FROM bread.daily", "--format", "csv").out
        == "max(takings)\n6.40\n"
    )
    assert "takings_in_range" in built_mart("explain", "bread.daily").out


def test_a_refused_delivery_is_a_failure_that_names_the_file(built_mart: Mart, bakery: Path) -> None:
    (bakery / "exports" / "sales" / "day_2.csv").write_text("receipt,line,product\nR9,1,rye bread\n")
    ended = built_mart("build", "--json")
    assert ended.code == 1
    assert not ended.document["succeeded"]
    [failure] = ended.document["failures"]
    assert failure["subject"] == "till.sales"
    assert "day_2.csv" in failure["message"]


def test_an_unknown_target_is_answered_with_the_nearest(mart: Mart) -> None:
    ended = mart("build", "braed")
    assert ended.code == 1
    assert ended.err == "There is no mart or table 'braed'. Did you mean 'bread'?\n"


def test_a_mart_of_a_new_folder_builds_as_it_stands(built_mart: Mart) -> None:
    assert built_mart("new", "rye", "--from", "canonical.sale").code == 0
    ended = built_mart("build", "rye", "--json")
    assert ended.code == 0, ended.err
    assert [report["mart"] for report in ended.document["marts"]] == ["rye"]


def test_the_log_holds_one_json_object_a_line_and_no_password(bakery: Path, tmp_path: Path) -> None:
    ended = process(
        "--warehouse",
        "bakery",
        "status",
        cwd=tmp_path,
        MART_LEDGER="postgresql://mart:s3cret@nowhere/ledger",
    )
    assert ended.returncode == 1
    assert "s3cret" not in ended.stderr
    [log] = (tmp_path / "data" / "logs").glob("*.jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert all({"at", "level", "logger", "message"} <= line.keys() for line in lines)
    assert [line["message"] for line in lines] == ["called", "ended"]
    assert "s3cret" not in log.read_text()


def test_the_log_is_shown_when_asked_for(built_mart: Mart, bakery: Path) -> None:
    deliver(bakery, 2, "R7,1,rye bread,3.20,2026-03-03 18:00:00")
    assert "INFO mart_platform" in built_mart("check", "-v", "-q").err


def test_a_terminal_sees_live_progress_and_then_the_result(bakery: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m mart_platform.cli --warehouse bakery build bread"
    ended = subprocess.run(
        ["script", "-qec", command, os.devnull],
        cwd=tmp_path,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert "/4" in ended.stdout
    assert "mart published" in ended.stdout
