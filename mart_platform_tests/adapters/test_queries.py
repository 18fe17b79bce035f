"""The engine behind the door: what is prepared can be asked, and is answered in every form."""

import csv
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mart_platform.adapters.queries import DuckDBQueries
from mart_platform.ports import Execution, ExecutionEnded, QueryEngine, Relation, Result
from mart_platform.spec.budgets import Lane
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError
from mart_platform.spec.settings import ServingSettings

LANES: tuple[Lane, ...] = ("dashboard", "ad-hoc")
SALES = {"sales": 7}


def parquet(folder: Path, name: str, sql: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.parquet"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY ({sql}) TO '{file}'")
    return file


def relations(folder: Path) -> list[Relation]:
    line = {"day": "date", "store": "string", "amount": "decimal(18,2)", "at": "timestamptz"}
    lines = parquet(
        folder,
        "line",
        "SELECT DATE '2017-01-01' + (i % 31)::INT AS day, 'store ' || i % 3 AS store,"
        " (i * 1.25)::DECIMAL(18,2) AS amount, TIMESTAMPTZ '2017-01-01 12:00:00+02' AS at, 'x' AS hidden"
        " FROM range(1000) t(i)",
    )
    stores = parquet(folder, "store", "SELECT 'store ' || i AS store, 'Berlin' AS city FROM range(3) t(i)")
    of_lines = Relation("sales.line", line, (lines,))
    of_stores = Relation("sales.store", {"store": "string", "city": "string"}, (stores,))
    by_store = "SELECT line.store, sum(line.amount) AS amount FROM sales.line AS line GROUP BY line.store"
    return [
        of_lines,
        of_stores,
        Relation("sales.first_day", line, (lines,), where="day = DATE '2017-01-01' -- the first"),
        Relation("sales.nothing", {"n": "bigint"}, ()),
        Relation(
            "sales.by_store",
            {"store": "string", "amount": "decimal(38,2)"},
            (),
            sql=by_store,
            over=(of_lines,),
        ),
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return DataFolder(tmp_path_factory.mktemp("queries"))


@pytest.fixture(scope="module")
def engine(data: DataFolder) -> Iterator[DuckDBQueries]:
    """An engine with publication 7 of sales."""
    queries = DuckDBQueries(data, ServingSettings(workers=1))
    queries.prepare("sales", 7, relations(data.lake))
    yield queries
    queries.close()


def sales(sql: str) -> str:
    """Return SQL with each ``sales.`` as the gate writes it."""
    return sql.replace("sales.", '"sales@7"."main".')


def asked(engine: QueryEngine, sql: str, **how: Any) -> Result:
    return engine.run(Execution(sales(sql), SALES, **how))


def frame(engine: QueryEngine, sql: str, **how: Any) -> pl.DataFrame:
    result = asked(engine, sql, **how)
    with result.open() as stream:
        answer = pl.read_ipc_stream(stream)
    result.close()
    return answer


def rows(engine: QueryEngine, sql: str, **how: Any) -> list[tuple[Any, ...]]:
    return frame(engine, sql, **how).rows()


def ended(engine: QueryEngine, sql: str, cancel: threading.Event | None = None, **how: Any) -> ExecutionEnded:
    with pytest.raises(ExecutionEnded) as caught:
        engine.run(Execution(sales(sql), SALES, **how), cancel)
    return caught.value


class Seen(threading.Event):
    """A wish to end that nobody has: it is set when the engine asks for it, as it does while a query runs."""

    def is_set(self) -> bool:
        self.set()
        return False


# What is asked


@pytest.mark.parametrize("lane", LANES)
def test_tables_and_views_of_a_publication_can_be_asked(engine: DuckDBQueries, lane: Lane) -> None:
    assert rows(engine, "SELECT count(*), sum(amount) FROM sales.line", lane=lane) == [
        (1000, Decimal("624375.00"))
    ]
    assert rows(engine, "SELECT count(*) FROM sales.first_day", lane=lane) == [(33,)]
    assert rows(engine, "SELECT * FROM sales.nothing", lane=lane) == []
    assert rows(engine, "SELECT sum(amount) FROM sales.by_store", lane=lane) == [(Decimal("624375.00"),)]


@pytest.mark.parametrize("lane", LANES)
def test_an_answer_keeps_the_order_that_was_asked_for(engine: DuckDBQueries, lane: Lane) -> None:
    numbers = rows(engine, "SELECT i FROM range(100000) t(i) ORDER BY i DESC LIMIT 50000", lane=lane)
    assert [n for (n,) in numbers] == list(range(99_999, 49_999, -1))


def test_a_query_sees_no_column_that_the_relation_does_not_have(engine: DuckDBQueries) -> None:
    assert "hidden" in str(ended(engine, "SELECT hidden FROM sales.line"))


def test_two_publications_can_be_joined(engine: DuckDBQueries, data: DataFolder) -> None:
    engine.prepare("sales", 8, [replace(table, where="false") for table in relations(data.lake)[:1]])
    both = 'SELECT (SELECT count(*) FROM "sales@7".main.line), (SELECT count(*) FROM "finance@1".main.line)'
    engine.prepare("finance", 1, [replace(relations(data.lake)[0], name="finance.line")])
    result = engine.run(Execution(both, {"sales": 7, "finance": 1}))
    assert pl.read_ipc_stream(result.open()).rows() == [(1000, 1000)]


@pytest.mark.parametrize("lane", LANES)
def test_parameters_are_bound_by_their_place_and_by_their_name(engine: DuckDBQueries, lane: Lane) -> None:
    values = [None, True, 5, 2**63, 1.5, "it's ?", b"\0\xff", Decimal("-1.50"), date(2017, 1, 2)]
    moments = [datetime.fromisoformat("2017-01-02T03:00:00"), datetime(2017, 1, 2, 3, tzinfo=UTC)]
    marks = ", ".join("?" * len(values + moments))
    [answer] = rows(engine, f"SELECT {marks}, '?' -- ?", lane=lane, parameters=[*values, *moments])
    assert answer == (*values, *moments, "?")
    named = {"b": 1, "a": "x"}
    assert rows(engine, "SELECT $a, $b, $a", lane=lane, parameters=named) == [("x", 1, "x")]
    assert rows(engine, "SELECT $2, $1", lane=lane, parameters=["one", "two"]) == [("two", "one")]
    since = rows(engine, "SELECT count(*) FROM sales.line WHERE day >= $1", parameters=["2017-01-31"])
    assert since == [(32,)]


@pytest.mark.parametrize(
    ("sql", "parameters", "said"),
    [
        ("SELECT ?", [], "'1' of the query is not given"),
        ("SELECT 1", [1], "'1' is given, but"),
        ("SELECT $day", {"month": 1}, "'day' of the query is not given"),
        ("SELECT ?", [[1]], "of type list"),
        ("SELECT ?", [10**40], "41 digits"),
    ],
)
def test_parameters_that_are_not_those_of_the_query_end_it(
    engine: DuckDBQueries, sql: str, parameters: Any, said: str
) -> None:
    assert said in str(ended(engine, sql, parameters=parameters))


@pytest.mark.parametrize("lane", LANES)
def test_no_later_query_sees_a_variable(engine: DuckDBQueries, lane: Lane) -> None:
    asks = "SELECT getvariable('key') AS key"
    assert rows(engine, asks, lane=lane, variables={"key": "s3cret"}) == [("s3cret",)]
    assert rows(engine, asks, lane=lane) == [(None,)]


def test_neither_variables_nor_answers_show_in_what_a_log_would_print(engine: DuckDBQueries) -> None:
    failed = ended(engine, "SELECT getvariable('key') + 1", variables={"key": "s3cret"}, lane="ad-hoc")
    result = asked(engine, "SELECT getvariable('key') AS key", variables={"key": "s3cret"})
    assert "s3cret" not in repr(result)
    assert "s3cret" not in repr(failed.__traceback__)


def test_anything_but_one_select_is_refused_by_the_parser_of_the_engine(engine: DuckDBQueries) -> None:
    for sql in (
        "CREATE TEMP TABLE t AS SELECT 1",
        "SELECT 1; SELECT 2",
        "PRAGMA enable_profiling",
        "BEGIN",
        "",
    ):
        assert ended(engine, sql).code == "error"
    assert "syntax" in str(ended(engine, "SELECT 1) ; SELECT (2"))


# What comes back


def test_every_type_comes_out_so_that_polars_reads_it(engine: DuckDBQueries) -> None:
    readable = {
        "1::TINYINT": 1,
        "1::HUGEINT": Decimal(1),
        "sum(1)": Decimal(1),
        "1::UHUGEINT": "1",
        "'1234567890123456789012345678901234567890'::BIGNUM": "1234567890123456789012345678901234567890",
        "INTERVAL 1 MONTH": "1 month",
        "'a'::ENUM('a', 'b')": "a",
        "union_value(a := 1)": "1",
        "'101'::BIT": "101",
        "'12:00:00+02'::TIMETZ": "12:00:00+02",
        "'{\"a\": 1}'::JSON": '{"a": 1}',
        "'00000000-0000-0000-0000-000000000001'::UUID": "00000000-0000-0000-0000-000000000001",
        "[INTERVAL 1 DAY]": "[1 day]",
        "[1, 2]": [1, 2],
        "{'a': 1}": {"a": 1},
        "TIMESTAMPTZ '2017-01-01 12:00:00+02'": datetime(2017, 1, 1, 10, tzinfo=UTC),
        "NULL": None,
    }
    answer = frame(engine, "SELECT " + ", ".join(f"{sql} AS c{n}" for n, sql in enumerate(readable)))
    assert answer.rows() == [tuple(readable.values())]


def test_a_number_that_no_decimal_holds_is_an_error_and_no_other_number(engine: DuckDBQueries) -> None:
    assert "DECIMAL(38,0)" in str(ended(engine, f"SELECT {2**127 - 1}::HUGEINT"))


def test_columns_of_one_name_are_told_apart(engine: DuckDBQueries) -> None:
    result = asked(engine, "SELECT 1 AS n, 'x' AS n, INTERVAL 1 DAY AS n")
    assert result.columns == {"n": "INTEGER", "n_1": "VARCHAR", "n_2": "VARCHAR"}


def test_a_result_says_its_columns_rows_bytes_and_cpu(engine: DuckDBQueries) -> None:
    result = asked(engine, "SELECT day, sum(amount) AS amount, sum(1) AS n FROM sales.line GROUP BY day")
    assert result.columns == {"day": "DATE", "amount": "DECIMAL(38,2)", "n": "DECIMAL(38,0)"}
    assert result.rows == 31
    assert result.bytes == len(result.open().read())
    assert result.cpu_seconds > 0


@pytest.mark.parametrize("lane", LANES)
def test_cpu_is_that_of_the_query_and_of_all_its_threads(engine: DuckDBQueries, lane: Lane) -> None:
    busy = "SELECT sum(sqrt(i) * ln(i + 1)) FROM range(4000000) t(i)"
    before = time.process_time()
    cpu = asked(engine, busy, lane=lane).cpu_seconds
    taken = time.process_time() - before
    if lane == "dashboard":
        assert cpu == pytest.approx(taken, rel=0.5)
    assert cpu > 3 * asked(engine, "SELECT 1", lane=lane).cpu_seconds


@pytest.mark.parametrize("lane", LANES)
def test_a_large_answer_is_a_file_until_it_is_closed(
    engine: DuckDBQueries, data: DataFolder, lane: Lane
) -> None:
    result = asked(engine, "SELECT i, 'text ' || i AS text FROM range(400000) t(i)", lane=lane)
    assert len(list(data.temporary.rglob("*.arrow"))) == 1
    for _ in range(2):
        with result.open() as stream:
            assert pl.read_ipc_stream(stream).height == 400_000
    result.close()
    result.close()
    assert not list(data.temporary.rglob("*.arrow"))


# When it ends early


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize(
    ("sql", "how", "code"),
    [
        ("SELECT count(*) FROM range(1000000) a, range(1000000) b", {"seconds": 0.2}, "too_long"),
        ("SELECT * FROM range(1000000) a, range(1000000) b", {"seconds": 0.2, "rows": 10**12}, "too_long"),
        ("SELECT * FROM range(100000000000)", {"rows": 10_000}, "too_many_rows"),
        ("SELECT CAST(store AS INTEGER) FROM sales.line", {}, "error"),
        ("SELECT * FROM sales.gone", {}, "error"),
    ],
)
def test_a_query_without_an_answer_says_why(
    engine: DuckDBQueries, data: DataFolder, lane: Lane, sql: str, how: dict[str, Any], code: str
) -> None:
    failed = ended(engine, sql, lane=lane, **how)
    assert failed.code == code
    assert failed.cpu_seconds > 0
    assert not list(data.temporary.rglob("*.arrow"))


def test_as_many_rows_as_are_allowed_are_not_too_many(engine: DuckDBQueries) -> None:
    assert asked(engine, "SELECT * FROM range(5000)", rows=5_000).rows == 5_000
    assert ended(engine, "SELECT * FROM range(5001)", rows=5_000).code == "too_many_rows"


@pytest.mark.parametrize("lane", LANES)
def test_a_query_ends_when_nobody_waits_for_it(engine: DuckDBQueries, lane: Lane) -> None:
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    failed = ended(engine, "SELECT count(*) FROM range(1000000) a, range(1000000) b", cancel, lane=lane)
    assert failed.code == "cancelled"
    assert rows(engine, "SELECT 1", lane=lane) == [(1,)]


def test_a_query_that_waits_for_a_worker_ends_when_nobody_waits_for_it(engine: DuckDBQueries) -> None:
    stop, gone = threading.Event(), threading.Event()
    gone.set()
    long = Execution("SELECT count(*) FROM range(1000000) a, range(1000000) b", SALES, lane="ad-hoc")
    with ThreadPoolExecutor() as pool:
        running = pool.submit(engine.run, long, stop)
        assert ended(engine, "SELECT 1", gone, lane="ad-hoc").code == "cancelled"
        stop.set()
        assert running.exception()


def test_many_at_once_all_get_their_own_answer(engine: DuckDBQueries) -> None:
    def answer(n: int) -> list[tuple[Any, ...]]:
        lane = LANES[n % 2]
        return rows(engine, "SELECT count(*), $1 FROM sales.line", lane=lane, parameters=[n])

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(answer, range(40))) == [[(1000, n)] for n in range(40)]


# Publications


def test_the_sizes_of_columns_are_those_in_the_footers(engine: DuckDBQueries, data: DataFolder) -> None:
    sizes = engine.sizes("sales", 7)
    file = data.lake / "line.parquet"
    query = "SELECT sum(total_compressed_size) FROM parquet_metadata($1) WHERE path_in_schema = 'amount'"
    assert sizes["sales.line"]["amount"] == duckdb.execute(query, [str(file)]).fetchall()[0][0] > 0
    assert sizes["sales.line"].keys() == {"day", "store", "amount", "at"}
    assert sizes["sales.by_store"] == {name: sizes["sales.line"][name] for name in ("store", "amount")}
    assert sizes["sales.nothing"] == {"n": 0}


def test_the_sizes_of_nested_columns_are_those_of_all_their_parts(
    engine: DuckDBQueries, tmp_path: Path
) -> None:
    nested = parquet(tmp_path, "nested", "SELECT {'a': 1, 'b': 'x'} AS both, [1, 2] AS list, 1 AS lists")
    columns = {"both": "struct(a integer, b string)", "list": "list(integer)", "lists": "integer"}
    engine.prepare("sales", 10, [Relation("sales.nested", columns, (nested,))])
    sizes = engine.sizes("sales", 10)["sales.nested"]
    assert min(sizes.values()) > 0
    assert sizes["both"] > sizes["lists"]


def test_preparing_twice_changes_nothing(engine: DuckDBQueries, data: DataFolder) -> None:
    before = {file: file.stat().st_mtime_ns for file in data.serving.iterdir()}
    engine.prepare("sales", 7, relations(data.lake))
    assert {file: file.stat().st_mtime_ns for file in data.serving.iterdir()} == before


def test_engines_that_prepare_the_same_publication_at_once_do_not_disturb_one_another(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    engines = [DuckDBQueries(data, ServingSettings()) for _ in range(4)]
    tables = relations(data.lake)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda each: each.prepare("sales", 7, tables), engines))
    assert [rows(each, "SELECT count(*) FROM sales.line") for each in engines] == [[(1000,)]] * 4
    assert len(list(data.serving.iterdir())) == 1
    for each in engines:
        each.close()


def test_a_file_that_is_gone_is_named_when_a_publication_is_prepared(
    engine: DuckDBQueries, tmp_path: Path
) -> None:
    lost = Relation("sales.line", {"n": "bigint"}, (tmp_path / "gone.parquet",))
    with pytest.raises(UserError, match=r"sales\.line: its file .*gone\.parquet is gone"):
        engine.prepare("sales", 9, [lost])


def test_a_database_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    engine = DuckDBQueries(data, ServingSettings())
    engine.prepare("sales", 7, relations(data.lake))
    for database in data.serving.iterdir():
        database.unlink()
    assert rows(engine, "SELECT count(*) FROM sales.line") == [(1000,)]
    engine.close()


def test_what_is_forgotten_is_removed_when_its_last_query_has_ended(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    engine = DuckDBQueries(data, ServingSettings())
    for number in (7, 8):
        engine.prepare("sales", number, relations(data.lake))
    slow = sales("SELECT count(*) FROM range(30000) a, range(3000) b, sales.store")
    with ThreadPoolExecutor() as pool:
        running = pool.submit(engine.run, Execution(slow, SALES), seen := Seen())
        assert seen.wait(10)
        engine.forget({("sales", 8)})
        assert pl.read_ipc_stream(running.result().open()).rows() == [(270_000_000,)]
    assert [file.name.partition("-")[0] for file in data.serving.iterdir()] == ["sales@8"]
    assert "not prepared" in str(ended(engine, "SELECT 1"))
    engine.close()


# Forms


def test_json_is_one_object_of_columns_and_rows(engine: DuckDBQueries) -> None:
    result = asked(
        engine,
        """SELECT 9007199254740993 AS big, 12.30::DECIMAL(9,2) AS money, sum(1) AS n, 'nan'::DOUBLE AS nan,
        0.1::FLOAT AS tenth, TRUE AS yes, NULL AS nothing, DATE '2017-01-02' AS day, 'ü"' AS text,
        TIMESTAMP '2017-01-02 03:04:05' AS local, TIMESTAMPTZ '2017-01-02 03:04:05.5+02' AS moment,
        'ab'::BLOB AS bytes, {'a': [1.5, NULL]} AS nested, ['nan'::DOUBLE] AS nans""",
    )
    whole = json.loads(b"".join(engine.encode(result, "json")))
    assert whole["columns"][:2] == [
        {"name": "big", "type": "BIGINT"},
        {"name": "money", "type": "DECIMAL(9,2)"},
    ]
    assert whole["rows"] == [
        [
            9007199254740993,
            "12.30",
            1,
            None,
            0.1,
            True,
            None,
            "2017-01-02",
            'ü"',
            "2017-01-02T03:04:05",
            "2017-01-02T01:04:05.5Z",
            "YWI=",
            {"a": [1.5, None]},
            "[nan]",
        ]
    ]


def test_csv_tells_nothing_from_an_empty_text(engine: DuckDBQueries) -> None:
    result = asked(engine, "SELECT NULL AS \"a,b\", '' AS empty, 'say \"hi\"' AS said, 1.50 AS n")
    assert b"".join(engine.encode(result, "csv")) == b'"a,b",empty,said,n\r\n,"","say ""hi""",1.50\r\n'
    alone = asked(engine, "SELECT NULL AS n")
    assert b"".join(engine.encode(alone, "csv")) == b'n\r\n""\r\n'


@pytest.mark.parametrize("form", ["json", "csv", "parquet", "arrow"])
def test_an_answer_without_rows_has_its_columns_in_every_form(engine: DuckDBQueries, form: Any) -> None:
    pieces = b"".join(engine.encode(asked(engine, "SELECT 1 AS one, 'x' AS two WHERE false"), form))
    readers: dict[str, Callable[[], list[str]]] = {
        "json": lambda: [column["name"] for column in json.loads(pieces)["columns"]],
        "csv": lambda: next(csv.reader(io.StringIO(pieces.decode()))),
        "parquet": lambda: pl.read_parquet(pieces).columns,
        "arrow": lambda: pl.read_ipc_stream(pieces).columns,
    }
    assert readers[form]() == ["one", "two"]


def test_all_forms_hold_the_same_rows_of_a_large_answer(engine: DuckDBQueries, data: DataFolder) -> None:
    result = asked(engine, "SELECT i, 'text ' || i AS text FROM range(200000) t(i)")
    forms = {form: b"".join(engine.encode(result, form)) for form in ("arrow", "json", "csv", "parquet")}
    expected = pl.read_ipc_stream(forms["arrow"])
    assert pl.read_parquet(forms["parquet"]).equals(expected)
    assert pl.read_csv(forms["csv"]).equals(expected)
    assert json.loads(forms["json"])["rows"][-1] == [199_999, "text 199999"]
    result.close()
    assert not [file for file in data.temporary.rglob("*") if file.suffix in (".arrow", ".parquet")]


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(
        st.tuples(
            st.none() | st.text(st.characters(blacklist_categories=["Cs"])),
            st.none() | st.integers(-(2**63), 2**63 - 1),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_text_and_any_integer_come_back_from_json_and_csv(
    engine: DuckDBQueries, values: list[tuple[str | None, int | None]]
) -> None:
    sql = " UNION ALL ".join("SELECT ?::VARCHAR AS text, ?::BIGINT AS n" for _ in values)
    result = asked(engine, sql, parameters=[value for pair in values for value in pair])
    in_json = json.loads(b"".join(engine.encode(result, "json")))["rows"]
    assert [tuple(row) for row in in_json] == values
    text = b"".join(engine.encode(result, "csv")).decode()
    in_csv = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert in_csv == [["" if value is None else str(value) for value in pair] for pair in values]


# Digests


def test_a_digest_knows_rows_names_and_types_but_not_the_order(engine: DuckDBQueries) -> None:
    def digest(sql: str, **how: Any) -> str:
        return engine.digest(asked(engine, sql, **how))

    rising = digest("SELECT i, 'x' || i AS x FROM range(10000) t(i) ORDER BY i")
    assert rising == digest("SELECT i, 'x' || i AS x FROM range(10000) t(i) ORDER BY i DESC")
    assert rising == digest("SELECT i, 'x' || i AS x FROM range(10000) t(i)", lane="ad-hoc")
    others = [
        "SELECT i, 'x' || i AS x FROM range(9999) t(i)",
        "SELECT i, 'x' || i AS y FROM range(10000) t(i)",
        "SELECT i::INTEGER AS i, 'x' || i AS x FROM range(10000) t(i)",
        "SELECT i, 'x' || CASE i WHEN 3 THEN 4 WHEN 4 THEN 3 ELSE i END AS x FROM range(10000) t(i)",
    ]
    assert len({rising, *map(digest, others)}) == 5


def test_a_digest_tells_apart_what_reads_alike(engine: DuckDBQueries) -> None:
    alike = ["NULL::VARCHAR, ''", "'', NULL::VARCHAR", "'a,b', 'c'", "'a', 'b,c'", "'null', ''", "'a\"', ''"]
    digests = {engine.digest(asked(engine, f"SELECT t.* FROM (VALUES ({v})) t(a, b)")) for v in alike}
    assert len(digests) == len(alike)
    twice = "SELECT i FROM (VALUES (1), (1), (2)) t(i)"
    assert engine.digest(asked(engine, twice)) != engine.digest(
        asked(engine, twice.replace("(1), (1), (2)", "(1), (2), (2)"))
    )


def test_a_digest_is_the_same_in_every_release(engine: DuckDBQueries) -> None:
    sql = "SELECT 1 AS n, 'ü' AS text, 0.1::DOUBLE AS x, DATE '2017-01-02' AS day, NULL::VARCHAR AS nothing"
    assert (
        engine.digest(asked(engine, sql))
        == "e703812ddfa07ea7e0682239c8aefc86ac3feb59f2b7d221d3e9b925ab6deaa7"
    )


def test_the_order_in_which_doubles_are_added_up_does_not_change_a_digest(engine: DuckDBQueries) -> None:
    one, other = "SELECT 0.1::DOUBLE + 0.2::DOUBLE + 0.3::DOUBLE AS x", "SELECT 0.6::DOUBLE AS x"
    assert rows(engine, one) != rows(engine, other)
    assert engine.digest(asked(engine, one)) == engine.digest(asked(engine, other))
