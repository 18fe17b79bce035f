"""The engine: what it writes, what it refuses, and what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from mart_platform.adapters.engines import DuckDBEngine
from mart_platform.adapters.engines.casting import cast_columns
from mart_platform.adapters.lake import DeltaLake
from mart_platform.ports import Relation
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import DataFile
from mart_platform.spec.settings import EngineSettings

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data [1]*")


@pytest.fixture
def engine(data: DataFolder) -> DuckDBEngine:
    return DuckDBEngine(data, EngineSettings(memory="1GB", threads=2))


def written(data: DataFolder, files: tuple[DataFile, ...]) -> pl.DataFrame:
    return pl.read_parquet([data.absolute(file.path) for file in files], glob=False)


def model_file(folder: Path, text: str) -> Path:
    file = folder / "rates.py"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return file


def kept_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# Queries


def test_a_query_becomes_one_new_file_each_time(data: DataFolder, engine: DuckDBEngine) -> None:
    with engine.session([]) as session:
        first = session.write("SELECT 1 AS a;", {"a": "bigint"}, data.lake / "t")
        second = session.write("SELECT 1 AS a -- last", {"a": "bigint"}, data.lake / "t")
    assert len(first) == len(second) == 1
    assert first[0].path != second[0].path
    assert first[0].rows == 1
    assert first[0].bytes == data.absolute(first[0].path).stat().st_size


def test_an_empty_table_has_a_file_with_its_columns(data: DataFolder, engine: DuckDBEngine) -> None:
    columns = {"a": "bigint", "price": "decimal(18,2)"}
    with engine.session([]) as session:
        files = session.write("SELECT 1.5 AS price, 2 AS a WHERE false", columns, data.lake / "t")
        session.define(Relation("shop.t", columns, (data.absolute(files[0].path),)))
        assert session.rows("SELECT count(*) AS n FROM shop.t") == [{"n": 0}]
    assert written(data, files).schema == {"a": pl.Int64, "price": pl.Decimal(18, 2)}


def test_columns_come_in_the_declared_order_and_types(data: DataFolder, engine: DuckDBEngine) -> None:
    columns = {"b": "string", "total": "bigint", "at": "timestamptz", "nothing": "date"}
    moment = "TIMESTAMPTZ '2020-01-01 02:00:00+02'"
    sql = f"SELECT sum(range) AS total, NULL AS nothing, 'x' AS b, {moment} AS at FROM range(4)"
    with engine.session([]) as session:
        frame = written(data, session.write(sql, columns, data.lake / "t"))
    assert frame.columns == ["b", "total", "at", "nothing"]
    assert frame.rows() == [("x", 6, datetime(2020, 1, 1, tzinfo=UTC), None)]
    assert frame.schema["nothing"] == pl.Date


def test_an_order_by_is_kept(data: DataFolder, engine: DuckDBEngine) -> None:
    sql = "SELECT hash(range) % 1000 AS k, range AS v FROM range(600_000) ORDER BY k, v DESC"
    with engine.session([]) as session:
        frame = written(data, session.write(sql, {"k": "bigint", "v": "bigint"}, data.lake / "t"))
    assert frame.equals(frame.sort("k", "v", descending=[False, True]))


@pytest.mark.parametrize(
    ("expression", "declared", "said"),
    [
        ("1.005::DECIMAL(10,3)", "decimal(10,2)", "column 'a': 1.005 does not fit decimal(10,2)"),
        ("1234.5::DECIMAL(10,2)", "decimal(3,2)", "1234.5"),
        ("9223372036854775807::HUGEINT + 1", "bigint", "9223372036854775808"),
        ("1.5::DOUBLE", "bigint", "column 'a': 1.5 does not fit bigint"),
        ("TIMESTAMP '2020-01-01 10:00'", "date", "does not fit date"),
        ("'2020-02-30'", "date", "2020-02-30"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_leaves_no_file(
    data: DataFolder, engine: DuckDBEngine, expression: str, declared: str, said: str
) -> None:
    with engine.session([]) as session, pytest.raises(UserError) as raised:
        session.write(f"SELECT {expression} AS a", {"a": declared}, data.lake / "t")
    assert said in str(raised.value)
    assert kept_below(data.lake) == []


@settings(max_examples=60, deadline=None)
@given(st.decimals(min_value=-10_000, max_value=10_000, places=4), st.integers(0, 4))
def test_a_decimal_is_stored_exactly_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, value: Decimal, scale: int
) -> None:
    data = DataFolder(tmp_path_factory.mktemp("data"))
    exact = value == round(value, scale)
    with DuckDBEngine(data, EngineSettings(memory="500MB", threads=1)).session([]) as session:
        try:
            files = session.write(
                f"SELECT {value}::DECIMAL(18,4) AS a", {"a": f"decimal(18,{scale})"}, data.lake
            )
        except UserError:
            assert not exact
        else:
            assert exact
            assert written(data, files).item() == value


def test_a_column_that_is_missing_or_new_is_named(data: DataFolder, engine: DuckDBEngine) -> None:
    with engine.session([]) as session:
        with pytest.raises(
            UserError, match=r"'amount' is declared, but is not given\. Did you mean 'amounts'"
        ):
            session.write("SELECT 1 AS amounts", {"amount": "bigint"}, data.lake)
        with pytest.raises(UserError, match="column 'b' is given, but is not declared"):
            session.write("SELECT 1 AS a, 2 AS b", {"a": "integer"}, data.lake)


def test_an_error_of_sql_is_one_sentence(engine: DuckDBEngine) -> None:
    with engine.session([]) as session, pytest.raises(UserError) as raised:
        session.rows("SELECT * FROM sales.nothing")
    assert str(raised.value).startswith('Table with name "sales.nothing" does not exist')
    assert "\n" not in str(raised.value)


def test_answers_come_as_rows_and_as_frames(engine: DuckDBEngine) -> None:
    now = datetime(2018, 1, 1, 12, tzinfo=UTC)
    with engine.session([]) as session:
        [row] = session.rows("SELECT getvariable('now')::TIMESTAMP AS now, 1.50 AS price", {"now": now})
        frame = session.frame("SELECT 1.50::DECIMAL(4,2) AS price")
    assert row == {"now": now.replace(tzinfo=None), "price": Decimal("1.50")}
    assert frame.item() == Decimal("1.50")


def test_a_frame_tells_columns_of_one_name_apart_and_has_what_polars_lacks_as_text(
    engine: DuckDBEngine,
) -> None:
    with engine.session([]) as session:
        frame = session.frame("SELECT 1 AS a, 2 AS a, INTERVAL 1 DAY AS late, [INTERVAL 2 DAY] AS all_late")
    assert frame.row(0, named=True) == {"a": 1, "a_1": 2, "late": "1 day", "all_late": "[2 days]"}


def test_a_relation_can_be_put_in_the_place_of_another(data: DataFolder, engine: DuckDBEngine) -> None:
    with engine.session([]) as session:
        for value in (1, 2):
            files = session.write(
                f"SELECT {value} AS a, 0 AS hidden", {"a": "integer", "hidden": "integer"}, data.lake
            )
            session.define(Relation("shop.t", {"a": "integer"}, (data.absolute(files[0].path),)))
            assert session.rows("SELECT * FROM shop.t") == [{"a": value}]


def test_a_session_that_fails_leaves_nothing_in_the_temporary_folder(
    data: DataFolder, engine: DuckDBEngine
) -> None:
    def fail() -> None:
        with engine.session([]) as session:
            assert list(data.temporary.iterdir()) != []
            session.rows("SELECT nothing")

    with pytest.raises(UserError):
        fail()
    assert list(data.temporary.iterdir()) == []


@pytest.mark.parametrize("interval", [None, "a % 3"])
def test_an_interrupt_ends_a_query_and_leaves_no_file(tmp_path: Path, interval: str | None) -> None:
    script = """
        import sys
        from pathlib import Path
        from mart_platform.adapters.engines import DuckDBEngine
        from mart_platform.spec.layout import DataFolder
        from mart_platform.spec.settings import EngineSettings
        data = DataFolder(Path(sys.argv[1]))
        with DuckDBEngine(data, EngineSettings(threads=2)).session([]) as session:
            print("ready", flush=True)
            endless = "SELECT a.range AS a FROM range(3_000_000) a, range(1_000_000) b"
            session.write(endless, {"a": "bigint"}, data.lake, eval(sys.argv[2]))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path), repr(interval)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    while not kept_below(tmp_path / "lake") and process.poll() is None:
        pass
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in told
    assert kept_below(tmp_path) == []


# Statistics


def test_statistics_are_those_that_delta_reads_back(data: DataFolder, engine: DuckDBEngine) -> None:
    columns = {
        "i": "integer", "s": "string", "d": "date", "ts": "timestamp", "tz": "timestamptz",
        "price": "decimal(18,2)", "x": "double", "odd": "double", "ok": "boolean", "long": "string",
        "huge": "decimal(38,2)", "l": "list(integer)", "none": "bigint",
    }  # fmt: skip
    sql = """
        SELECT * FROM (VALUES
            (1, 'a"ü', DATE '2020-01-02', TIMESTAMP '2020-01-02 03:04:05.123456',
             TIMESTAMPTZ '2020-01-02 03:04:05+02', 12.34, 1.5, 'NaN'::DOUBLE, true,
             repeat('é', 500), 123456789012345678901234567890.12, [1], NULL),
            (-3, 'b', DATE '1999-12-31', TIMESTAMP '1969-01-02', NULL, -0.05, -2.25,
             1, false, 'a', 1, [2], NULL)
        ) t(i, s, d, ts, tz, price, x, odd, ok, long, huge, l, none)
    """
    with engine.session([]) as session:
        files = session.write(sql, columns, data.lake / "t")
    stats = json.loads(files[0].stats)
    assert stats["numRecords"] == 2
    assert stats["minValues"] == {
        "i": -3, "s": 'a"ü', "d": "1999-12-31", "ts": "1969-01-02T00:00:00.000000",
        "tz": "2020-01-02T01:04:05.000000Z",
        "price": -0.05, "x": -2.25, "huge": 1.0,
    }  # fmt: skip
    assert set(stats["maxValues"]) == {"i", "s", "d", "ts", "tz", "price", "x"}
    assert stats["nullCount"] == {**dict.fromkeys(columns.keys() - {"l"}, 0), "tz": 1, "none": 2}
    DeltaLake(data).commit("t", columns, files, base=None, append=False, metadata={})
    actions = pl.DataFrame(DeltaTable(data.lake / "t").get_add_actions(flatten=True))
    assert actions["num_records"].to_list() == [2]
    assert actions["min.price"].to_list() == [Decimal("-0.05")]
    assert str(actions["max.ts"].item()) == "2020-01-02 03:04:05.123456"
    assert actions["min.d"].to_list() == [date(1999, 12, 31)]
    assert actions["null_count.none"].to_list() == [2]


# Frames


def test_frames_are_written_in_their_order(data: DataFolder, engine: DuckDBEngine) -> None:
    frames = (pl.DataFrame({"row": range(n * 1000, (n + 1) * 1000), "s": ["é"] * 1000}) for n in range(300))
    with engine.session([]) as session:
        files = session.write_frames(frames, {"row": "integer", "s": "string"}, data.lake)
    assert written(data, files)["row"].to_list() == list(range(300_000))


def test_no_frame_gives_an_empty_file(data: DataFolder, engine: DuckDBEngine) -> None:
    with engine.session([]) as session:
        files = session.write_frames(iter(()), {"a": "list(string)"}, data.lake)
    assert files[0].rows == 0
    assert written(data, files).columns == ["a"]


def test_an_error_while_a_frame_is_made_arrives_unchanged(data: DataFolder, engine: DuckDBEngine) -> None:
    def frames() -> Iterator[pl.DataFrame]:
        yield pl.DataFrame({"a": [1]})
        raise UserError("orders.csv: row 7 is torn.")

    with engine.session([]) as session:
        with pytest.raises(UserError, match=r"^orders\.csv: row 7 is torn\.$"):
            session.write_frames(frames(), {"a": "bigint"}, data.lake)
        assert session.rows("SELECT 1 AS a") == [{"a": 1}]
    assert kept_below(data.lake) == []


def test_a_frame_unlike_those_before_it_is_refused(data: DataFolder, engine: DuckDBEngine) -> None:
    frames = [pl.DataFrame({"a": [1]}), pl.DataFrame({"a": ["x"]})]
    with engine.session([]) as session, pytest.raises(ValueError, match="those before it"):
        session.write_frames(frames, {"a": "bigint"}, data.lake)
    assert kept_below(data.lake) == []


# Models


INPUT = {"currency": "string", "rate": "decimal(10,2)"}


@pytest.fixture
def rates(data: DataFolder, engine: DuckDBEngine) -> Relation:
    with engine.session([]) as session:
        sql = "SELECT * FROM (VALUES ('USD', 1.10), ('GBP', 0.85)) t(currency, rate)"
        files = session.write(sql, {**INPUT}, data.lake / "rates")
    return Relation("ecb.rates", INPUT, tuple(data.absolute(file.path) for file in files))


def run_model(
    engine: DuckDBEngine, rates: Relation, file: Path, columns: Mapping[str, str]
) -> tuple[DataFile, ...]:
    with engine.session([rates]) as session:
        return session.write_model(
            file, {"rates": "ecb.rates"}, columns, file.parent / "data [1]*" / "lake" / "m"
        )


def test_a_model_gives_what_its_function_returns(
    tmp_path: Path, data: DataFolder, engine: DuckDBEngine, rates: Relation
) -> None:
    file = model_file(
        tmp_path,
        """
        import polars as pl

        def model(rates: pl.LazyFrame) -> pl.LazyFrame:
            return rates.sort("currency").with_columns(n=pl.len())
        """,
    )
    files = run_model(engine, rates, file, {"n": "integer", "rate": "decimal(18,4)", "currency": "string"})
    assert written(data, files).rows() == [(2, Decimal("0.8500"), "GBP"), (2, Decimal("1.1000"), "USD")]
    assert kept_below(tmp_path / "__pycache__") == []


def test_a_model_is_read_afresh_and_may_return_a_frame(
    tmp_path: Path, data: DataFolder, engine: DuckDBEngine, rates: Relation
) -> None:
    for value in (1, 2):
        file = model_file(
            tmp_path, f"import polars as pl\ndef model(rates):\n    return pl.DataFrame({{'a': [{value}]}})\n"
        )
        assert written(data, run_model(engine, rates, file, {"a": "bigint"})).item() == value


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "def model(rates):\n    return rates.select('nothing')\n",
            "rates.py:1: the model failed: ColumnNotFound",
        ),
        (
            "def model(rates):\n    x = 1\n    return rates[1 / 0]\n",
            "rates.py:3: the model failed: ZeroDivision",
        ),
        ("def model(rates):\n    return (\n", "rates.py:2: the model failed: SyntaxError"),
        ("x = 1\nimport nothing_here\n", "rates.py:2: the model failed: ModuleNotFoundError"),
        ("def modell(rates):\n    return rates\n", "rates.py:1: there is no function 'model'"),
        ("def model(rates):\n    return None\n", "it returns a NoneType; return a polars.LazyFrame"),
        (
            "\ndef model(rates):\n    return rates.drop('rate')\n",
            "rates.py:2: column 'rate' is declared, but is not given",
        ),
        (
            "import sys\n\nsys.exit(0)\n",
            "rates.py:3: the model failed: SystemExit: 0",
        ),
        (
            "def model(rates):\n    return rates.with_columns(x=1)\n",
            "column 'x' is given, but is not declared",
        ),
        (
            "def model(rates):\n    return rates.cast({'rate': float})\n",
            "rates.py:1: column 'rate' is declared decimal(10,2), but is given as DOUBLE. Cast it there",
        ),
    ],
)
def test_a_model_that_fails_is_named_with_its_line(
    tmp_path: Path, data: DataFolder, engine: DuckDBEngine, rates: Relation, body: str, said: str
) -> None:
    with pytest.raises(UserError) as raised:
        run_model(engine, rates, model_file(tmp_path, body), INPUT)
    assert said in str(raised.value)
    assert kept_below(data.lake / "m") == []
    assert kept_below(data.temporary) == []


def test_a_cast_is_left_out_where_the_type_is_right() -> None:
    assert cast_columns({"a": "BIGINT"}, {"a": "bigint"}) == '"a"'
