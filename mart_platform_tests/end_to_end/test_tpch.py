"""TPC-H: 22 queries over landed tables against the official answers, and the benchmark that builds a mart."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mart_platform.assembly import Assembled, Places, plan_of
from mart_platform.runs.querying import query
from mart_platform_tests.end_to_end.conftest import mart

TPCH = Path(__file__).parent.parent / "data" / "tpch"
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
QUERIES = sorted(path.stem for path in (TPCH / "queries").glob("q*.sql"))
TIED = {"q03", "q10", "q11", "q18"}
"""Queries whose ORDER BY may leave rows in any order."""

ROUNDED = Decimal("0.005") + Decimal("0.000001")
"""How far a value may be from an answer that was rounded to cents; averages are binary floating point."""

Row = Sequence[Any]


@pytest.fixture(scope="module")
def generator() -> str:
    """The program that writes TPC-H data."""
    found = shutil.which("tpchgen-cli", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        pytest.skip("tpchgen-cli, which writes the data, is not installed (extra 'bench')")
    return found


@pytest.fixture(scope="module")
def warehouse(generator: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The declarations of the benchmark with the files of scale factor 1 beside them."""
    folder = tmp_path_factory.mktemp("tpch") / "warehouse"
    shutil.copytree(BENCHMARKS / "tpch" / "warehouse", folder)
    subprocess.run([generator, "parquet", "-s", "1", "-o", folder / "delivered", "--quiet"], check=True)
    yield folder
    shutil.rmtree(folder.parent)


@pytest.mark.slow
def test_the_22_queries_over_landed_tables_give_the_official_answers(
    warehouse: Path, subtests: pytest.Subtests
) -> None:
    places = Places(warehouse, warehouse.parent / "data")
    plan = plan_of(places)
    tables = [table.name for table in plan.landed()]
    landed = mart("build", *tables, data=places.data, MART_WAREHOUSE=str(warehouse))
    assert landed.returncode == 0, landed.stdout + landed.stderr
    platform = Assembled(places, plan.settings)
    for name in QUERIES:
        with subtests.test(query=name):
            sql = (TPCH / "queries" / f"{name}.sql").read_text(encoding="utf-8")
            assert_same(query(platform, plan, sql).rows(), answer(name), tied=name in TIED)


@pytest.mark.slow
def test_the_benchmark_measures_a_platform_and_a_bare_script_that_write_the_same_rows(
    generator: str, tmp_path: Path
) -> None:
    words = ["--sf", "0.01", "--rounds", "1", "--scratch", str(tmp_path)]
    ran = subprocess.run(
        [sys.executable, BENCHMARKS / "build.py", *words],
        env={**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("rows, the same by both") == 3
    assert "no-op build" in ran.stdout


def test_all_22_queries_are_asked() -> None:
    assert [f"q{number:02}" for number in range(1, 23)] == QUERIES


def answer(name: str) -> Sequence[Row]:
    with (TPCH / "answers_sf1" / f"{name}.csv").open(encoding="utf-8", newline="") as text:
        return list(csv.reader(text, delimiter="|", quoting=csv.QUOTE_NONE))[1:]


def assert_same(found: Sequence[Row], expected: Sequence[Row], *, tied: bool) -> None:
    """Compare rows cell by cell; those of a tied query in the order of their texts and whole numbers."""
    assert len(found) == len(expected)
    if tied:
        exact = [at for at, value in enumerate(found[0]) if not isinstance(value, Decimal | float)]
        found = sorted(found, key=lambda row: [str(row[at]) for at in exact])
        expected = sorted(expected, key=lambda row: [str(row[at]) for at in exact])
    pairs = zip(found, expected, strict=True)
    assert [(row, true) for row, true in pairs if not all(map(same, row, true))] == []


def same(value: Any, true: str) -> bool:
    if isinstance(value, Decimal | float):
        return abs(Decimal(value) - Decimal(true)) <= ROUNDED
    return (value.isoformat() if isinstance(value, date) else str(value)) == true
