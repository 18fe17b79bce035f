"""The published folder: what readers see, when it changes, and what is mended."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Publication, Version, ViewText
from mart_platform.stages import publishing
from mart_platform.stages.publishing import WITHHELD, Source, derive, derived_state
from mart_platform_tests.stages.small_platform import (
    SmallPlatform,
    build,
    plan_of,
    planned_table,
    publish,
    sources,
)

DAILY = planned_table("sales.daily", {"day": "date", "amount": "decimal(18,2)"})
PEOPLE = planned_table("sales.people", {"id": "bigint", "email": "string"}, labels=["email"])
SECRETS = planned_table("sales.secrets", {"pin": "string"}, labels=["pin"])
PLAN = plan_of(DAILY, PEOPLE, SECRETS)


@pytest.fixture
def platform(tmp_path: Path) -> SmallPlatform:
    return SmallPlatform(tmp_path)


def versions_of(platform: SmallPlatform, n: int = 1) -> dict[str, Version]:
    """Return versions in which every number is ``n``."""
    return {
        "sales.daily": build(platform, DAILY, f"SELECT DATE '2017-01-01' AS day, {n} AS amount"),
        "sales.people": build(platform, PEOPLE, f"SELECT {n} AS id, 'a@x.org' AS email"),
        "sales.secrets": build(platform, SECRETS, "SELECT '1234' AS pin FROM range(3)"),
    }


def published(platform: SmallPlatform, n: int = 1) -> tuple[Publication, dict[str, Version]]:
    versions = versions_of(platform, n)
    publication = publish(platform, versions)
    derive(platform, PLAN, publication, sources(platform, versions))
    return publication, versions


def folder(platform: SmallPlatform) -> Path:
    return platform.data.published / "sales"


def answer(platform: SmallPlatform, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(folder(platform) / "current" / "sales.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_readers_need_nothing_but_duckdb_or_polars(platform: SmallPlatform, tmp_path: Path) -> None:
    published(platform, 7)
    script = """
        import duckdb, sys
        connection = duckdb.connect(sys.argv[1], read_only=True)
        for table in ("daily", "sales.people"):
            print(connection.sql(f"SELECT COLUMNS('amount|id') FROM {table}").fetchone())
    """
    database = folder(platform) / "current" / "sales.duckdb"
    ran = subprocess.run(
        [sys.executable, "-I", "-c", textwrap.dedent(script), str(database)],
        cwd="/", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout == "(Decimal('7.00'),)\n(7,)\n"
    assert pl.read_parquet(folder(platform) / "current" / "daily")["amount"].to_list() == [7]


def test_the_database_says_which_publication_it_is_and_what_columns_mean(platform: SmallPlatform) -> None:
    published(platform)
    assert answer(platform, "SELECT mart, number, watermark::VARCHAR FROM _publication")[0][:2] == (
        "sales",
        1,
    )
    comments = answer(
        platform, "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'daily'"
    )
    assert comments == [("day", "The day."), ("amount", "The amount.")]


def test_files_are_linked_not_copied(platform: SmallPlatform) -> None:
    _, versions = published(platform)
    in_the_lake = platform.data.absolute(versions["sales.daily"].files[0].path)
    assert in_the_lake.samefile(folder(platform) / "current" / "daily" / "part-0.parquet")


def test_labelled_columns_are_in_no_published_file(platform: SmallPlatform) -> None:
    _, versions = published(platform)
    assert [
        file for file in folder(platform).rglob("*") if file.is_file() and b"a@x.org" in file.read_bytes()
    ] == []
    assert pl.read_parquet(folder(platform) / "current" / "people").columns == ["id"]
    manifest = json.loads((folder(platform) / "current" / "manifest.json").read_text())
    assert manifest["tables"]["sales.people"]["left_out"] == ["email"]
    assert manifest["tables"]["sales.people"]["version"] == versions["sales.people"].id


def test_a_table_of_labelled_columns_alone_can_still_be_counted(platform: SmallPlatform) -> None:
    published(platform)
    assert answer(platform, f"SELECT count({WITHHELD}), count(*) FROM secrets") == [(3, 3)]


def test_a_view_is_published_as_a_copy_of_its_rows(platform: SmallPlatform) -> None:
    files = versions_of(platform)
    shown = planned_table("sales.shown", {"id": "bigint", "email": "string"}, labels=["email"])
    view = files["sales.people"].model_copy(
        update={
            "table": "sales.shown",
            "files": (),
            "view": ViewText(sql="SELECT range AS id, 'a@x.org' AS email FROM range(3)", reads={}),
        }
    )
    versions = {"sales.shown": view}
    derive(platform, plan_of(shown), publish(platform, versions), sources(platform, versions))
    assert answer(platform, "SELECT * FROM shown ORDER BY id") == [(0,), (1,), (2,)]
    manifest = json.loads((folder(platform) / "current" / "manifest.json").read_text())
    assert manifest["tables"]["sales.shown"]["rows"] == 3
    assert derived_state(platform, plan_of(shown), "sales") is None


def test_a_table_without_rows_and_files_can_be_read(platform: SmallPlatform) -> None:
    versions = {"sales.daily": versions_of(platform)["sales.daily"].model_copy(update={"files": ()})}
    derive(platform, PLAN, publish(platform, versions), sources(platform, versions))
    assert answer(platform, "SELECT count(*), max(amount) FROM daily") == [(0, None)]


def test_only_tables_that_changed_are_sources(platform: SmallPlatform) -> None:
    _, versions = published(platform, 1)
    changed = {**versions, "sales.daily": versions_of(platform, 2)["sales.daily"]}
    asked: list[str] = []

    def counted(name: str) -> Source:
        asked.append(name)
        return sources(platform, changed)(name)

    derive(platform, PLAN, publish(platform, changed), counted)
    assert asked == ["sales.daily"]
    assert answer(platform, "SELECT id, amount::INT FROM people, daily") == [(1, 2)]
    assert derived_state(platform, PLAN, "sales") is None


def test_a_torn_file_of_the_folder_before_is_not_linked_again(platform: SmallPlatform) -> None:
    _, versions = published(platform, 1)
    _tear_file(folder(platform))
    derive(platform, PLAN, publish(platform, versions), sources(platform, versions))
    assert answer(platform, "SELECT id FROM people") == [(1,)]


def test_a_copy_without_labelled_columns_is_made_once_for_a_version(platform: SmallPlatform) -> None:
    _, versions = published(platform)
    copy = folder(platform) / "1" / "people" / "part-0.parquet"
    derive(platform, PLAN, publish(platform, versions), sources(platform, versions))
    assert copy.samefile(folder(platform) / "2" / "people" / "part-0.parquet")
    assert not list(folder(platform).rglob(".copies"))


def test_a_column_that_gets_a_label_disappears_without_a_new_publication(platform: SmallPlatform) -> None:
    publication, versions = published(platform)
    stricter = plan_of(
        planned_table("sales.daily", {"day": "date", "amount": "decimal(18,2)"}, labels=["amount"]),
        PEOPLE,
        SECRETS,
    )
    assert (
        derive(platform, stricter, publication, sources(platform, versions))
        == "sales.daily shows other columns than it may"
    )
    assert pl.read_parquet(folder(platform) / "current" / "daily").columns == ["day"]
    assert derive(platform, stricter, publication, sources(platform, versions)) is None


def test_columns_that_the_plan_does_not_know_are_left_out(platform: SmallPlatform) -> None:
    versions = {"sales.daily": build(platform, DAILY, "SELECT DATE '2017-01-01' AS day, 1 AS amount")}
    renamed = plan_of(planned_table("sales.daily", {"day": "date", "total": "bigint"}, fingerprint="f2"))
    derive(platform, renamed, publish(platform, versions), sources(platform, versions))
    assert answer(platform, "SELECT * FROM daily")[0][1:] == ()


def test_doing_it_twice_changes_nothing(platform: SmallPlatform) -> None:
    publication, versions = published(platform)
    before = sorted((str(path), path.lstat().st_mtime_ns) for path in folder(platform).rglob("*"))
    assert derive(platform, PLAN, publication, sources(platform, versions)) is None
    assert sorted((str(path), path.lstat().st_mtime_ns) for path in folder(platform).rglob("*")) == before


def _lose_pointer(mart: Path) -> None:
    (mart / "current").unlink()


def _point_elsewhere(mart: Path) -> None:
    (mart / "current").unlink()
    (mart / "current").symlink_to("1")


def _lose_folder(mart: Path) -> None:
    shutil.rmtree(mart)


def _tear_file(mart: Path) -> None:
    torn = mart / "current" / "people" / "part-0.parquet"
    content = torn.read_bytes()
    torn.unlink()
    torn.write_bytes(content[:-5])


def _lose_database(mart: Path) -> None:
    (mart / "current" / "sales.duckdb").unlink()


def _garble_manifest(mart: Path) -> None:
    manifest = mart / "current" / "manifest.json"
    manifest.unlink()
    manifest.write_text("{")


def _copy_without_links(mart: Path) -> None:
    place = (mart / "current").resolve()
    (mart / "current").unlink()
    shutil.copytree(place, mart / "current")


@pytest.mark.parametrize(
    "damage",
    [
        _lose_pointer,
        _point_elsewhere,
        _lose_folder,
        _tear_file,
        _lose_database,
        _garble_manifest,
        _copy_without_links,
    ],
)
def test_a_damaged_folder_is_made_again(platform: SmallPlatform, damage: Callable[[Path], None]) -> None:
    published(platform, 1)
    publication, versions = published(platform, 2)
    assert derived_state(platform, PLAN, "sales") is None
    damage(folder(platform))
    assert derived_state(platform, PLAN, "sales") is not None
    assert derive(platform, PLAN, publication, sources(platform, versions)) is not None
    assert derived_state(platform, PLAN, "sales") is None
    assert answer(platform, "SELECT id, amount::INT FROM people, daily") == [(2, 2)]


def test_a_data_folder_that_was_moved_is_noticed(platform: SmallPlatform, tmp_path: Path) -> None:
    publication, versions = published(platform)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").rename(tmp_path / "elsewhere" / "data")
    moved = SmallPlatform(tmp_path / "elsewhere")
    wrong = derive(moved, PLAN, publication, sources(moved, versions))
    assert wrong == f"its views look into {tmp_path / 'data' / 'published' / 'sales' / '1'}"
    assert answer(moved, "SELECT id FROM people") == [(1,)]


def test_a_failure_leaves_the_pointer_and_nothing_half_made(platform: SmallPlatform) -> None:
    published(platform, 1)
    versions = versions_of(platform, 2)
    lost = platform.data.absolute(versions["sales.people"].files[0].path)
    lost.write_bytes(b"torn")
    with pytest.raises((UserError, duckdb.Error)):
        derive(platform, PLAN, publish(platform, versions), sources(platform, versions))
    assert sorted(path.name for path in folder(platform).iterdir()) == ["1", "current"]
    assert answer(platform, "SELECT id FROM people") == [(1,)]


def test_a_folder_stays_for_an_hour_after_it_was_replaced(platform: SmallPlatform) -> None:
    published(platform, 1)
    platform.clock.tick(hours=5)
    published(platform, 2)
    platform.clock.tick(minutes=59)
    published(platform, 3)
    assert sorted(path.name for path in folder(platform).iterdir()) == ["1", "2", "3", "current"]
    platform.clock.tick(minutes=2)
    published(platform, 4)
    assert sorted(path.name for path in folder(platform).iterdir()) == ["2", "3", "4", "current"]


def test_what_a_killed_process_left_is_removed(platform: SmallPlatform) -> None:
    published(platform, 1)
    (folder(platform) / "2").mkdir()
    (folder(platform) / ".current-abc").symlink_to("2")
    published(platform, 2)
    assert sorted(path.name for path in folder(platform).iterdir()) == ["1", "2.1", "current"]
    assert answer(platform, "SELECT id FROM people") == [(2,)]


def test_readers_never_see_an_error_or_a_mix_while_the_pointer_moves(
    platform: SmallPlatform, tmp_path: Path
) -> None:
    odd, even = versions_of(platform, 1), versions_of(platform, 0)
    derive(platform, PLAN, publish(platform, odd), sources(platform, odd))
    script = """
        import sys, time, duckdb
        from pathlib import Path
        seen, stop = [], Path(sys.argv[2])
        while not stop.exists() or not seen:
            with duckdb.connect(sys.argv[1], read_only=True) as connection:
                [(id, amount, number)] = connection.execute(
                    "SELECT id, amount::INT, number FROM people, daily, _publication"
                ).fetchall()
            assert id == amount == number % 2, (id, amount, number)
            assert not seen or seen[-1] <= number
            seen.append(number)
            time.sleep(0.01)
        print(len(seen), len(set(seen)))
    """
    stop = tmp_path / "stop"
    database = folder(platform) / "current" / "sales.duckdb"
    reader = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(database), str(stop)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for _ in range(25):
        derive(platform, PLAN, publish(platform, even), sources(platform, even))
        derive(platform, PLAN, publish(platform, odd), sources(platform, odd))
    stop.touch()
    told, failed = reader.communicate(timeout=30)
    assert failed == ""
    reads, publications = map(int, told.split())
    assert reads >= publications > 5


def test_nothing_is_wrong_with_a_mart_that_was_never_published(platform: SmallPlatform) -> None:
    assert derived_state(platform, PLAN, "sales") is None


def test_a_file_system_without_links_gets_copies(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("rows")
    if Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has one file system")
    target = Path("/dev/shm") / f"mart-test-{os.getpid()}"
    try:
        publishing._link(str(tmp_path / "a"), str(target))
        assert target.read_text() == "rows"
    finally:
        target.unlink(missing_ok=True)
