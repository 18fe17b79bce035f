"""What a replay delivers, when, and what it plants; held against the source that it plays."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mart_platform.adapters.connectors import CONNECTORS
from mart_platform.adapters.connectors.replay import SeededReplays
from mart_platform.adapters.formats import DeliveredFormats
from mart_platform.ports import Delivery, Unreadable
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError
from mart_platform.spec.sources import SourceTable
from mart_platform_tests.fakes import SettableClock

ZONE = ZoneInfo("Europe/Berlin")
SHARES = {"late": 0.2, "duplicated": 0.2, "corrected": 0.2, "seed": 3}
COLUMNS = {
    "id": {"type": "bigint"},
    "price": {"type": "decimal(10,2)", "at_most": 100},
    "note": {"type": "string"},
    "at": {"type": "timestamp"},
}
Row = tuple[int, str, str | None, datetime]


def contract(replay: Mapping[str, Any], **changes: Any) -> SourceTable:
    declared = {
        "description": "Orders.",
        "key": ["id"],
        "event_time": {"column": "at", "zone": "Europe/Berlin", "lateness": "6h"},
        "replay": dict(replay),
        "columns": COLUMNS,
        **changes,
    }
    return SourceTable.model_validate(declared)


class Played:
    """A source of one file in a folder, and its replay by a clock that stands where it is put."""

    def __init__(self, folder: Path, replay: Mapping[str, Any] = SHARES, **changes: Any) -> None:
        self.folder, self.data = folder, DataFolder(folder / "data")
        self.clock = SettableClock()
        self.options: dict[str, Any] = {"glob": "orders.*", **changes.pop("options", {})}
        self.contract = contract(replay, **changes)

    def write(self, rows: Sequence[Row], ending: str = "csv") -> None:
        file = self.folder / f"orders.{ending}"
        frame = pl.DataFrame(
            [(row[0], row[1], row[2], row[3]) for row in rows],
            schema={"id": pl.Int64, "price": pl.String, "note": pl.String, "at": pl.Datetime("us")},
            orient="row",
        )
        if ending == "parquet":
            frame.with_columns(pl.col("price").str.to_decimal(scale=2)).write_parquet(file)
        elif ending == "jsonl":
            lines = [json.dumps({**row, "at": str(row["at"])}) for row in frame.to_dicts()]
            file.write_text("".join(f"{line}\n" for line in lines))
        else:
            quote = '"'
            texts = ["" if note is None else f'"{note.replace(quote, quote * 2)}"' for note in frame["note"]]
            lines = [
                f"{number},{price},{text},{at}\n"
                for (number, price, _, at), text in zip(frame.rows(), texts, strict=True)
            ]
            file.write_text("id,price,note,at\n" + "".join(lines))

    def deliveries(self, until: datetime) -> list[Delivery]:
        self.clock.business = until
        return list(self.connector.deliveries("orders", self.options, self.folder))

    @property
    def connector(self) -> Any:
        replays = SeededReplays(self.data, self.clock, DeliveredFormats)
        return replays.of(CONNECTORS["files"](), "shop", self.contract)

    def rows(self, delivery: Delivery) -> list[dict[str, Any]]:
        """Return the delivered rows, read as landing reads them."""
        kept = self.data.root / "kept"
        file, _ = self.connector.fetch(delivery, self.options, self.folder, kept)
        with DeliveredFormats().open(file, delivery.position, self.options) as opened:
            frames = list(opened.frames)
        names = [name for name in self.contract.columns if name in frames[0].columns] if frames else []
        return [row for frame in frames for row in frame.select(names).to_dicts()]

    def final(self, deliveries: Sequence[Delivery]) -> dict[Any, dict[str, Any]]:
        """Return of each key the row that was delivered last."""
        return {row["id"]: row for delivery in deliveries for row in self.rows(delivery)}

    def source(self, ending: str) -> list[dict[str, Any]]:
        """Return what the source's file holds."""
        file = self.folder / f"orders.{ending}"
        with DeliveredFormats().open(file, file.name, self.options) as opened:
            return [row for frame in opened.frames for row in frame.drop("_row").to_dicts()]

    def truth(self) -> list[dict[str, Any]]:
        return pl.read_parquet(self.data.replay / "shop.orders" / "truth.parquet").to_dicts()


def moment(row: Mapping[str, Any]) -> datetime:
    at = row["at"] if isinstance(row["at"], datetime) else datetime.fromisoformat(row["at"])
    return at.replace(tzinfo=ZONE).astimezone(UTC)


LATE_ENOUGH = datetime(2030, 1, 1, tzinfo=UTC)
TIME = st.datetimes(datetime(2017, 3, 25), datetime(2017, 3, 27))  # noqa: DTZ001 naive; the clock goes forward
PRICE = st.integers(0, 9_900).map(lambda cents: f"{cents // 100}.{cents % 100:02}")
NOTE = st.none() | st.sampled_from(["", "a", 'say "a"', "a,b", "two\nlines", "ü", " a "])


@settings(max_examples=12, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 12), PRICE, NOTE, TIME), min_size=1, max_size=40),
    ending=st.sampled_from(["csv", "parquet", "jsonl"]),
    every=st.sampled_from(["day", "hour"]),
    seed=st.integers(0, 99),
)
def test_what_was_delivered_last_of_each_key_is_what_the_source_holds(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], ending: str, every: str, seed: int
) -> None:
    played = Played(tmp_path_factory.mktemp("played"), {**SHARES, "seed": seed, "every": every})
    played.write(rows, ending)
    delivered = played.deliveries(LATE_ENOUGH)
    source = played.source(ending)
    assert played.final(delivered) == {row["id"]: row for row in source}
    again = sum(planted["kind"] != "late" for planted in played.truth())
    assert sum(len(played.rows(delivery)) for delivery in delivered) == len(source) + again


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(PRICE, NOTE, TIME), min_size=1, max_size=60), st.integers(0, 99))
def test_a_delivery_comes_in_time_and_is_as_complete_as_it_says_but_for_rows_that_are_told(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[str, str | None, datetime]], seed: int
) -> None:
    played = Played(tmp_path_factory.mktemp("played"), {**SHARES, "seed": seed, "delay": "2h"})
    played.write([(number, *row) for number, row in enumerate(found)])
    delivered = played.deliveries(LATE_ENOUGH)
    first: dict[str, str] = {}
    for delivery in delivered:
        for row in played.rows(delivery):
            first.setdefault(row["id"], delivery.position)
    too_late = {
        str(planted["key"]["id"]): planted
        for planted in played.truth()
        if planted["kind"] == "late" and not planted["allowed"]
    }
    source = {row["id"]: row for row in played.source("csv")}
    places = [delivery.position for delivery in delivered]
    for place, delivery in enumerate(delivered):
        assert delivery.complete_through is not None
        ends = delivery.complete_through + timedelta(hours=6)
        before = played.deliveries(ends + timedelta(hours=2) - timedelta(microseconds=1))
        assert delivery.position not in [each.position for each in before]
        assert delivery in played.deliveries(ends + timedelta(hours=2))
        assert all(moment(row) < ends for row in played.rows(delivery))
        missing = {
            key
            for key, row in source.items()
            if moment(row) < delivery.complete_through and places.index(first[key]) > place
        }
        assert missing <= too_late.keys()


def test_day_by_day_gives_the_same_files_and_the_same_truth_as_all_at_once(tmp_path: Path) -> None:
    rows = [
        (number, "1.50", None, datetime(2017, 1, 1) + timedelta(hours=5 * number))  # noqa: DTZ001 naive
        for number in range(100)
    ]
    made = []
    for name, days in (("daily", range(60)), ("at_once", range(59, 60))):
        folder = tmp_path / name
        folder.mkdir()
        played = Played(folder)
        played.write(rows)
        seen: dict[str, Delivery] = {}
        for day in days:
            seen |= {
                d.position: d for d in played.deliveries(datetime(2017, 1, 1, tzinfo=UTC) + timedelta(day))
            }
        fetched = [played.connector.fetch(d, played.options, folder, folder / "kept") for d in seen.values()]
        made.append((seen, [sha256 for _, sha256 in fetched], played.truth()))
    assert made[0] == made[1]
    assert list(made[0][0])[:2] == ["2017/2017-01-01.csv", "2017/2017-01-02.csv"]


def test_what_is_planted_is_told_with_its_kind_its_deliveries_and_the_wrong_number(tmp_path: Path) -> None:
    played = Played(tmp_path, {"late": 0.4, "duplicated": 0.3, "corrected": 0.3, "seed": 1})
    start = datetime(2017, 1, 1, 12)  # noqa: DTZ001 naive
    played.write([(number, "100.00", None, start + timedelta(hours=number % 24)) for number in range(50)])
    delivered = {d.position: played.rows(d) for d in played.deliveries(LATE_ENOUGH)}
    truth = played.truth()
    assert len(truth) == 50
    assert {planted["kind"] for planted in truth} == {"late", "duplicated", "corrected"}
    for planted in truth:
        key = str(planted["key"]["id"])
        prices = {
            position: row["price"] for position, rows in delivered.items() for row in rows if row["id"] == key
        }
        expected = {planted["delivered"]: "100.00"}
        if planted["kind"] == "duplicated":
            expected[planted["due"]] = "100.00"
        if planted["kind"] == "corrected":
            assert (planted["wrong"], planted["right"]) == ("99.00", "100.00")
            expected[planted["due"]] = "99.00"
        assert prices == expected
    assert {planted["allowed"] for planted in truth if planted["kind"] == "late"} == {True, False}


def test_days_without_rows_are_delivered_empty(tmp_path: Path) -> None:
    played = Played(tmp_path, {})
    days = (date(2017, 1, 1), date(2017, 1, 4))
    played.write([(day.day, "1.00", None, datetime.combine(day, datetime.min.time())) for day in days])
    delivered = played.deliveries(LATE_ENOUGH)
    assert [len(played.rows(delivery)) for delivery in delivered] == [1, 0, 0, 1]
    assert delivered[1].complete_through == datetime(2017, 1, 2, 23, tzinfo=UTC)


def test_bounds_bring_what_lies_before_with_the_first_and_leave_out_what_lies_after(tmp_path: Path) -> None:
    played = Played(tmp_path, {"from": "2017-01-10", "until": "2017-01-12"})
    start = datetime(2017, 1, 1)  # noqa: DTZ001 naive
    played.write([(number, "1.00", None, start + timedelta(days=number)) for number in range(20)])
    delivered = played.deliveries(LATE_ENOUGH)
    assert [(d.position, len(played.rows(d))) for d in delivered] == [
        ("2017/2017-01-10.csv", 10),
        ("2017/2017-01-11.csv", 1),
    ]


def test_lines_that_are_no_rows_and_rows_without_time_come_with_the_first_delivery(tmp_path: Path) -> None:
    played = Played(tmp_path, {}, options={"separator": ";", "encoding": "latin-1", "nulls": ["NA"]})
    lines = ["id;price;note;at", "1;NA;ü;2017-01-02", "2;1.00", "3;1.00;x;soon", "4;2.00;;2017-01-01"]
    (tmp_path / "orders.csv").write_bytes("".join(f"{line}\n" for line in lines).encode("latin-1"))
    first, second = played.deliveries(LATE_ENOUGH)
    kept = played.data.root / "kept"
    texts = [
        played.connector.fetch(delivery, played.options, tmp_path, kept)[0].read_bytes().decode("latin-1")
        for delivery in (first, second)
    ]
    assert texts == [
        "id;price;note;at\n3;1.00;x;soon\n4;2.00;NA;2017-01-01\n2;1.00\n",
        "id;price;note;at\n1;NA;ü;2017-01-02\n",
    ]


def test_the_columns_of_a_source_may_have_any_names(tmp_path: Path) -> None:
    names = ("kind", "first", "what", "due", "a.b", 'say "x"')
    columns = {f"c{number}": {"type": "string", "delivered_as": name} for number, name in enumerate(names)}
    columns |= {"wrong": {"type": "double"}, "local": {"type": "timestamp"}}
    played = Played(
        tmp_path,
        {"late": 0.3, "duplicated": 0.3, "corrected": 0.4},
        columns=columns,
        key=["c0", "c4"],
        event_time={"column": "local"},
    )
    start = datetime(2017, 1, 1)  # noqa: DTZ001 naive
    rows = {name: [f"{name} {number}" for number in range(30)] for name in names}
    times = {"wrong": [0.5] * 30, "local": [start + timedelta(hours=number) for number in range(30)]}
    pl.DataFrame({**rows, **times}).write_parquet(tmp_path / "orders.parquet")
    kept = tmp_path / "kept"
    files = [
        played.connector.fetch(delivery, played.options, tmp_path, kept)[0]
        for delivery in played.deliveries(LATE_ENOUGH)
    ]
    last = pl.concat([pl.read_parquet(file) for file in files]).unique(
        "kind", keep="last", maintain_order=True
    )
    assert last.sort("local").equals(pl.read_parquet(tmp_path / "orders.parquet"))
    assert set(played.truth()[0]["key"]) == {"c0", "c4"}


def test_another_content_of_the_source_is_played_anew_and_told_by_the_deliveries_that_differ(
    tmp_path: Path,
) -> None:
    played = Played(tmp_path, {})
    start = datetime(2017, 1, 1)  # noqa: DTZ001 naive
    rows: list[Row] = [(number, "1.00", None, start + timedelta(days=number)) for number in range(3)]
    played.write(rows)
    before = played.deliveries(LATE_ENOUGH)
    played.write([*rows[:2], (2, "2.00", None, rows[2][3])])
    after = played.deliveries(LATE_ENOUGH)
    assert after[:2] == before[:2]
    assert (after[2].position, after[2].size) == (before[2].position, before[2].size)
    assert after[2] != before[2]


def test_a_look_at_what_was_prepared_reads_no_row_of_the_source(tmp_path: Path) -> None:
    played = Played(tmp_path)
    played.write([(1, "1.00", None, datetime(2017, 1, 1))])  # noqa: DTZ001 naive
    before = played.deliveries(LATE_ENOUGH)

    def no_formats() -> Any:
        raise AssertionError("a file is opened")

    replays = SeededReplays(played.data, played.clock, no_formats)
    connector = replays.of(CONNECTORS["files"](), "shop", played.contract)
    assert connector.deliveries("orders", played.options, tmp_path) == before


def test_a_file_that_was_damaged_in_the_cache_is_not_delivered(tmp_path: Path) -> None:
    played = Played(tmp_path, {})
    played.write([(1, "1.00", None, datetime(2017, 1, 1))])  # noqa: DTZ001 naive
    (delivery,) = played.deliveries(LATE_ENOUGH)
    (file,) = (played.data.cache / "replay").rglob("2017*.csv")
    file.write_bytes(b"")
    with pytest.raises(UserError, match=r"was damaged in the cache.*Remove .*; it is made again"):
        played.connector.fetch(delivery, played.options, tmp_path, tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_source_that_has_nothing_delivers_nothing(tmp_path: Path) -> None:
    assert Played(tmp_path).deliveries(LATE_ENOUGH) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "orders.csv: the file is empty"),
        ("id,price,at\n", "orders.csv: cannot be played, for it holds no row"),
        ("id,price\n1,2\n", "orders.csv: cannot be played, for it has no column 'at'"),
        ("id,price,at\n1,2,soon\n", "no row has an event time that can be read in the column 'at'"),
        ("id,price,at\n1,2,1017-01-01\n2,2,2017-01-01\n", "Bound the replay with 'from' and 'until'"),
    ],
)
def test_a_source_that_cannot_be_played_is_named_with_the_reason(
    tmp_path: Path, content: str, said: str
) -> None:
    (tmp_path / "orders.csv").write_text(content)
    with pytest.raises(UserError, match=said):
        Played(tmp_path).deliveries(LATE_ENOUGH)
    assert not (tmp_path / "data" / "replay").exists()


def test_a_damaged_file_is_told_as_without_a_replay(tmp_path: Path) -> None:
    (tmp_path / "orders.parquet").write_bytes(b"PAR1 this is none")
    with pytest.raises(Unreadable, match="this is no whole Parquet file"):
        Played(tmp_path).deliveries(LATE_ENOUGH)
