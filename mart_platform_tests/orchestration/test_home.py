import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg

from mart_platform.orchestration.home import home_of, make_home, open_home
from mart_platform.spec.layout import DataFolder
from mart_platform_tests.orchestration.shop import ROOT

OPEN = """
import sys, time
from pathlib import Path
from mart_platform.orchestration.home import open_home
while time.time() < float(sys.argv[2]):
    pass
with open_home(Path(sys.argv[1])) as instance:
    print(len(instance.get_runs()))
"""


def test_a_home_that_somebody_has_is_used(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    assert home_of(data, {"DAGSTER_HOME": "/srv/dagster"}) == Path("/srv/dagster")
    assert home_of(data, {"DAGSTER_HOME": ""}) == home_of(data, {}) == data.dagster


def test_two_processes_that_start_at_once_find_one_sound_home(tmp_path: Path) -> None:
    home = tmp_path / "data" / "dagster"
    together = str(time.time() + 4)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(home), together],
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, "0\n"), err
    for database in ("runs.db", "runs/index.db"):
        with sqlite3.connect(home / "history" / database) as connection:
            assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    assert [path.name for path in home.parent.iterdir()] == ["dagster"]


def test_a_home_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    make_home(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["dagster.yaml"]
    with open_home(tmp_path) as instance:
        assert instance.get_runs() == []


def test_databases_that_somebody_has_elsewhere_stay_there(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(f"storage: {{sqlite: {{base_dir: {tmp_path / 'mine'}}}}}\n")
    with open_home(tmp_path) as instance:
        assert instance.get_runs() == []
    assert (tmp_path / "mine" / "history" / "runs.db").exists()
    assert not (tmp_path / "history").exists()


def test_a_new_home_sends_nothing_away_and_runs_one_build_at_a_time(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as instance:
        assert instance.telemetry_enabled is False
        assert instance.freshness_enabled is True
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 1


def test_dagster_itself_opens_the_home_with_the_databases_that_we_wrote(tmp_path: Path) -> None:
    home = tmp_path / "home"

    @dg.asset
    def one() -> None: ...

    with open_home(home) as instance:
        dg.materialize([one], instance=instance)
    dagsters_own = {"storage": {"sqlite": {"base_dir": str(home)}}}
    with dg.DagsterInstance.local_temp(str(home), overrides=dagsters_own) as plain:
        (run,) = plain.get_runs()
        assert run.is_success
        assert plain.get_latest_materialization_event(dg.AssetKey("one")) is not None
