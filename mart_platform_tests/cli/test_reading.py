"""The commands that read what is there: status, explain, quarantine, query, export, check, watch, clock."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from mart_platform_tests.cli.conftest import Mart, deliver


def test_status_shows_each_mart_as_its_readers_see_it(built_mart: Mart) -> None:
    told = {status["mart"]: status for status in built_mart("status", "--json").document["marts"]}
    assert told["bread"]["live"]["number"] == 1
    assert (told["bread"]["rows"], told["bread"]["checks_passed"], told["bread"]["checks"]) == (2, 4, 4)
    assert told["bread"]["live"]["watermark"] == "2026-03-03T16:30:00Z"
    shown = built_mart("status", "bread").out
    assert "4 of 4" in shown
    assert "cake" not in shown


def test_status_of_a_source_shows_what_it_delivered(built_mart: Mart, bakery: Path) -> None:
    deliver(bakery, 2, "R7,1,rye bread,3.20,2026-03-03 18:00:00")
    [table] = built_mart("status", "till", "--json").document["sources"]
    assert (table["batches"], table["rows_read"], table["landed"]) == (1, 6, 5)
    assert (table["quarantined"], table["waiting"]) == (1, 1)
    assert "till.sales: 1 delivery to be landed" in built_mart("status", "till").out


def test_status_of_something_unknown_is_a_sentence(mart: Mart) -> None:
    ended = mart("status", "braed")
    assert ended.code == 1
    assert "Did you mean 'bread'?" in ended.err


def test_status_of_a_mart_that_was_never_built(mart: Mart) -> None:
    ended = mart("status")
    assert ended.code == 0
    assert "bread: to be built" in ended.out


def test_explain_tells_why_from_what_and_how_good(built_mart: Mart) -> None:
    told = built_mart("explain", "bread.daily").out
    for expected in (
        "marts/bread/tables/daily.sql",
        "never built before",
        "up to date: nothing that it reads has changed",
        "this version, in publication 1",
        "canonical.sale.price",
        "takings_in_range",
        "Takings. [EUR]",
    ):
        assert expected in told
    assert max(map(len, told.splitlines())) <= 100


def test_explain_says_what_a_build_now_would_do(built_mart: Mart, bakery: Path) -> None:
    deliver(bakery, 2, "R7,1,rye bread,3.20,2026-03-03 18:00:00")
    assert "canonical.sale may change" in built_mart("explain", "bread.daily").out
    assert "1 new delivery" in built_mart("explain", "till.sales").out


def test_explain_shows_the_rows_that_break_a_check(built_mart: Mart, bakery: Path) -> None:
    deliver(bakery, 2, "R6,1,rye bread,5000,2026-03-03 18:00:00")
    built_mart("build", "-q")
    told = built_mart("explain", "bread.daily").out
    assert "1 of 2 rows (50.00%)" in told
    assert "Rows that break takings_in_range" in told
    assert "5002.90" in told


def test_explain_shows_deliveries_and_readers_of_a_landed_table(built_mart: Mart) -> None:
    told = built_mart("explain", "till.sales").out
    assert "exports/sales/day_1.csv" in told
    assert "canonical.sale, bread.daily, cake.daily" in told


def test_explain_tells_everything_to_a_script(built_mart: Mart) -> None:
    told = built_mart("explain", "bread.daily", "--json").document
    assert (
        told["inputs"]["canonical.sale"]["content"] == told["status"]["build"]["consumed"]["canonical.sale"]
    )
    assert len(told["status"]["verdicts"]) == 4


def test_quarantine_shows_rows_with_every_reason(built_mart: Mart) -> None:
    told = built_mart("quarantine", "till.sales").out
    assert "exports/sales/day_1.csv, row 5" in told
    assert "receipt_matches" in told
    [row] = built_mart("quarantine", "till.sales", "--json").document
    assert (row["_row"], len(row["reasons"])) == (5, 1)


def test_quarantine_of_a_built_table_says_where_to_look(built_mart: Mart) -> None:
    ended = built_mart("quarantine", "bread.daily")
    assert ended.code == 1
    assert "till.sales" in ended.err


def test_query_prints_a_table(built_mart: Mart) -> None:
    ended = built_mart("query", "SELECT sold_on, takings FROM bread.daily ORDER BY sold_on")
    assert [line.split() for line in ended.out.splitlines()[2:]] == [
        ["2026-03-01", "6.40"],
        ["2026-03-03", "2.90"],
    ]


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_query_writes_other_forms_to_standard_output_and_to_a_file(
    built_mart: Mart, built: tuple[Path, object], tmp_path: Path, form: str
) -> None:
    sql, file = "SELECT lines FROM bread.daily ORDER BY sold_on", tmp_path / f"answer.{form}"
    assert built_mart("query", sql, "--output", str(file)).code == 0
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        "csv": pl.read_csv,
        "json": pl.read_json,
        "parquet": pl.read_parquet,
    }
    assert readers[form](file)["lines"].to_list() == [2, 1]
    if form != "parquet":
        assert built_mart("query", sql, "--format", form).out == file.read_text()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_answer_that_cannot_be_written_is_a_sentence(mart: Mart, tmp_path: Path) -> None:
    ended = mart("query", "SELECT 1 AS one", "--output", str(tmp_path / "nowhere" / "a.csv"))
    assert (ended.code, ended.err) == (
        1,
        f"{tmp_path}/nowhere/a.csv cannot be written: No such file or directory.\n",
    )


def test_query_reads_a_file_or_standard_input(
    built_mart: Mart, built: tuple[Path, object], tmp_path: Path
) -> None:
    (tmp_path / "q.sql").write_text("SELECT 40 + 2 AS answer")
    assert built_mart("query", "-f", str(tmp_path / "q.sql"), "--format", "csv").out == "answer\n42\n"


def test_query_shows_some_rows_and_says_how_many_there_are(built_mart: Mart) -> None:
    ended = built_mart("query", "SELECT * FROM range(100)", "--rows", "3")
    assert len(ended.out.splitlines()) == 5
    assert "3 of 100 rows" in ended.err


def test_query_shows_brackets_and_nothing_as_they_are(built_mart: Mart) -> None:
    told = built_mart("query", "SELECT '[red]x[/red] :smile:' AS a, NULL AS b, '' AS c").out
    assert "[red]x[/red] :smile:" in told
    assert "null" in told


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELEC 1", "does not parse near"),
        ("SELECT * FROM bread.dayly", "bread.daily"),
        ("SELECT nothing FROM bread.daily", "nothing"),
        ("DROP TABLE bread.daily", "DROP"),
    ],
)
def test_a_query_that_cannot_be_answered_is_a_sentence(built_mart: Mart, sql: str, told: str) -> None:
    ended = built_mart("query", sql)
    assert ended.code == 1
    assert told in ended.err
    assert "Traceback" not in ended.err


def test_query_before_the_first_build_says_what_to_do(mart: Mart) -> None:
    ended = mart("query", "SELECT * FROM bread.daily")
    assert ended.code == 1
    assert "mart build bread" in ended.err


def test_an_export_can_be_copied_anywhere(built_mart: Mart, tmp_path: Path) -> None:
    file = tmp_path / "bread.duckdb"
    ended = built_mart("export", "bread", str(file))
    assert ended.code == 0, ended.err
    moved = file.rename(tmp_path / "moved.duckdb")
    with duckdb.connect(str(moved), read_only=True) as connection:
        assert connection.execute("SELECT sum(lines) FROM daily").fetchall() == [(3,)]
        assert connection.execute("SELECT mart, number FROM _publication").fetchall() == [("bread", 1)]
        assert connection.execute("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchall() == [
            (0,)
        ]


def test_an_export_replaces_the_one_before_and_leaves_nothing_else(built_mart: Mart, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    file = tmp_path / "out" / "bread.duckdb"
    assert built_mart("export", "bread", str(file)).code == 0
    assert built_mart("export", "bread", str(file), "--json").document["rows"]["daily"] == 2
    assert list((tmp_path / "out").iterdir()) == [file]


def test_an_export_into_a_folder_that_is_not_there_is_a_sentence(built_mart: Mart, tmp_path: Path) -> None:
    ended = built_mart("export", "bread", str(tmp_path / "nowhere" / "bread.duckdb"))
    assert ended.code == 1
    assert "nowhere" in ended.err


def test_check_runs_all_checks_and_builds_nothing(built_mart: Mart) -> None:
    before = built_mart("explain", "bread.daily", "--json").document["status"]["history"]
    ended = built_mart("check", "bread", "--json")
    assert ended.code == 0
    assert [len(table["verdicts"]) for table in ended.document] == [4]
    assert built_mart("explain", "bread.daily", "--json").document["status"]["history"] == before


def test_check_fails_for_what_was_never_built(mart: Mart) -> None:
    ended = mart("check", "bread.daily")
    assert ended.code == 1
    assert "bread.daily was never built" in ended.out


def test_a_table_that_was_checked_is_still_built_from_newer_inputs(built_mart: Mart, bakery: Path) -> None:
    """A check judges what is there; it must not pass for a build from what its inputs hold by now."""
    deliver(bakery, 2, "R7,1,rye bread,3.20,2026-03-03 18:00:00")
    assert built_mart("build", "canonical.sale").code == 0
    assert built_mart("check", "bread.daily").code == 0
    assert "bread.daily" in built_mart("build", "--dry-run", "--json").document["tables"]


def test_a_check_that_fails_by_now_ends_with_1(built_mart: Mart, bakery: Path) -> None:
    contract = bakery / "marts" / "bread" / "tables" / "daily.yaml"
    contract.write_text(contract.read_text().replace("at_most: 1000", "at_most: 5"))
    ended = built_mart("check", "bread")
    assert ended.code == 1
    assert "takings_in_range: 1 of 2 rows (50.00%)" in ended.out


def test_watch_judges_promises_on_the_business_clock(built_mart: Mart) -> None:
    [state] = built_mart("watch", "--json").document
    assert (state["objective"], state["state"]) == ("bread-fresh", "kept")
    assert built_mart("clock", "--set", "2026-03-10").code == 0
    [state] = built_mart("watch", "--json").document
    assert state["state"] == "broken"
    assert "bread-fresh is broken since" in built_mart("status").out


def test_the_clock_ticks_on_from_the_moment_it_is_set_to(mart: Mart) -> None:
    mart("clock", "--set", "2018-01-01T12:00:00")
    assert mart("clock", "--json").document["business"].startswith("2018-01-01T12:00")
    shown = mart("clock", "--real", "--json").document
    assert shown["business"][:16] == shown["real"][:16]


def test_a_clock_takes_moments_only(mart: Mart) -> None:
    ended = mart("clock", "--set", "yesterday")
    assert ended.code == 2
    assert "write it as 2018-01-01" in ended.err
    assert mart("clock", "--set", "2018-01-01", "--real").code == 2


def test_a_pipe_asks_and_is_answered_in_bytes(bakery: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "mart_platform.cli", "--warehouse", "bakery", "query", "--format", "parquet"],
        cwd=tmp_path,
        input=b"SELECT 1 AS one",
        capture_output=True,
        check=True,
    )
    assert pl.read_parquet(ended.stdout).to_dicts() == [{"one": 1}]
