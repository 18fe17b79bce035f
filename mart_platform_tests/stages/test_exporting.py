"""An exported file: it stands alone, appears as a whole, and holds what readers may see."""

import shutil
from pathlib import Path

import duckdb
import pytest

from mart_platform.spec.problems import UserError
from mart_platform.stages.exporting import copy_database
from mart_platform.stages.publishing import derive
from mart_platform_tests.stages.small_platform import (
    SmallPlatform,
    build,
    plan_of,
    planned_table,
    publish,
    sources,
)

PEOPLE = planned_table("sales.people", {"id": "bigint", "email": "string"}, labels=["email"])


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """The database of a mart of which one column is sensitive."""
    platform = SmallPlatform(tmp_path)
    sql = "SELECT range AS id, 'a@x.org' AS email FROM range(3)"
    versions = {"sales.people": build(platform, PEOPLE, sql)}
    derive(platform, plan_of(PEOPLE), publish(platform, versions), sources(platform, versions))
    return platform.data.published / "sales" / "current" / "sales.duckdb"


def test_an_export_needs_nothing_of_the_data_folder(published: Path, tmp_path: Path) -> None:
    file = tmp_path / "copy.duckdb"
    assert copy_database(published, file, "500MB") == {"_publication": 1, "people": 3}
    shutil.rmtree(tmp_path / "data")
    with duckdb.connect(str(file), read_only=True) as connection:
        assert connection.execute("SELECT * FROM people").fetchall() == [(0,), (1,), (2,)]
        assert connection.execute("SELECT mart, number FROM _publication").fetchall() == [("sales", 1)]
    assert [path.name for path in tmp_path.iterdir()] == ["copy.duckdb"]


def test_an_export_that_fails_leaves_what_was_there(published: Path, tmp_path: Path) -> None:
    file = tmp_path / "copy.duckdb"
    file.write_text("mine")
    for part in published.parent.rglob("*.parquet"):
        part.unlink()
    with pytest.raises(duckdb.Error):
        copy_database(published, file, "500MB")
    assert file.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["copy.duckdb"]


def test_a_folder_that_is_not_there_is_named(published: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere cannot be written to"):
        copy_database(published, tmp_path / "nowhere" / "copy.duckdb", "500MB")
