"""One query cannot take the server down: not by its memory, its time, its answer, nor by its worker's end."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from mart_platform.adapters.queries import DuckDBQueries
from mart_platform.ports import Execution, ExecutionEnded, Relation, Result
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.settings import ServingSettings
from mart_platform.stages.maintaining.sweeping import sweepable

SALES = {"sales": 1}
SMALL = 'SELECT count(*) AS n FROM "sales@1".main.small'
LONG = "SELECT count(*) FROM range(1000000) a, range(1000000) b"
ONE_LONG_CALL = "SELECT levenshtein(repeat('a', 200000), repeat('b', 200000))"
"""Which nothing can interrupt: for half a minute."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="looks at processes by /proc")


def prepared(folder: Path) -> DuckDBQueries:
    data = DataFolder(folder)
    data.lake.mkdir(parents=True, exist_ok=True)
    file = data.lake / "small.parquet"
    duckdb.sql("SELECT i FROM range(1000) t(i)").write_parquet(str(file))
    settings = ServingSettings(workers=2, worker_memory="200MB", memory="200MB")
    engine = DuckDBQueries(data, settings)
    engine.prepare("sales", 1, [Relation("sales.small", {"i": "bigint"}, (file,))])
    return engine


@pytest.fixture(scope="module")
def strangers() -> set[int]:
    """The processes that other tests have left to this one."""
    return children()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, strangers: set[int]) -> Iterator[DuckDBQueries]:
    engine = prepared(tmp_path_factory.mktemp("survive"))
    yield engine
    engine.close()


def ad_hoc(sql: str, seconds: float = 2.0) -> Execution:
    return Execution(sql, SALES, lane="ad-hoc", seconds=seconds)


def ending(engine: DuckDBQueries, execution: Execution) -> ExecutionEnded:
    with pytest.raises(ExecutionEnded) as caught:
        engine.run(execution)
    return caught.value


def answers(engine: DuckDBQueries) -> bool:
    """Return whether both lanes answer."""
    lanes = (Execution(SMALL, SALES), ad_hoc(SMALL, 60.0))
    return all(engine.run(execution).rows == 1 for execution in lanes)


def children() -> set[int]:
    """Return the processes that this one has started and that run."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {child for task in tasks for child in map(int, task.read_text().split()) if is_running(child)}


def is_running(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def have_ended(processes: Iterable[int]) -> bool:
    """Wait for processes to end, and return whether they did."""
    for _ in range(400):
        if not any(map(is_running, processes)):
            return True
        time.sleep(0.05)  # between two looks
    return False


BOMBS = [
    "SELECT repeat('x', 2000000000) AS text",
    "SELECT length(repeat('x', 2000000000)) AS n",
    "SELECT repeat('x', 10000000) AS text FROM range(1000)",
    LONG,
    "SELECT * FROM range(1000000) a, range(1000000) b",
    "SELECT * FROM range(100000000000)",
    "WITH RECURSIVE t AS (SELECT 1 AS i, 'x' AS s UNION ALL SELECT i + 1, s || s FROM t) SELECT * FROM t",
    "WITH RECURSIVE t AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM t, range(10)) SELECT count(*) FROM t",
    "SELECT regexp_replace(repeat('a', 500000000), '(a+)+$', 'b') AS text",
    "SELECT list(i) AS l FROM range(1000000000) t(i)",
    "SELECT list_sum(range(2000000000)) AS n",
    "SELECT string_agg(repeat('x', 1000), ',') AS text FROM range(100000000)",
    "SELECT * FROM (SELECT random() AS r, md5(i::VARCHAR) AS t FROM range(100000000) t(i)) ORDER BY r",
    "SELECT i, count(*) FROM range(500000000) t(i) GROUP BY i",
    ONE_LONG_CALL,
]


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_ends_by_itself_while_dashboards_are_answered(engine: DuckDBQueries, bomb: str) -> None:
    with ThreadPoolExecutor() as pool:
        running = pool.submit(engine.run, ad_hoc(bomb, seconds=0.3))
        while not running.done():
            assert engine.run(Execution(SMALL, SALES)).rows == 1
            time.sleep(0.01)  # leaves the bomb its turn
        ended = running.exception()
    assert isinstance(ended, ExecutionEnded)
    assert ended.code in ("out_of_memory", "too_long", "too_many_rows")


def test_bombs_leave_the_server_as_large_as_it_was_and_all_workers_usable(
    engine: DuckDBQueries, strangers: set[int]
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with ThreadPoolExecutor(10) as pool:
        ends = list(pool.map(lambda bomb: ending(engine, ad_hoc(bomb, 0.1)).code, BOMBS[:2] + BOMBS[3:5] * 4))
    assert set(ends) <= {"out_of_memory", "too_long", "too_many_rows"}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
    assert answers(engine)
    assert len(children() - strangers) <= 2


def test_a_wide_answer_goes_through_a_worker_that_could_not_hold_it(engine: DuckDBQueries) -> None:
    result = engine.run(ad_hoc("SELECT repeat('x', 1000) AS text FROM range(300000)", seconds=60.0))
    assert result.bytes > 300_000_000 > 200_000_000
    result.close()


def test_a_sort_larger_than_memory_is_answered_from_disk(engine: DuckDBQueries) -> None:
    wide = "SELECT md5(i::VARCHAR) || md5((i + 1)::VARCHAR) AS text FROM range(1200000) t(i)"
    result = engine.run(ad_hoc(f"SELECT count(text) AS n FROM (FROM ({wide}) ORDER BY text OFFSET 1)", 60.0))
    assert result.rows == 1


def test_what_an_execution_may_hold_is_less_than_all_that_a_worker_has(engine: DuckDBQueries) -> None:
    sql = "SELECT list(i) AS l FROM range(4000000) t(i)"
    assert engine.run(ad_hoc(f"SELECT length(l) AS n FROM ({sql})", 60.0)).rows == 1
    small = Execution(sql, SALES, lane="ad-hoc", seconds=60.0, memory=20_000_000)
    assert ending(engine, small).code == "out_of_memory"


def test_a_sort_that_does_not_fit_ends_in_the_lane_that_cannot_write(engine: DuckDBQueries) -> None:
    wide = "SELECT md5(i::VARCHAR) AS text FROM range(4000000) t(i)"
    sort = f"SELECT count(text) AS n FROM (FROM ({wide}) ORDER BY text OFFSET 1)"
    assert ending(engine, Execution(sql=sort, versions=SALES)).code == "out_of_memory"
    assert answers(engine)


def test_a_call_that_nothing_can_interrupt_is_killed_and_its_cpu_is_counted(engine: DuckDBQueries) -> None:
    assert answers(engine)
    ended = ending(engine, ad_hoc(ONE_LONG_CALL, seconds=0.2))
    assert ended.code == "too_long"
    assert ended.cpu_seconds > 0.2
    assert answers(engine)


def test_a_call_that_nothing_can_interrupt_is_killed_when_nobody_waits_for_it(engine: DuckDBQueries) -> None:
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    with pytest.raises(ExecutionEnded) as caught:
        engine.run(ad_hoc(ONE_LONG_CALL, seconds=60.0), cancel)
    assert caught.value.code == "cancelled"
    assert answers(engine)


def test_a_worker_that_is_killed_ends_its_query_alone(engine: DuckDBQueries, strangers: set[int]) -> None:
    assert answers(engine)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(engine.run, ad_hoc(LONG, seconds=60.0))
        time.sleep(0.5)  # until the query runs in its worker
        for worker in children() - strangers:
            os.kill(worker, signal.SIGKILL)
        ended = running.exception()
    assert isinstance(ended, ExecutionEnded)
    assert ended.code == "out_of_memory"
    assert answers(engine)


def test_a_worker_that_died_while_it_was_idle_costs_no_query(
    engine: DuckDBQueries, strangers: set[int]
) -> None:
    assert answers(engine)
    for worker in children() - strangers:
        os.kill(worker, signal.SIGKILL)
    assert have_ended(children() - strangers)
    assert answers(engine)


def test_closing_ends_what_runs_and_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    others = children()
    engine = prepared(tmp_path)
    large: Result = engine.run(ad_hoc("SELECT i FROM range(2000000) t(i)", 60.0))
    assert large.bytes > 4_000_000
    with ThreadPoolExecutor() as pool:
        lanes = [pool.submit(engine.run, each) for each in (Execution(LONG, SALES), ad_hoc(LONG, 60.0))]
        time.sleep(0.3)  # until both run
        engine.close()
        ends = [lane.exception() for lane in lanes]
    assert [getattr(end, "code", None) for end in ends] == ["cancelled", "cancelled"]
    assert children() <= others
    assert not list(DataFolder(tmp_path).temporary.iterdir())


SERVER = """
import sys
from pathlib import Path
from mart_platform_tests.adapters.test_queries_survive import LONG, ONE_LONG_CALL, ad_hoc, children, prepared
from concurrent.futures import ThreadPoolExecutor

engine = prepared(Path(sys.argv[1]))
with ThreadPoolExecutor() as pool:
    for sql in (LONG, ONE_LONG_CALL):
        pool.submit(engine.run, ad_hoc(sql, 120.0))
    while len(children()) < 2:
        pass
    print(*children(), flush=True)
"""


def test_workers_end_with_a_server_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SERVER, str(tmp_path)], stdout=subprocess.PIPE) as server:
        assert server.stdout
        workers = [int(worker) for worker in server.stdout.readline().split()]
        assert len(workers) == 2
        time.sleep(1.5)
        assert all(map(is_running, workers))
        server.kill()
    assert have_ended(workers)


def test_workers_get_no_secret_from_the_environment(engine: DuckDBQueries, strangers: set[int]) -> None:
    assert answers(engine)
    named = {
        variable.partition(b"=")[0]
        for worker in (children() - strangers)
        for variable in Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
    }
    assert named <= {b"", b"PATH", b"PYTHONPATH", b"LANG", b"LD_LIBRARY_PATH", b"LC_CTYPE"}


def test_maintenance_leaves_the_folder_of_an_engine_that_nobody_asks_and_sweeps_what_a_killed_one_left(
    tmp_path: Path,
) -> None:
    engine, data = prepared(tmp_path), DataFolder(tmp_path)
    (folder,) = data.temporary.iterdir()
    (left := data.temporary / "queries-of-one-that-was-killed").mkdir()
    later, kept = datetime.now(UTC) + timedelta(days=9), timedelta(days=30)
    assert sweepable(data, later, kept) == [left]
    engine.close()
    folder.mkdir()
    assert set(sweepable(data, later, kept)) == {left, folder}
