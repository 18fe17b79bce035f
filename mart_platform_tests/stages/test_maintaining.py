"""What is joined, what is due, what is summed, what an archive refuses: each by itself, on small tables."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from mart_platform.planning.plan import PlannedTable
from mart_platform.ports import Relation
from mart_platform.spec.marts import Retention
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import (
    DataFile,
    Interval,
    LegalHold,
    Publication,
    Version,
    content_of,
    digest_of,
)
from mart_platform.spec.settings import CompactionSettings, MaintenanceSettings
from mart_platform.spec.tables import Downsample, Grain, Partition
from mart_platform.stages.maintaining import archiving, compacting, retiring
from mart_platform.stages.maintaining.downsampling import downsample
from mart_platform.stages.maintaining.keeping import kept_publications
from mart_platform_tests.stages.small_platform import SmallPlatform, planned_table

MB = 10**6
NOW = datetime(2018, 1, 1, tzinfo=UTC)
COLUMNS = {"day": "date", "store": "string", "money": "decimal(18,2)", "weight": "double"}


@pytest.fixture
def platform(tmp_path: Path) -> SmallPlatform:
    return SmallPlatform(tmp_path)


def table(grain: Grain = "day", coarse: Grain = "month") -> PlannedTable:
    return planned_table("m.t", COLUMNS).model_copy(
        update={
            "kind": "incremental",
            "partition": Partition(column="day", grain=grain),
            "interval": "day",
            "downsample": Downsample(grain=coarse, sum=("money", "weight")),
        }
    )


def version(files: Iterable[DataFile], days: Iterable[str] = (), floor: str = "") -> Version:
    intervals = {day: Interval(content=f"content of {day}", rows=1) for day in days}
    return Version(
        table="m.t",
        fingerprint="f1",
        id=digest_of(file.path for file in files),
        number=0,
        columns=COLUMNS,
        files=tuple(files),
        intervals=intervals,
        floor=floor,
        content=content_of(intervals),
        created_at=NOW,
    )


def file(name: str, size: int = MB, *intervals: str) -> DataFile:
    return DataFile(path=name, rows=1, bytes=size, intervals=intervals)


def groups(planned: PlannedTable, *files: DataFile, **settings: object) -> list[list[str]]:
    found = compacting.groups(planned, version(files), CompactionSettings.model_validate(settings))
    return [[each.path for each in group.files] for group in found]


# Which files are joined


def test_a_landed_table_is_joined_when_more_of_its_files_are_small_than_may_be() -> None:
    landed = table().model_copy(update={"layer": "landing"})
    small = [file(str(n), MB, f"b{n}") for n in range(4)]
    assert groups(landed, *small[:3], files=3) == []
    assert groups(landed, *small, file("large", 16 * MB, "b9"), files=3) == [["0", "1", "2", "3"]]


def test_a_built_table_is_joined_within_its_intervals() -> None:
    files = [file("a1", MB, "a"), file("b1", MB, "b"), file("a2", MB, "a"), file("c1", MB, "c")]
    assert groups(table(), *files) == [["a1", "a2"]]


def test_files_without_an_interval_and_files_of_several_are_left_alone() -> None:
    assert groups(table(), file("1"), file("2"), file("3", MB, "a", "b"), file("4", MB, "a", "b")) == []


def test_large_files_are_not_written_again_and_none_gets_larger_than_need_be() -> None:
    files = [file(str(n), 200 * MB, "a") for n in range(4)]
    assert groups(table(), file("huge", 300 * MB, "a"), *files) == [["0", "1"], ["2", "3"]]


def test_what_saves_most_files_comes_first_and_no_more_is_written_than_may_be() -> None:
    files = [*(file(f"a{n}", MB, "a") for n in range(2)), *(file(f"b{n}", MB, "b") for n in range(3))]
    found = compacting.groups(table(), version(files), CompactionSettings())
    assert [group.saved for group in found] == [2, 1]
    assert compacting.within(found, 4 * MB) == found[:1]
    assert compacting.within(found, 2 * MB) == found[1:]


# Which publications are kept


def test_publications_are_kept_while_they_are_among_the_newest_or_were_live_lately() -> None:
    settings = MaintenanceSettings(keep_publications=2, keep_for="7d")
    ages = {9: 0, 8: 6, 7: 12, 6: 20, 5: 21}
    history = [publication(number, NOW - timedelta(days=age)) for number, age in ages.items()]
    history += [publication(4, NOW - timedelta(days=90), "shadow"), publication(3, NOW, "dropped")]
    assert [kept.number for kept in kept_publications(history, settings, NOW)] == [9, 8, 7, 4]


def publication(number: int, at: datetime, state: str = "live") -> Publication:
    facts = {"mart": "m", "number": number, "state": state, "tables": {}, "plan": "p", "watermark": None}
    return Publication.model_validate({**facts, "at": at, "by": "b", "reason": "r", "run": "r"})


# What is due


def due(
    days: Iterable[str],
    then: str = "drop",
    keep: str = "31d",
    holds: Iterable[LegalHold] = (),
    floor: str = "",
    coarsened: Iterable[str] = (),
    planned: PlannedTable | None = None,
) -> retiring.Due:
    retention = Retention.model_validate({"keep": keep, "then": then})
    present = version([], days, floor)
    return retiring.due(planned or table(), present, retention, NOW, tuple(holds), set(coarsened))


def test_intervals_are_due_when_they_ended_longer_ago_than_is_kept() -> None:
    found = due(["2017-11-29", "2017-11-30", "2017-12-01"])
    assert (found.floor, found.intervals) == ("2017-12-01", ("2017-11-29", "2017-11-30"))


def test_hours_are_due_by_the_hour() -> None:
    hours = table("hour")
    found = due(["2017-12-31 21:00:00", "2017-12-31 22:00:00"], keep="2h", planned=hours)
    assert (found.floor, found.intervals) == ("2017-12-31 22:00:00", ("2017-12-31 21:00:00",))


def test_rows_are_made_coarser_only_by_whole_coarser_intervals_and_once() -> None:
    days = ["2017-10-01", "2017-11-01", "2017-11-29", "2017-12-05"]
    found = due(days, "downsample", "20d", coarsened=["2017-10-01"])
    assert (found.floor, found.intervals) == ("2017-12-01", ("2017-11-01", "2017-11-29"))


def test_a_floor_is_never_lowered() -> None:
    assert due(["2017-12-05"], floor="2017-12-07").intervals == ("2017-12-05",)
    assert due(["2017-12-05"], floor="2017-12-07").floor == "2017-12-07"


@pytest.mark.parametrize(
    ("since", "until", "held"),
    [
        (None, None, ["2017-11-01", "2017-11-02", "2017-11-03"]),
        (date(2017, 11, 2), date(2017, 11, 2), ["2017-11-02"]),
        (None, date(2017, 11, 1), ["2017-11-01"]),
        (date(2017, 11, 3), None, ["2017-11-03"]),
        (date(2017, 12, 1), None, []),
    ],
)
def test_what_is_under_a_legal_hold_is_not_due(
    since: date | None, until: date | None, held: list[str]
) -> None:
    found = due(["2017-11-01", "2017-11-02", "2017-11-03"], holds=[hold(since, until)])
    assert list(found.held) == held
    assert set(found.intervals).isdisjoint(held)
    assert len(found.intervals) + len(held) == 3


def test_a_held_day_keeps_its_whole_month_from_being_made_coarser() -> None:
    found = due(
        ["2017-10-30", "2017-11-01", "2017-11-02"],
        "downsample",
        holds=[hold(date(2017, 11, 2), date(2017, 11, 2))],
    )
    assert (found.intervals, found.held) == (("2017-10-30",), ("2017-11-01", "2017-11-02"))


def test_an_interval_of_unknown_length_or_time_is_held_rather_than_not() -> None:
    assert retiring.is_held(hold(date(2017, 6, 1), None), "2017-01-01")
    assert not retiring.is_held(hold(date(2017, 6, 1), None), "2017-01-01", "month")
    assert retiring.is_held(hold(date(2017, 6, 1), None), "17")


def hold(since: date | None, until: date | None) -> LegalHold:
    return LegalHold(name="h", mart="m", since=since, until=until, reason="r", by="b", at=NOW)


def test_a_file_that_holds_intervals_that_stay_is_never_left_out() -> None:
    with pytest.raises(ValueError, match="beside others that go"):
        retiring.without(version([file("1", MB, "2017-01-01", "2017-01-02")]), ["2017-01-01"], "")


# Sums over a coarser grain


def built(platform: SmallPlatform, rows: str) -> Version:
    """Write rows of the table, a file a day."""
    planned = table()
    sql = (
        f"SELECT day::DATE AS day, store, money, weight FROM (VALUES {rows}) AS t(day, store, money, weight)"
    )
    with platform.engine.session([]) as session:
        files = session.write(sql, COLUMNS, platform.data.lake / planned.path, planned.interval)
        session.define(relation(platform, files))
        counts = session.rows(
            "SELECT day::VARCHAR AS day, count(*) AS rows FROM m.t GROUP BY ALL ORDER BY ALL"
        )
    intervals = {each["day"]: Interval(content=each["day"], rows=each["rows"]) for each in counts}
    return version(files).model_copy(update={"intervals": intervals})


def relation(platform: SmallPlatform, files: Iterable[DataFile]) -> Relation:
    return Relation("m.t", COLUMNS, tuple(platform.data.absolute(each.path) for each in files))


def rows_of(platform: SmallPlatform, files: Iterable[DataFile]) -> list[tuple[object, ...]]:
    with platform.engine.session([relation(platform, files)]) as session:
        return [tuple(row.values()) for row in session.rows("FROM m.t ORDER BY ALL")]


def test_rows_that_agree_in_all_but_their_measures_become_one(platform: SmallPlatform) -> None:
    days = built(
        platform,
        "('2017-01-03', 'a', 0.01, 1.5), ('2017-01-31', 'a', 1234567890123456.78, NULL),"
        " ('2017-01-05', 'b', NULL, 2.0), ('2017-02-01', 'a', 1.00, 1.0)",
    )
    coarse = downsample(platform, table(), days, days.intervals)
    assert rows_of(platform, coarse) == [
        (date(2017, 1, 1), "a", Decimal("1234567890123456.79"), 1.5),
        (date(2017, 1, 1), "b", None, 2.0),
        (date(2017, 2, 1), "a", Decimal("1.00"), 1.0),
    ]
    assert sorted(each.intervals for each in coarse) == [("2017-01-01",), ("2017-02-01",)]


def test_a_sum_that_does_not_fit_its_column_is_refused_and_leaves_no_file(platform: SmallPlatform) -> None:
    large = "9999999999999999.99"
    days = built(platform, f"('2017-01-03', 'a', {large}, 1.0), ('2017-01-04', 'a', {large}, 1.0)")
    before = platform.lake.present(table().path)
    with pytest.raises(UserError, match=r"m\.t cannot be downsampled"):
        downsample(platform, table(), days, days.intervals)
    assert platform.lake.present(table().path) == before


# Archives


def archive(platform: SmallPlatform, folder: Path, days: Version, interval: str) -> None:
    with platform.engine.session([]) as session:
        archiving.archive(platform, session, folder, days, interval)


def test_an_archived_interval_is_restored_row_by_row(platform: SmallPlatform, tmp_path: Path) -> None:
    days = built(platform, "('2017-01-03', 'ä''1', 0.01, 1.5), ('2017-01-03', NULL, NULL, 'nan'::DOUBLE)")
    archive(platform, tmp_path / "cold", days, "2017-01-03")
    [(key, place)] = archiving.archived(tmp_path / "cold", "m.t").items()
    manifest, files = archiving.restore(platform, table(), place)
    assert (key, manifest.rows, manifest.held) == ("2017-01-03", 2, days.intervals["2017-01-03"])
    assert str(rows_of(platform, files)) == str(rows_of(platform, days.files))
    assert [each.intervals for each in files] == [("2017-01-03",)]


def test_rows_of_another_shape_are_not_restored(platform: SmallPlatform, tmp_path: Path) -> None:
    days = built(platform, "('2017-01-03', 'a', 0.01, 1.5)")
    archive(platform, tmp_path, days, "2017-01-03")
    [place] = archiving.archived(tmp_path, "m.t").values()
    wider = planned_table("m.t", {**COLUMNS, "more": "string"})
    with pytest.raises(UserError, match=r"other columns than the table has now.*\*\.parquet"):
        archiving.restore(platform, wider, place)


def test_other_rows_of_an_interval_are_archived_beside_the_first(
    platform: SmallPlatform, tmp_path: Path
) -> None:
    for content, money in (("old", "1.00"), ("new", "2.00")):
        days = built(platform, f"('2017-01-03', 'a', {money}, 1.5)")
        interval = Interval(content=content, rows=1)
        platform.clock.tick(hours=1)
        days = days.model_copy(update={"intervals": {"2017-01-03": interval}})
        archive(platform, tmp_path, days, "2017-01-03")
    assert len(list((tmp_path / "m" / "t" / "2017-01-03").iterdir())) == 2
    [place] = archiving.archived(tmp_path, "m.t").values()
    assert archiving.verified(place).held.content == "new"


def test_an_archive_that_cannot_be_written_is_told(platform: SmallPlatform, tmp_path: Path) -> None:
    days = built(platform, "('2017-01-03', 'a', 0.01, 1.5)")
    (tmp_path / "cold").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="cannot be archived to"):
        archive(platform, tmp_path / "cold", days, "2017-01-03")


def test_what_a_killed_run_left_half_archived_is_cleared(platform: SmallPlatform, tmp_path: Path) -> None:
    half = tmp_path / "m" / "t" / "2017-01-03" / ".half-1"
    half.mkdir(parents=True)
    assert archiving.archived(tmp_path, "m.t") == {}
    archiving.clear(tmp_path, "m.t")
    assert not half.exists()
