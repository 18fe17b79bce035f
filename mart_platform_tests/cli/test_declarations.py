"""The commands that need declarations only: validate, schema, readme, new."""

import json
from pathlib import Path

import pytest

from mart_platform_tests.cli.conftest import Mart, process


def test_validate_counts_what_is_declared(mart: Mart) -> None:
    ended = mart("validate", "--json")
    assert ended.code == 0
    assert ended.document == {
        "valid": True,
        "problems": [],
        "sources": 1,
        "tables": 4,
        "marts": 2,
        "checks": 21,
    }


def test_validate_reports_all_problems_with_their_place(mart: Mart, bakery: Path) -> None:
    (bakery / "canonical" / "sale.sql").write_text("SELECT receipt, line, prise FROM till.sales")
    (bakery / "marts" / "bread" / "mart.yaml").write_text("mart: bread\ntitle: Bread\n")
    ended = mart("validate")
    assert ended.code == 3
    assert ended.out == ""
    assert "marts/bread/mart.yaml:1: " in ended.err
    assert ended.err.splitlines()[-1].endswith(f"problems in {bakery}")


def test_validate_tells_problems_to_a_script(mart: Mart, bakery: Path) -> None:
    (bakery / "canonical" / "sale.sql").write_text("SELECT *\nFROM till.sails")
    ended = mart("validate", "--json")
    assert ended.code == 3
    [problem] = [p for p in ended.document["problems"] if "till.sails" in p["found"]]
    assert (problem["file"], problem["line"]) == ("canonical/sale.sql", 2)
    assert "till.sales" in problem["remedy"]


def test_every_command_that_plans_reports_wrong_declarations(mart: Mart, bakery: Path) -> None:
    (bakery / "canonical" / "sale.sql").write_text("SELECT FROM")
    assert mart("build").code == 3
    assert mart("status").code == 3


def test_schema_prints_one_kind(mart: Mart) -> None:
    schema = mart("schema", "mart").document
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert "owner" in schema["properties"]


def test_schema_prints_all_kinds(mart: Mart) -> None:
    assert {"source", "table", "mart", "slo"} <= mart("schema").document.keys()


def test_schema_writes_one_file_a_kind(mart: Mart, tmp_path: Path) -> None:
    ended = mart("schema", "--write", str(tmp_path / "schemas"))
    files = sorted(path.name for path in (tmp_path / "schemas").iterdir())
    assert [Path(line).name for line in sorted(ended.out.splitlines())] == files
    assert (
        json.loads((tmp_path / "schemas" / "mart.schema.json").read_text()) == mart("schema", "mart").document
    )


def test_readme_is_written_and_then_current(mart: Mart, bakery: Path) -> None:
    assert mart("readme", "--check").code == 1
    assert mart("readme").code == 0
    assert "# Bread" in (bakery / "marts" / "bread" / "README.md").read_text()
    assert mart("readme", "--check").code == 0


def test_a_readme_changes_nothing_of_the_plan(mart: Mart, tmp_path: Path) -> None:
    mart("validate")
    mart("readme")
    mart("validate")
    assert len(list((tmp_path / "data" / "cache").glob("plan-*.json"))) == 1


def test_new_writes_a_mart_that_is_valid(mart: Mart, bakery: Path) -> None:
    ended = mart(
        "new", "rye", "--from", "canonical.sale", "--owner-team", "bakers", "--contact", "a@example.com"
    )
    assert ended.code == 0, ended.err
    assert (bakery / "marts" / "rye" / "mart.yaml").is_file()
    assert (bakery / "marts" / "rye" / "README.md").is_file()
    assert "build rye" in ended.out
    assert mart("validate", "--json").document["marts"] == 3


def test_new_asks_nobody_where_nobody_sits(mart: Mart) -> None:
    assert mart("new", "rye").code == 0


@pytest.mark.parametrize(("name", "told"), [("Rye", "snake_case"), ("bread", "already"), ("till", "already")])
def test_new_refuses_a_name_that_cannot_be(mart: Mart, name: str, told: str) -> None:
    ended = mart("new", name)
    assert ended.code == 1
    assert told in ended.err


def test_init_writes_a_folder_that_is_valid_and_documented(bakery: Path, tmp_path: Path) -> None:
    ended = process("init", "mine", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "--warehouse mine build" in ended.stdout
    assert process("readme", "--check", "--warehouse", "mine", cwd=tmp_path).returncode == 0


def test_init_leaves_a_folder_alone_that_holds_anything(mart: Mart, bakery: Path) -> None:
    before = sorted(bakery.rglob("*"))
    ended = mart("init", str(bakery))
    assert (ended.code, ended.err) == (
        1,
        f"{bakery} is there already, and is not empty; name a new folder.\n",
    )
    assert sorted(bakery.rglob("*")) == before
    assert [path.name for path in bakery.parent.iterdir() if path.name.startswith(".")] == []


def test_init_fills_the_empty_folder_in_which_one_stands(tmp_path: Path) -> None:
    assert process("init", ".", cwd=tmp_path).returncode == 0
    assert process("validate", "--warehouse", ".", cwd=tmp_path).returncode == 0
