"""Relations: files, some rows of files, views over relations of their own, and empty tables."""

import json
from pathlib import Path

import polars as pl
import pytest

from mart_platform.adapters.engines import DuckDBEngine
from mart_platform.adapters.engines.views import moved
from mart_platform.ports import Relation
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError
from mart_platform.spec.settings import EngineSettings

COLUMNS = {"n": "bigint", "day": "date"}


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


@pytest.fixture
def engine(data: DataFolder) -> DuckDBEngine:
    return DuckDBEngine(data, EngineSettings(memory="1GB", threads=2))


@pytest.fixture
def days(data: DataFolder, engine: DuckDBEngine) -> Relation:
    """Four rows, ``n`` from 0 on the days from 2017-01-30; their files have a hidden column too."""
    sql = "SELECT range AS n, DATE '2017-01-30' + range::INT AS day, 'x' AS hidden FROM range(4)"
    with engine.session([]) as session:
        files = session.write(sql, {**COLUMNS, "hidden": "string"}, data.lake / "days", "day")
    return Relation("shop.days", COLUMNS, tuple(data.absolute(file.path) for file in files))


def some(days: Relation, where: str, name: str = "shop.days") -> Relation:
    return Relation(name, days.columns, days.files, where)


def a_view(sql: str, *over: Relation, name: str = "shop.view", **columns: str) -> Relation:
    return Relation(name, columns or {"n": "bigint"}, (), sql=sql, over=over)


def numbers(engine: DuckDBEngine, *relations: Relation, of: str = "shop.view") -> list[int]:
    with engine.session(relations) as session:
        return [row["n"] for row in session.rows(f"SELECT n FROM {of} ORDER BY n")]


# Some rows of files


def test_a_relation_leaves_out_the_rows_that_its_condition_does(engine: DuckDBEngine, days: Relation) -> None:
    in_february = some(days, "date_trunc('month', day)::DATE IN ('2017-02-01') -- the month")
    assert numbers(engine, in_february, of="shop.days") == [2, 3]
    assert numbers(engine, some(days, "n = 1 OR n = 2"), of="shop.days") == [1, 2]


def test_a_condition_names_the_columns_of_its_relation_only(engine: DuckDBEngine, days: Relation) -> None:
    with pytest.raises(UserError, match=r'^shop\.days: .*"hidden" not found'):
        numbers(engine, some(days, "hidden = 'x'"))


def test_a_file_that_is_gone_is_named_with_its_relation(engine: DuckDBEngine, days: Relation) -> None:
    days.files[0].unlink()
    with pytest.raises(UserError, match=rf"^shop\.view: shop\.days: its file {days.files[0]} is gone"):
        numbers(engine, a_view("SELECT n FROM shop.days", days))


# No rows


EVERY_TYPE = {
    "b": "boolean", "i": "integer", "n": "bigint", "x": "double", "s": "string", "d": "date",
    "ts": "timestamp", "tz": "timestamptz", "raw": "binary", "price": "decimal(18,2)", "l": "list(date)",
    "st": "struct(a integer, b string)",
}  # fmt: skip


def test_a_relation_without_files_is_an_empty_table_of_its_columns(engine: DuckDBEngine) -> None:
    with engine.session([Relation("shop.none", EVERY_TYPE, (), "n > 1")]) as session:
        assert session.rows("SELECT * FROM shop.none") == []
        types = {row["column_name"]: row["column_type"] for row in session.rows("DESCRIBE shop.none")}
    assert list(types) == list(EVERY_TYPE)
    assert types["tz"] == "TIMESTAMP WITH TIME ZONE"
    assert types["price"] == "DECIMAL(18,2)"
    assert types["st"] == "STRUCT(a INTEGER, b VARCHAR)"


# Views


def test_a_view_reads_relations_that_nobody_else_can_name(engine: DuckDBEngine, days: Relation) -> None:
    newest = a_view("SELECT n FROM shop.days WHERE n > 1", days)
    with engine.session([newest]) as session, pytest.raises(UserError, match="does not exist"):
        session.rows("SELECT * FROM shop.days")


def test_a_view_reads_its_own_relation_and_the_session_another_of_that_name(
    engine: DuckDBEngine, days: Relation
) -> None:
    for relations in (
        [some(days, "n = 3"), a_view("SELECT n FROM shop.days", days)],
        [a_view("SELECT n FROM shop.days", days), some(days, "n = 3")],
    ):
        assert numbers(engine, *relations) == [0, 1, 2, 3]
        assert numbers(engine, *relations, of="shop.days") == [3]


def test_views_over_views_keep_apart_what_bears_one_name(engine: DuckDBEngine, days: Relation) -> None:
    early = a_view("SELECT n FROM shop.days", some(days, "n < 2"), name="shop.early")
    late = a_view("FROM shop.days SELECT n", some(days, "n > 2"), name="shop.late")
    both = a_view("FROM shop.early UNION ALL FROM shop.late UNION ALL SELECT 10 + n FROM shop.days",
                  early, late, some(days, "n = 2"))  # fmt: skip
    assert numbers(engine, both) == [0, 1, 3, 12]


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT n FROM "shop"."days"',
        "SELECT N FROM Shop.DAYS",
        "SELECT days.n FROM shop.days",
        "SELECT shop.days.n FROM shop.days",
        "SELECT d.n FROM shop.days AS d",
        "WITH days AS (SELECT n FROM shop.days) SELECT days.n FROM days",
        'WITH "shop.days" AS (SELECT n FROM shop.days) SELECT n FROM "shop.days";',
        "WITH RECURSIVE r AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) "
        "SELECT n FROM r SEMI JOIN shop.days USING (n)",
        "SELECT n FROM shop.days WHERE n IN (SELECT shop.days.n FROM shop.days) AND 'ü' <> 'shop.days'"
        " -- shop.days",
        "SELECT n FROM (FROM shop.days) AS shop",
        "SELECT (SELECT max(inside.n) FROM shop.days inside WHERE inside.n = days.n) AS n FROM shop.days",
    ],
)
def test_a_view_may_spell_its_tables_as_it_likes(engine: DuckDBEngine, days: Relation, sql: str) -> None:
    assert numbers(engine, a_view(sql, days)) == [0, 1, 2, 3]


def test_the_text_of_a_view_stays_but_for_the_schemas() -> None:
    sql = "SELECT 1.50 /* shop.days */ AS \"shop.days\", 'shop.days' FROM Shop . days, other.days"
    assert moved(sql, {"shop.days": "mine"}) == sql.replace("Shop .", '"mine" .')


def test_a_view_gives_the_declared_columns_in_their_types(engine: DuckDBEngine, days: Relation) -> None:
    columns = {"total": "decimal(18,2)", "n": "bigint"}
    view = a_view("SELECT *, n::INTEGER AS total FROM shop.days", days, **columns)
    with engine.session([view]) as session:
        types = {row["column_name"]: row["column_type"] for row in session.rows("DESCRIBE shop.view")}
        assert types == {"total": "DECIMAL(18,2)", "n": "BIGINT"}
    with pytest.raises(UserError, match=r"^shop\.view: column 'total' is declared, but is not given"):
        numbers(engine, a_view("SELECT n FROM shop.days", days, **columns))


def test_a_view_may_be_restricted_and_put_in_the_place_of_another(
    engine: DuckDBEngine, days: Relation
) -> None:
    sql = "SELECT n FROM shop.days"
    with engine.session([a_view(sql, days)]) as session:
        session.define(Relation("shop.view", {"n": "bigint"}, (), "n >= 2", sql, (some(days, "n <> 3"),)))
        assert session.rows("FROM shop.view") == [{"n": 2}]


def test_a_view_that_does_not_hold_is_named(engine: DuckDBEngine, days: Relation) -> None:
    with pytest.raises(UserError, match=r"^shop\.view: .*nothing"):
        numbers(engine, a_view("SELECT nothing FROM shop.days", days))


# Python models


def given_to_a_model(
    tmp_path: Path, data: DataFolder, engine: DuckDBEngine, relation: Relation
) -> pl.DataFrame:
    model = tmp_path / "same.py"
    model.write_text("def model(rows):\n    return rows\n")
    with engine.session([relation]) as session:
        files = session.write_model(model, {"rows": relation.name}, relation.columns, data.lake / "m")
        assert len(list(data.temporary.rglob("*.parquet"))) == 0
    return pl.read_parquet([data.absolute(file.path) for file in files])


def test_a_model_sees_the_rows_that_queries_see(
    tmp_path: Path, data: DataFolder, engine: DuckDBEngine, days: Relation
) -> None:
    for relation, seen in [
        (days, [0, 1, 2, 3]),
        (some(days, "n < 2"), [0, 1]),
        (a_view("SELECT n FROM shop.days", some(days, "n < 3")), [0, 1, 2]),
        (Relation("shop.none", COLUMNS, ()), []),
    ]:
        assert given_to_a_model(tmp_path, data, engine, relation)["n"].sort().to_list() == seen


def test_a_model_sees_an_empty_table_with_its_types(
    tmp_path: Path, data: DataFolder, engine: DuckDBEngine
) -> None:
    frame = given_to_a_model(tmp_path, data, engine, Relation("shop.none", EVERY_TYPE, ()))
    assert frame.schema["price"] == pl.Decimal(18, 2)
    assert frame.schema["l"] == pl.List(pl.Date)
    assert frame.schema["st"] == pl.Struct({"a": pl.Int32, "b": pl.String})


def test_an_empty_version_that_was_written_can_be_read(data: DataFolder, engine: DuckDBEngine) -> None:
    with engine.session([]) as session:
        [file] = session.write("SELECT 1 AS n, NULL AS day WHERE false", COLUMNS, data.lake / "t")
        session.define(Relation("shop.t", COLUMNS, (data.absolute(file.path),)))
        assert session.rows("SELECT * FROM shop.t") == []
    assert json.loads(file.stats)["numRecords"] == 0
