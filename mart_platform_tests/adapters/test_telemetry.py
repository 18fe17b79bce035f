import json
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mart_platform.adapters.progress import Logged, Silent
from mart_platform.adapters.telemetry import JsonlTelemetry
from mart_platform.ports import Progress, Telemetry
from mart_platform_tests.fakes import RecordingProgress, RecordingTelemetry


def facts_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(folder.iterdir()) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("make", [JsonlTelemetry, lambda folder: RecordingTelemetry()])
def test_all_telemetry_takes_facts_of_any_shape(make: Callable[[Path], Telemetry], tmp_path: Path) -> None:
    telemetry = make(tmp_path)
    telemetry.record("step", table="a.b", seconds=0.5, rows=3)
    telemetry.record("check", odd=object(), none=None)


def test_a_fact_is_one_line_with_its_moment_kind_and_process(tmp_path: Path) -> None:
    telemetry = JsonlTelemetry(tmp_path / "telemetry")
    telemetry.record("step", table="sales.fact", text="two\nlines, naïve 🛒", rows=3)
    telemetry.close()
    (fact,) = facts_in(tmp_path / "telemetry")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(fact.pop("at"))).total_seconds()) < 60
    assert fact == {
        "kind": "step",
        "pid": os.getpid(),
        "table": "sales.fact",
        "text": "two\nlines, naïve 🛒",
        "rows": 3,
    }


def test_values_beyond_json_are_told_as_text(tmp_path: Path) -> None:
    telemetry = JsonlTelemetry(tmp_path)
    telemetry.record(
        "k", money=Decimal("1.50"), day=date(2018, 1, 1), where=Path("a/b"), ratio=float("nan"), raw=b"\xff"
    )
    telemetry.close()
    (fact,) = facts_in(tmp_path)
    told = {name: fact[name] for name in ("money", "day", "where", "ratio", "raw")}
    assert told == {"money": "1.50", "day": "2018-01-01", "where": "a/b", "ratio": None, "raw": "_w=="}


def test_nothing_is_made_before_the_first_fact(tmp_path: Path) -> None:
    JsonlTelemetry(tmp_path / "telemetry").close()
    assert not (tmp_path / "telemetry").exists()


def test_a_failure_is_logged_once_and_never_raised(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "telemetry").write_text("a file where the folder should be")
    telemetry = JsonlTelemetry(tmp_path / "telemetry")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            telemetry.record("step")
    assert telemetry.lost == 3
    (line,) = caplog.messages
    assert f"cannot be written to {tmp_path}/telemetry" in line
    assert "File exists" in line


def test_a_fact_that_cannot_be_told_is_lost_alone(tmp_path: Path) -> None:
    telemetry = JsonlTelemetry(tmp_path)
    circle: list[Any] = []
    circle.append(circle)
    telemetry.record("step", of=circle)
    telemetry.record("step", of="\ud800")
    telemetry.record("step", of="this")
    telemetry.close()
    assert telemetry.lost >= 1
    assert [fact["of"] for fact in facts_in(tmp_path)][-1] == "this"


def _record_many(folder: str, name: str) -> None:
    telemetry = JsonlTelemetry(Path(folder))
    for number in range(200):
        telemetry.record("step", who=name, number=number, filler="x" * 2000)
    telemetry.close()


def test_processes_and_threads_tear_no_line(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(_record_many, [(str(tmp_path), "a"), (str(tmp_path), "b")], 1)
    telemetry = JsonlTelemetry(tmp_path)

    def work(name: str) -> None:
        for number in range(200):
            telemetry.record("step", who=name, number=number)

    threads = [threading.Thread(target=work, args=(name,)) for name in "cd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    telemetry.close()
    assert sorted((fact["who"], fact["number"]) for fact in facts_in(tmp_path)) == [
        (name, number) for name in "abcd" for number in range(200)
    ]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_child_of_a_fork_writes_its_own_file(tmp_path: Path) -> None:
    telemetry = JsonlTelemetry(tmp_path)
    telemetry.record("step", who="parent")
    child = os.fork()
    if child == 0:
        telemetry.record("step", who="child")
        os._exit(0)
    os.waitpid(child, 0)
    telemetry.record("step", who="parent")
    telemetry.close()
    by_process = {fact["pid"]: fact["who"] for fact in facts_in(tmp_path)}
    assert by_process == {os.getpid(): "parent", child: "child"}
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("progress", [Silent(), Logged(), RecordingProgress()])
def test_all_progress_can_be_told(progress: Progress) -> None:
    progress.begins("sales.fact", "building")
    progress.advances("sales.fact", 10)
    progress.ends("sales.fact", "built")


def test_progress_can_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Logged().begins("sales.fact", "building")
        Logged().advances("sales.fact", 10)
        Logged().ends("sales.fact", "built")
    assert caplog.messages == ["sales.fact: building", "sales.fact: built"]
