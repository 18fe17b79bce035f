"""Files by interval: what lies in which file, and what each file says of itself."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mart_platform.adapters.engines import DuckDBEngine
from mart_platform.ports import Relation
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import ALL, DataFile
from mart_platform.spec.settings import EngineSettings
from mart_platform.spec.types import duckdb_type

COLUMNS = {"n": "bigint", "day": "date"}
DAYS = "SELECT range AS n, DATE '2017-01-30' + (range // 100)::INT AS day FROM range(400)"


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data [1]* 50%20off")


@pytest.fixture
def engine(data: DataFolder) -> DuckDBEngine:
    return DuckDBEngine(data, EngineSettings(memory="1GB", threads=2))


def write(
    engine: DuckDBEngine,
    data: DataFolder,
    sql: str,
    interval: str | None,
    columns: Mapping[str, str] = COLUMNS,
) -> tuple[DataFile, ...]:
    with engine.session([]) as session:
        return session.write(sql, columns, data.lake / "t", interval)


def by_interval(data: DataFolder, files: tuple[DataFile, ...]) -> dict[tuple[str, ...], pl.DataFrame]:
    return {
        file.intervals: pl.read_parquet(data.absolute(file.path), glob=False, hive_partitioning=False)
        for file in files
    }


def kept_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_each_file_holds_the_rows_of_one_interval_and_says_which(
    data: DataFolder, engine: DuckDBEngine
) -> None:
    files = write(engine, data, DAYS, "date_trunc('month', day)::DATE -- the month")
    frames = by_interval(data, files)
    assert set(frames) == {("2017-01-01",), ("2017-02-01",)}
    assert sorted(frames["2017-01-01",]["n"]) == list(range(200))
    assert sorted(frames["2017-02-01",]["n"]) == list(range(200, 400))
    assert [file.rows for file in files] == [200, 200]


def test_files_hold_no_column_but_the_declared_ones_and_lie_flat_in_the_folder(
    data: DataFolder, engine: DuckDBEngine
) -> None:
    files = write(engine, data, DAYS, "day")
    assert {tuple(frame.columns) for frame in by_interval(data, files).values()} == {("n", "day")}
    assert kept_below(data.lake) == sorted(
        ["t", *(Path(file.path).relative_to("lake").as_posix() for file in files)]
    )
    assert [file.bytes for file in files] == [data.absolute(file.path).stat().st_size for file in files]


def test_files_of_an_earlier_write_stay(data: DataFolder, engine: DuckDBEngine) -> None:
    files = [file for _ in range(3) for file in write(engine, data, DAYS, "day")]
    assert len({file.path for file in files}) == 12
    assert all(data.absolute(file.path).exists() for file in files)


@pytest.mark.parametrize(
    ("interval", "key"),
    [
        ("day", "2017-01-30"),
        ("date_trunc('hour', day + INTERVAL 305 MINUTE)", "2017-01-30 05:00:00"),
        ("(n % 8)::BIGINT", "3"),
        ("'north / south = 50%'", "north / south = 50%"),
    ],
)
def test_the_key_of_an_interval_is_its_value_as_text(
    data: DataFolder, engine: DuckDBEngine, interval: str, key: str
) -> None:
    [file] = write(engine, data, "SELECT 3 AS n, DATE '2017-01-30' AS day", interval)
    assert file.intervals == (key,)
    said = f"SELECT ({interval})::VARCHAR FROM (SELECT 3 AS n, DATE '2017-01-30' AS day)"
    assert duckdb.sql(said).fetchall() == [(key,)]


def test_rows_without_an_interval_lie_in_files_of_none(data: DataFolder, engine: DuckDBEngine) -> None:
    files = write(engine, data, "SELECT range AS n, NULL AS day FROM range(3)", "day")
    assert [(file.intervals, file.rows) for file in files] == [((), 3)]


def test_no_row_makes_no_file(data: DataFolder, engine: DuckDBEngine) -> None:
    assert write(engine, data, f"{DAYS} WHERE false", "day") == ()
    assert kept_below(data.lake) == ["t"]


def test_without_an_interval_a_file_holds_all(data: DataFolder, engine: DuckDBEngine) -> None:
    [file] = write(engine, data, DAYS, None)
    assert file.intervals == (ALL,)


def test_the_interval_is_that_of_the_declared_types(data: DataFolder, engine: DuckDBEngine) -> None:
    sql = "SELECT 1 AS n, '2017-02-03' AS day"
    [file] = write(engine, data, sql, "date_trunc('month', day)::DATE")
    assert file.intervals == ("2017-02-01",)


def test_a_column_may_be_called_interval(data: DataFolder, engine: DuckDBEngine) -> None:
    files = write(
        engine, data, "SELECT 7 AS interval, 1 AS key", '"interval"', {"interval": "bigint", "key": "bigint"}
    )
    assert by_interval(data, files)["7",].rows() == [(7, 1)]


def test_a_write_that_fails_on_its_way_leaves_nothing_but_what_was_there(
    data: DataFolder, engine: DuckDBEngine
) -> None:
    write(engine, data, DAYS, "day")
    before = kept_below(data.root)
    late = "CASE WHEN range = 2_500_000 THEN error('row 2500000 is bad') ELSE range END"
    sql = f"SELECT {late} AS n, DATE '2017-01-01' + (range % 90)::INT AS day FROM range(3_000_000)"
    with pytest.raises(UserError, match="row 2500000 is bad"):
        write(engine, data, sql, "day")
    assert kept_below(data.root) == before


def test_a_write_that_runs_out_of_memory_leaves_nothing(data: DataFolder) -> None:
    small = DuckDBEngine(data, EngineSettings(memory="40MB", threads=2))
    sql = "SELECT range % 2 AS n, list(hash(range)) AS l FROM range(4_000_000) GROUP BY ALL"
    with pytest.raises(UserError, match=r"(?i)memory|failed to"):
        write(small, data, sql, "n", {"n": "bigint", "l": "list(decimal(20,0))"})
    assert kept_below(data.root) == ["lake", "lake/t", "tmp"]


def test_an_interval_that_is_no_sql_over_the_columns_is_refused(
    data: DataFolder, engine: DuckDBEngine
) -> None:
    with pytest.raises(UserError, match='"week" not found'):
        write(engine, data, DAYS, "week")
    assert kept_below(data.root) == ["lake", "lake/t", "tmp"]


def test_a_model_is_written_by_interval(tmp_path: Path, data: DataFolder, engine: DuckDBEngine) -> None:
    model = tmp_path / "twice.py"
    model.write_text("def model(days):\n    return days.with_columns(n=2 * days.collect()['n'])\n")
    days = Relation("shop.days", COLUMNS, _paths(data, write(engine, data, DAYS, None)))
    with engine.session([days]) as session:
        files = session.write_model(model, {"days": "shop.days"}, COLUMNS, data.lake / "m", "day")
    frames = by_interval(data, files)
    assert sorted(frames["2017-01-31",]["n"]) == list(range(200, 400, 2))
    assert len(frames) == 4


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 5)))),
    st.integers(1, 3),
)
def test_files_by_interval_hold_the_rows_of_the_query(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int | None]], threads: int
) -> None:
    data = DataFolder(tmp_path_factory.mktemp("data"))
    engine = DuckDBEngine(data, EngineSettings(memory="500MB", threads=threads))
    values = ", ".join(f"({n}, {'NULL' if k is None else k})" for n, k in rows) or "(NULL, NULL)"
    where = "" if rows else "WHERE false"
    columns = {"n": "integer", "k": "integer"}
    files = write(engine, data, f"SELECT * FROM (VALUES {values}) t(n, k) {where}", "k * 10", columns)
    found = []
    for file in files:
        held = pl.read_parquet(data.absolute(file.path)).rows()
        assert file.rows == len(held)
        assert {() if k is None else (str(k * 10),) for _, k in held} == {file.intervals}
        found += held
    assert sorted(found, key=str) == sorted(rows, key=str)


# Bounds


MOMENTS = {"d": "date", "ts": "timestamp", "tz": "timestamptz"}
A_MOMENT = st.datetimes(timezones=st.just(UTC))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), A_MOMENT), min_size=1, max_size=5))
def test_bounds_are_the_smallest_and_largest_moments_as_duckdb_reads_them(
    tmp_path_factory: pytest.TempPathFactory, moments: list[datetime | None]
) -> None:
    data = DataFolder(tmp_path_factory.mktemp("data"))
    engine = DuckDBEngine(data, EngineSettings(memory="500MB", threads=1))
    values = ", ".join("(NULL)" if m is None else f"('{m.isoformat()}')" for m in moments)
    sql = f"""
        SELECT tz::TIMESTAMP::DATE AS d, tz::TIMESTAMP AS ts, tz
        FROM (SELECT said::TIMESTAMPTZ AS tz FROM (VALUES {values}) v(said))
    """
    known = [moment for moment in moments if moment is not None]
    with engine.session([]) as session:
        [file] = session.write(sql, MOMENTS, data.lake / "t")
        assert set(file.bounds) == (set(MOMENTS) if known else set())
        for column, (smallest, largest) in file.bounds.items():
            kind = duckdb_type(MOMENTS[column])
            [row] = session.rows(f"SELECT '{smallest}'::{kind} AS smallest, '{largest}'::{kind} AS largest")
            given: Any = {
                "d": [moment.date() for moment in known],
                "ts": [moment.replace(tzinfo=None) for moment in known],
                "tz": known,
            }[column]
            assert row == {"smallest": min(given), "largest": max(given)}


def test_bounds_stay_when_a_file_is_committed(data: DataFolder, engine: DuckDBEngine) -> None:
    [file, *_] = write(engine, data, DAYS, "day")
    assert file.committed().bounds == {"day": ("2017-01-30", "2017-01-30")}
    assert file.committed().intervals == ("2017-01-30",)


def _paths(data: DataFolder, files: tuple[DataFile, ...]) -> tuple[Path, ...]:
    return tuple(data.absolute(file.path) for file in files)
