"""The figures of the built-in warehouse against the truth, read as an analyst reads them."""

import csv
import json
from decimal import Decimal, InvalidOperation
from pathlib import Path

import duckdb
import pytest

from mart_platform_tests.end_to_end.conftest import mart

TRUTH = Path(__file__).parent.parent / "data" / "complete_journey"
FIGURES = sorted(path.stem for path in (TRUTH / "figures").glob("D*.sql"))


def rows_of(file: str) -> list[dict[str, str]]:
    with (TRUTH / file).open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


TOLERANCES = {row["figure"]: Decimal(row["tolerance"]) for row in rows_of("truth_definitions.csv")}
TRUE_VALUES = {
    figure: {row["key"]: row["value"] for row in rows_of("truth.csv") if row["figure"] == figure}
    for figure in TOLERANCES
}


def number(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def key_of(text: str) -> str:
    """Keys that look like numbers compare as numbers: 07 is 7."""
    found = number(text)
    return str(found.normalize()) if isinstance(found, Decimal) else found


def same(found: str, true: str, tolerance: Decimal) -> bool:
    one, other = number(found), number(true)
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return abs(one - other) <= tolerance
    return found[:10] == true


def test_there_are_15_figures_of_246_values() -> None:
    assert sorted(TOLERANCES) == FIGURES
    assert sum(len(values) for values in TRUE_VALUES.values()) == 246


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_of_the_live_marts_equals_the_truth(built_data: Path, figure: str) -> None:
    file = TRUTH / "figures" / f"{figure}.sql"
    answer = mart("query", "--file", str(file), "--format", "csv", data=built_data)
    assert answer.returncode == 0, answer.stderr
    found = {key_of(row["key"]): row["value"] for row in csv.DictReader(answer.stdout.splitlines())}
    true = {key_of(key): value for key, value in TRUE_VALUES[figure].items()}
    assert found.keys() == true.keys()
    wrong = {k: (found[k], true[k]) for k in true if not same(found[k], true[k], TOLERANCES[figure])}
    assert not wrong


@pytest.mark.parametrize("figure", ["D02", "D05", "D06"])
def test_a_figure_comes_out_of_the_published_database_with_nothing_but_duckdb(
    built_data: Path, tmp_path: Path, figure: str
) -> None:
    sql = (TRUTH / "figures" / f"{figure}.sql").read_text(encoding="utf-8")
    database = built_data / "published" / "sales" / "current" / "sales.duckdb"
    with duckdb.connect(str(database), read_only=True) as connection:
        found = {key_of(str(key)): str(value) for key, value in connection.execute(sql).fetchall()}
    true = {key_of(key): value for key, value in TRUE_VALUES[figure].items()}
    assert all(same(found[key], true[key], TOLERANCES[figure]) for key in true)


def test_a_second_build_finds_nothing_to_do(built_data: Path) -> None:
    again = mart("build", "--json", data=built_data)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["tables"] == []


def test_the_first_build_ends_with_answers_and_what_to_do_next(built_data: Path) -> None:
    told = (built_data / "first_build.txt").read_text()
    marts = ("sales", "marketing", "finance", "data_analyst", "customer_360")
    for name in (*marts, "make ui", "mart query", "published"):
        assert name in told


def test_the_readme_of_each_mart_says_what_its_folder_says(built_data: Path) -> None:
    checked = mart("readme", "--check", data=built_data)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for folder in (Path(__file__).parents[2] / "mart_platform" / "warehouse" / "marts").iterdir():
        assert (folder / "README.md").exists()
