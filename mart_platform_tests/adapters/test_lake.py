import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from mart_platform.adapters.lake import DeltaLake
from mart_platform.ports import Commit, CommitConflict, Lake
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import DataFile

PATH = "sales.fact/3f2a"
COLUMNS = {"n": "bigint", "name": "string"}


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path)


@pytest.fixture
def lake(data: DataFolder) -> DeltaLake:
    return DeltaLake(data)


def a_file(data: DataFolder, name: str, *numbers: int, path: str = PATH) -> DataFile:
    place = data.lake / path / f"part-{name}.parquet"
    place.parent.mkdir(parents=True, exist_ok=True)
    names = [f"name {number}" for number in numbers]
    schema = {"n": pl.Int64, "name": pl.String}
    pl.DataFrame({"n": numbers, "name": names}, schema=schema).write_parquet(place)
    return DataFile(path=data.relative(place), rows=len(numbers), bytes=place.stat().st_size)


def committed(
    lake: Lake, files: Sequence[DataFile], base: int | None, *, append: bool = False, run: str = "run-1"
) -> int:
    return lake.commit(PATH, COLUMNS, files, base=base, append=append, metadata={"run": run})


def entry(data: DataFolder, number: int) -> Path:
    return data.lake / PATH / "_delta_log" / f"{number:020}.json"


def numbers(data: DataFolder, files: Sequence[str]) -> list[int]:
    frames = [pl.read_parquet(data.absolute(file)) for file in files]
    return sorted(number for frame in frames for number in frame["n"])


def test_a_table_that_is_not_there_has_no_head(lake: DeltaLake) -> None:
    assert lake.head(PATH) is None


def test_a_commit_is_read_alike_by_duckdb_polars_and_delta(data: DataFolder, lake: DeltaLake) -> None:
    committed(lake, [a_file(data, "a", 1, 2)], None)
    committed(lake, [a_file(data, "b", 3), a_file(data, "c", 4)], 0)
    assert committed(lake, [a_file(data, "d", 5)], 1, append=True) == 2

    files = [str(data.absolute(file)) for file in lake.files(PATH, 2)]
    table = DeltaTable(data.lake / PATH)
    assert duckdb.sql(f"SELECT n FROM read_parquet({files}) ORDER BY n").fetchall() == [(3,), (4,), (5,)]
    assert pl.scan_parquet(files).select(pl.col("n").sum()).collect().item() == 12
    assert sorted(table.file_uris()) == files
    assert sorted(table.to_pyarrow_table()["n"].to_pylist()) == [3, 4, 5]


def test_every_version_keeps_its_files(data: DataFolder, lake: DeltaLake) -> None:
    committed(lake, [a_file(data, "a", 1)], None)
    for number in range(1, 25):  # beyond two checkpoints
        committed(lake, [a_file(data, f"r{number}", number)], number - 1)
    assert numbers(data, lake.files(PATH, 0)) == [1]
    assert lake.files(PATH, 17) == (f"lake/{PATH}/part-r17.parquet",)
    assert (data.lake / PATH / "_delta_log" / f"{19:020}.checkpoint.parquet").exists()


def test_a_replacement_keeps_the_files_that_it_names_again(data: DataFolder, lake: DeltaLake) -> None:
    first, second, third = (a_file(data, name, n) for n, name in enumerate("abc"))
    committed(lake, [first, second], None)
    committed(lake, [second, third], 0)
    assert numbers(data, lake.files(PATH, 1)) == [1, 2]
    actions = [json.loads(line) for line in entry(data, 1).read_text().splitlines()]
    assert [a["add"]["path"] for a in actions if "add" in a] == ["part-c.parquet"]
    assert [a["remove"]["path"] for a in actions if "remove" in a] == ["part-a.parquet"]


def test_the_head_tells_number_and_metadata_as_they_were_committed(data: DataFolder, lake: DeltaLake) -> None:
    metadata = {"run": "r1", "operation": "ours", "timestamp": "naïve \n 🛒", "consumed": '{"a": 1}'}
    lake.commit(PATH, COLUMNS, [a_file(data, "a", 1)], base=None, append=False, metadata=metadata)
    assert lake.head(PATH) == Commit(0, metadata)
    committed(lake, [a_file(data, "b", 1)], 0, run="r2")
    assert lake.head(PATH) == Commit(1, {"run": "r2"})


def test_the_log_is_told_never_to_forget(data: DataFolder, lake: DeltaLake) -> None:
    committed(lake, [a_file(data, "a", 1)], None)
    assert DeltaTable(data.lake / PATH).metadata().configuration == {
        "delta.enableExpiredLogCleanup": "false",
        "delta.checkpointInterval": "10",
        "delta.deletedFileRetentionDuration": "interval 0 seconds",
    }


def test_a_checkpoint_does_not_grow_with_the_files_that_are_gone(data: DataFolder, lake: DeltaLake) -> None:
    committed(lake, [a_file(data, "a", 1)], None)
    for number in range(1, 20):
        committed(lake, [a_file(data, f"r{number}", number)], number - 1)
    [first, second] = sorted(entry(data, 0).parent.glob("*.checkpoint.parquet"))
    assert len(pl.read_parquet(first)) == len(pl.read_parquet(second))


def test_a_file_that_stays_is_not_looked_at_again(data: DataFolder, lake: DeltaLake) -> None:
    files = [a_file(data, "a", 1), a_file(data, "b", 2)]
    committed(lake, files, None)
    data.absolute(files[0].path).unlink()
    assert committed(lake, [*files, a_file(data, "c", 3)], 0) == 1


@pytest.mark.parametrize("changes_data", [True, False])
def test_a_commit_tells_whether_it_changes_the_rows(
    data: DataFolder, lake: DeltaLake, changes_data: bool
) -> None:
    committed(lake, [a_file(data, "a", 1), a_file(data, "b", 2)], None)
    together = a_file(data, "ab", 1, 2)
    lake.commit(PATH, COLUMNS, [together], base=0, append=False, metadata={}, changes_data=changes_data)
    actions = [json.loads(line) for line in entry(data, 1).read_text().splitlines()]
    told = [action[kind]["dataChange"] for action in actions for kind in ("add", "remove") if kind in action]
    assert told == [changes_data] * 3


# The log


def test_commits_are_told_from_any_number_on_oldest_first(data: DataFolder, lake: DeltaLake) -> None:
    assert lake.commits(PATH, -1) == []
    for number in range(23):  # beyond two checkpoints
        committed(
            lake, [a_file(data, f"r{number}", number)], number - 1 if number else None, run=f"r{number}"
        )
    told = [Commit(number, {"run": f"r{number}"}) for number in range(23)]
    assert lake.commits(PATH, -1) == told
    assert lake.commits(PATH, 19) == told[20:]
    assert lake.commits(PATH, 22) == lake.commits(PATH, 99) == []


def test_commits_end_before_a_torn_entry(data: DataFolder, lake: DeltaLake) -> None:
    committed(lake, [a_file(data, "a", 1)], None)
    committed(lake, [a_file(data, "b", 2)], 0)
    entry(data, 1).write_bytes(b"")
    assert lake.commits(PATH, -1) == [Commit(0, {"run": "run-1"})]


@pytest.mark.parametrize("left", [b"", None])
def test_an_entry_that_is_damaged_among_others_is_named(
    data: DataFolder, lake: DeltaLake, left: bytes | None
) -> None:
    committed(lake, [a_file(data, "a", 1)], None)
    for number in (1, 2):
        committed(lake, [a_file(data, f"r{number}", number)], number - 1)
    if left is None:
        entry(data, 1).unlink()
    else:
        entry(data, 1).write_bytes(left)
    with pytest.raises(UserError, match=f"{entry(data, 1)} (is damaged|cannot be read)"):
        lake.commits(PATH, -1)


# Files, committed or not


def test_all_data_files_of_a_table_are_told_with_their_bytes(data: DataFolder, lake: DeltaLake) -> None:
    assert lake.present(PATH) == {}
    files = [a_file(data, name, n) for n, name in enumerate(["a", "b c", "50%20off"])]
    committed(lake, files[:1], None)
    orphan = data.lake / PATH / "left over" / "x.parquet"
    orphan.parent.mkdir()
    orphan.write_bytes(b"12345")
    assert lake.present(PATH) == {**{file.path: file.bytes for file in files}, data.relative(orphan): 5}


def test_deleted_files_are_gone_and_may_be_deleted_again(data: DataFolder, lake: DeltaLake) -> None:
    files = [a_file(data, name, 1) for name in "abc"]
    for _ in range(2):
        lake.delete(file.path for file in files[:2])
        assert set(lake.present(PATH)) == {files[2].path}


@pytest.mark.parametrize("path", [f"lake/{PATH}/_delta_log/{0:020}.json", "ledger.sqlite", "lake/../x"])
def test_nothing_but_a_data_file_is_deleted(data: DataFolder, lake: DeltaLake, path: str) -> None:
    committed(lake, [a_file(data, "a", 1)], None)
    with pytest.raises(ValueError, match="is not a data file of the lake"):
        lake.delete([path])
    assert lake.head(PATH) == Commit(0, {"run": "run-1"})


def test_statistics_go_to_the_log(data: DataFolder, lake: DeltaLake) -> None:
    stats = json.dumps({"numRecords": 2, "minValues": {"n": 1}, "maxValues": {"n": 2}, "nullCount": {"n": 0}})
    committed(lake, [a_file(data, "a", 1, 2).model_copy(update={"stats": stats})], None)
    added = DeltaTable(data.lake / PATH).get_add_actions(flatten=True)
    assert [added.column(name)[0].as_py() for name in ("num_records", "min.n", "max.n")] == [2, 1, 2]


@pytest.mark.parametrize("base", [None, 0, 2])
def test_a_commit_on_another_version_than_the_newest_is_refused(
    data: DataFolder, lake: DeltaLake, base: int | None
) -> None:
    committed(lake, [a_file(data, "a", 1)], None)
    committed(lake, [a_file(data, "b", 2)], 0)
    with pytest.raises(CommitConflict, match="is at version 1, no longer at"):
        committed(lake, [a_file(data, "c", 3)], base)
    assert lake.head(PATH) == Commit(1, {"run": "run-1"})


def test_a_commit_on_a_table_that_is_gone_is_refused(data: DataFolder, lake: DeltaLake) -> None:
    with pytest.raises(CommitConflict, match="is at no version, no longer at version 3"):
        committed(lake, [a_file(data, "a", 1)], 3)


def test_other_columns_than_the_tables_are_refused(data: DataFolder, lake: DeltaLake) -> None:
    committed(lake, [a_file(data, "a", 1)], None)
    with pytest.raises(ValueError, match='"integer"'):
        lake.commit(
            PATH, {"n": "integer"}, [a_file(data, "b", 1)], base=0, append=True, metadata={"run": "r"}
        )
    assert lake.head(PATH) == Commit(0, {"run": "run-1"})


def test_a_file_that_is_not_there_is_never_committed(data: DataFolder, lake: DeltaLake) -> None:
    missing = DataFile(path=f"lake/{PATH}/part-x.parquet", rows=1, bytes=1)
    with pytest.raises(FileNotFoundError):
        committed(lake, [missing], None)
    assert lake.head(PATH) is None


def test_all_declared_types_come_back_from_the_files(data: DataFolder, lake: DeltaLake) -> None:
    columns = {
        "truth": "boolean",
        "small": "integer",
        "large": "bigint",
        "real": "double",
        "words": "string",
        "day": "date",
        "naive": "timestamp",
        "zoned": "timestamptz",
        "raw": "binary",
        "money": "decimal(18, 2)",
        "widest": "decimal(38,0)",
        "tags": "list(string)",
        "deep": "list(struct(at timestamp, parts list(decimal(10,2)), of struct(a integer, b string)))",
    }
    (data.lake / PATH).mkdir(parents=True)
    place = data.lake / PATH / "part-0.parquet"
    duckdb.sql(
        f"""COPY (SELECT true AS truth, 1::INT AS small, 2::BIGINT AS large, 0.5::DOUBLE AS real,
        'w' AS words, DATE '2018-01-01' AS "day", TIMESTAMP '2018-01-01 10:00:00' AS naive,
        TIMESTAMPTZ '2018-01-01 10:00:00+00' AS zoned, 'x'::BLOB AS raw, 1.25::DECIMAL(18,2) AS money,
        5::DECIMAL(38,0) AS widest, ['a'] AS tags,
        [{{'at': TIMESTAMP '2018-01-01', 'parts': [1.5::DECIMAL(10,2)], 'of': {{'a': 1::INT, 'b': 'c'}}}}]
        AS deep) TO '{place}' (FORMAT parquet)"""
    )
    file = DataFile(path=data.relative(place), rows=1, bytes=place.stat().st_size)
    lake.commit(PATH, columns, [file], base=None, append=False, metadata={})
    by_delta = pl.from_arrow(DeltaTable(data.lake / PATH).to_pyarrow_table())
    by_polars = pl.read_parquet(place)
    assert isinstance(by_delta, pl.DataFrame)
    assert by_delta.rows() == by_polars.rows()
    assert by_delta.columns == list(columns)


def test_a_type_that_delta_lacks_is_refused(data: DataFolder, lake: DeltaLake) -> None:
    with pytest.raises(ValueError, match="'uuid' is not a type"):
        lake.commit(PATH, {"id": "uuid"}, [a_file(data, "a", 1)], base=None, append=False, metadata={})


def test_odd_names_of_files_are_kept(data: DataFolder, lake: DeltaLake) -> None:
    files = [a_file(data, name, n) for n, name in enumerate(["a b", "50%20off", "für=1", "x+y"])]
    committed(lake, files, None)
    assert sorted(lake.files(PATH, 0)) == sorted(file.path for file in files)
    committed(lake, files[:2], 0)
    assert sorted(lake.files(PATH, 1)) == sorted(file.path for file in files[:2])


@pytest.mark.parametrize("name", ["my data", "für #1?", "a+b&c"])
def test_a_data_folder_may_have_nearly_any_name(tmp_path: Path, name: str) -> None:
    data = DataFolder(tmp_path / name)
    lake = DeltaLake(data)
    committed(lake, [a_file(data, "a", 1)], None)
    committed(lake, [a_file(data, "b", 2)], 0)
    assert lake.files(PATH, 1) == (f"lake/{PATH}/part-b.parquet",)
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_a_data_folder_that_delta_would_not_find_again_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="50%20off has a % in its path"):
        DeltaLake(DataFolder(tmp_path / "50%20off"))


def test_a_data_folder_behind_a_link_gives_the_same_paths(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    data = DataFolder(tmp_path / "link")
    committed(DeltaLake(data), [a_file(data, "a", 1)], None)
    assert DeltaLake(data).files(PATH, 0) == (f"lake/{PATH}/part-a.parquet",)


def test_an_unknown_version_is_named(data: DataFolder, lake: DeltaLake) -> None:
    committed(lake, [a_file(data, "a", 1)], None)
    with pytest.raises(UserError, match=r"Version 7 of .*sales\.fact/3f2a cannot be read"):
        lake.files(PATH, 7)


class TestATornEntry:
    @pytest.mark.parametrize("left", [b"", b'{"commitInfo":{"time', b"\0" * 400, b"{}\n\0\0\0"])
    def test_is_moved_aside_and_the_version_before_it_stands(
        self, data: DataFolder, lake: DeltaLake, left: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        committed(lake, [a_file(data, "a", 1)], None)
        committed(lake, [a_file(data, "b", 2)], 0, run="lost")
        entry(data, 1).write_bytes(left)
        with caplog.at_level(logging.WARNING):
            assert lake.head(PATH) == Commit(0, {"run": "run-1"})
        assert f"{entry(data, 1)} was torn" in caplog.text
        assert not entry(data, 1).exists()
        assert [aside.read_bytes() for aside in entry(data, 1).parent.glob("*.torn-*")] == [left]
        assert committed(lake, [a_file(data, "c", 3)], 0) == 1
        assert numbers(data, lake.files(PATH, 1)) == [3]

    def test_that_ends_between_two_lines_is_known_by_its_missing_files(
        self, data: DataFolder, lake: DeltaLake
    ) -> None:
        committed(lake, [a_file(data, "a", 1)], None)
        committed(lake, [a_file(data, "b", 2), a_file(data, "c", 3)], 0, run="lost")
        whole = entry(data, 1).read_bytes().splitlines(keepends=True)
        entry(data, 1).write_bytes(b"".join(whole[:-1]))
        assert lake.head(PATH) == Commit(0, {"run": "run-1"})

    def test_takes_its_checkpoint_along(self, data: DataFolder, lake: DeltaLake) -> None:
        committed(lake, [a_file(data, "a", 1)], None)
        for number in range(1, 10):
            committed(lake, [a_file(data, f"r{number}", number)], number - 1)
        stale = entry(data, 9).with_suffix(".checkpoint.parquet")
        assert stale.exists()
        entry(data, 9).write_bytes(b"")
        assert lake.head(PATH) == Commit(8, {"run": "run-1"})
        assert not stale.exists()
        committed(lake, [a_file(data, "other", 99)], 8)
        assert numbers(data, lake.files(PATH, 9)) == [99]

    def test_of_a_new_table_lets_it_be_made_again(self, data: DataFolder, lake: DeltaLake) -> None:
        committed(lake, [a_file(data, "a", 1)], None)
        entry(data, 0).write_bytes(b"")
        assert lake.head(PATH) is None
        assert committed(lake, [a_file(data, "b", 2)], None) == 0
        assert numbers(data, lake.files(PATH, 0)) == [2]

    def test_that_is_not_the_last_one_is_an_error_and_touches_nothing(
        self, data: DataFolder, lake: DeltaLake
    ) -> None:
        committed(lake, [a_file(data, "a", 1)], None)
        committed(lake, [a_file(data, "b", 2)], 0)
        for number in (0, 1):
            entry(data, number).write_bytes(b"")
        with pytest.raises(UserError, match=f"{entry(data, 0)} is damaged, and so is the entry after it"):
            lake.head(PATH)
        assert entry(data, 1).exists()


@pytest.mark.parametrize("names", [{"parquet"}, {"hint"}, {"parquet", "hint"}])
@pytest.mark.parametrize("left", [b"", b"\0" * 900, None])
def test_a_checkpoint_that_is_torn_or_gone_is_done_without(
    data: DataFolder, lake: DeltaLake, names: set[str], left: bytes | None
) -> None:
    committed(lake, [a_file(data, "a", 0)], None)
    for number in range(1, 12):
        committed(lake, [a_file(data, f"r{number}", number)], number - 1, append=True)
    checkpoint = {
        "parquet": entry(data, 9).with_suffix(".checkpoint.parquet"),
        "hint": entry(data, 0).with_name("_last_checkpoint"),
    }
    for torn in (checkpoint[name] for name in names):
        if left is None:
            torn.unlink()
        else:
            torn.write_bytes(left)
    assert lake.head(PATH) == Commit(11, {"run": "run-1"})
    assert numbers(data, lake.files(PATH, 11)) == list(range(12))
    for number in range(12, 22):
        committed(lake, [a_file(data, f"r{number}", number)], number - 1, append=True)
    assert numbers(data, lake.files(PATH, 21)) == list(range(22))


def _commit_at(root: str, name: str, base: int | None, begin: float) -> bool:
    data = DataFolder(Path(root))
    lake = DeltaLake(data)
    file = a_file(data, name, 9)
    time.sleep(max(0.0, begin - time.time()))
    try:
        committed(lake, [file], base, append=True, run=name)
    except CommitConflict:
        return False
    return True


@pytest.mark.parametrize("base", [None, 0])
def test_of_two_processes_that_commit_on_the_same_base_exactly_one_wins(
    data: DataFolder, lake: DeltaLake, base: int | None
) -> None:
    if base == 0:
        committed(lake, [a_file(data, "first", 1)], None)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(_commit_at, [(str(data.root / f"warm{n}"), "w", None, 0.0) for n in range(2)], 1)
        for _ in range(10):
            begin = time.time() + 0.05
            tries = [(str(data.root), f"{os.urandom(4).hex()}", base, begin) for _ in range(2)]
            won = pool.starmap(_commit_at, tries, 1)
            assert sorted(won) == [False, True]
            head = lake.head(PATH)
            assert head is not None
            assert head.metadata["run"] == tries[won.index(True)][1]
            base = head.number


def test_a_writer_killed_between_its_files_and_the_commit_leaves_the_old_version(
    data: DataFolder, lake: DeltaLake
) -> None:
    committed(lake, [a_file(data, "a", 1)], None)
    script = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from mart_platform.spec.layout import DataFolder
        from mart_platform_tests.adapters import test_lake as t

        data = DataFolder(Path({str(data.root)!r}))
        lake = t.DeltaLake(data)
        assert lake.head(t.PATH).number == 0
        t.a_file(data, "b", 2)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    killed = subprocess.run([sys.executable, "-c", script], check=False, env={**os.environ, **_path()})
    assert killed.returncode == -signal.SIGKILL
    assert (data.lake / PATH / "part-b.parquet").exists()
    assert lake.head(PATH) == Commit(0, {"run": "run-1"})
    assert numbers(data, lake.files(PATH, 0)) == [1]
    assert committed(lake, [a_file(data, "c", 3)], 0) == 1


def _path() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(sys.path)}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 5), max_size=3)), max_size=6))
def test_a_version_holds_what_was_said_whatever_came_before(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, list[int]]]
) -> None:
    data = DataFolder(tmp_path_factory.mktemp("data"))
    lake = DeltaLake(data)
    files = [a_file(data, str(number), number) for number in range(6)]
    expected: list[set[int]] = [{0}]
    base = committed(lake, files[:1], None)
    for append, chosen in steps:
        base = committed(lake, [files[n] for n in chosen], base, append=append)
        expected.append(set(chosen) | (expected[-1] if append else set()))
    for number, content in enumerate(expected):
        assert set(numbers(data, lake.files(PATH, number))) == content
