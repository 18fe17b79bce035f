"""``mart maintain``, ``mart restore`` and ``mart legal-hold`` as they are called."""

from pathlib import Path

from mart_platform_tests.cli.conftest import Mart


def test_maintain_says_what_the_lake_held_and_holds(built_mart: Mart) -> None:
    ended = built_mart("maintain")
    assert ended.code == 0
    assert "The lake held" in ended.out
    assert "Done in" in ended.out


def test_maintain_gives_a_script_the_figures_of_each_table_and_in_total(built_mart: Mart) -> None:
    document = built_mart("maintain", "--json").document
    assert document["succeeded"] is True
    assert {"run", "tables", "marts", "storage", "files", "bytes", "seconds"} <= document.keys()
    assert {storage["subject"] for storage in document["storage"]} >= {"canonical", "cake"}


def test_files_that_a_killed_run_left_are_removed_but_not_by_a_dry_run(
    built_mart: Mart, tmp_path: Path
) -> None:
    some_file = next((tmp_path / "data" / "lake" / "cake").rglob("*.parquet"))
    orphan = some_file.with_name("part-orphan.parquet")
    orphan.write_bytes(b"half")
    assert "would remove 1 file" in built_mart("maintain", "--dry-run").out
    assert orphan.exists()
    assert "removed 1 file" in built_mart("maintain", "--only", "vacuum").out
    assert not orphan.exists()
    assert some_file.exists()
    assert built_mart("query", "SELECT * FROM cake.daily").code == 0


def test_growth_is_shown_day_by_day_once_it_was_measured(built_mart: Mart) -> None:
    assert "Nothing was measured yet" in built_mart("maintain", "--growth").out
    built_mart("maintain")
    assert "cake" in built_mart("maintain", "--growth").out
    assert len(built_mart("maintain", "--growth", "--json").document["storage"]) >= 3


def test_a_legal_hold_is_set_listed_and_released(built_mart: Mart) -> None:
    added = built_mart("legal-hold", "add", "case 7", "cake", "--from", "2026-01-01", "--reason", "court")
    assert added.out.strip() == "cake is held as 'case 7', 2026-01-01 to the last day."
    [hold] = built_mart("legal-hold", "list", "--json").document["holds"]
    assert (hold["name"], hold["mart"], hold["reason"]) == ("case 7", "cake", "court")
    assert "court" in built_mart("legal-hold", "list").out
    assert built_mart("legal-hold", "release", "case 7").code == 0
    assert built_mart("legal-hold", "list").out.strip() == "There is no legal hold."


def test_a_hold_on_what_there_is_not_is_refused(built_mart: Mart) -> None:
    assert "There is no mart 'cakes'" in built_mart("legal-hold", "add", "h", "cakes", "--reason", "r").err
    assert "There is no legal hold 'h'" in built_mart("legal-hold", "release", "h").err


def test_restoring_what_was_never_archived_says_where_was_looked(built_mart: Mart, tmp_path: Path) -> None:
    ended = built_mart("restore", "cake", "daily", "--from", "2026-01-01")
    assert ended.code == 1
    assert "Nothing of cake.daily is archived in" in ended.err
    assert str(tmp_path / "data" / "archive") in ended.err.replace("\n", "")
    assert "Did you mean 'cake.daily'" in built_mart("restore", "cake", "dayly").err
