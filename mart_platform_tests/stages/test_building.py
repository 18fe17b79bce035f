"""Candidates: written beside the live rows, read by nobody until they are committed."""

from pathlib import Path

import polars as pl
import pytest

from mart_platform.planning.plan import PlannedModel, PlannedTable
from mart_platform.spec.problems import UserError
from mart_platform.stages import building
from mart_platform_tests.stages.small_platform import SmallPlatform, build, plan_of, planned_table, relation

COLUMNS = {"day": "date", "amount": "decimal(18,2)"}
SQL = "SELECT DATE '2017-01-01' AS day, sum(range)::DECIMAL(18,2) AS amount FROM range(10)"


@pytest.fixture
def platform(tmp_path: Path) -> SmallPlatform:
    return SmallPlatform(tmp_path)


def sql_table(sql: str) -> PlannedTable:
    return planned_table("sales.daily", COLUMNS, model=PlannedModel(file="tables/daily.sql", sql=sql))


def test_a_candidate_is_read_by_nobody_until_it_is_committed(platform: SmallPlatform) -> None:
    table = sql_table(SQL)
    with platform.engine.session([]) as session:
        files = building.write_candidate(platform, session, plan_of(table), table)
    assert platform.lake.head(table.path) is None
    assert set(platform.lake.present(table.path)) == {file.path for file in files}


def test_only_the_intervals_that_are_asked_for_are_written(platform: SmallPlatform) -> None:
    days = "SELECT DATE '2017-01-01' + range::INTEGER AS day, range::DECIMAL(18,2) AS amount FROM range(10)"
    table = sql_table(days).model_copy(update={"interval": "day"})
    with platform.engine.session([]) as session:
        files = building.write_candidate(
            platform, session, plan_of(table), table, ["2017-01-03", "2017-01-04", "2018-01-01"]
        )
        later = building.write_candidate(platform, session, plan_of(table), table, None, floor="2017-01-09")
    assert {(*file.intervals, file.rows) for file in files} == {("2017-01-03", 1), ("2017-01-04", 1)}
    assert {file.intervals for file in later} == {("2017-01-09",), ("2017-01-10",)}


def test_a_query_that_fails_is_named_by_its_file(platform: SmallPlatform) -> None:
    table = sql_table("SELECT DATE '2017-01-01' AS day, 'ten' AS amount")
    with (
        platform.engine.session([]) as session,
        pytest.raises(UserError, match=r"^tables/daily\.sql: .*'?ten"),
    ):
        building.write_candidate(platform, session, plan_of(table), table)


def test_a_python_model_is_found_below_the_warehouse_folder(platform: SmallPlatform, tmp_path: Path) -> None:
    model = PlannedModel(file="tables/daily.py", parameters={"days": "canonical.day"})
    table = planned_table("sales.daily", {"day": "date"}, model=model)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "daily.py").write_text("def model(days):\n    return days.sort('day')\n")
    input_table = planned_table("canonical.day", {"day": "date"})
    days = build(platform, input_table, "SELECT DATE '2017-01-02' - range::INT AS day FROM range(2)")
    with platform.engine.session([relation(platform, input_table, days)]) as session:
        files = building.write_candidate(platform, session, plan_of(table, root=str(tmp_path)), table)
    frame = pl.read_parquet(platform.data.absolute(files[0].path))
    assert [str(day) for day in frame["day"]] == ["2017-01-01", "2017-01-02"]
