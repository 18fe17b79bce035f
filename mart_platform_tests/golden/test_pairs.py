"""The expected sides of the golden pairs still hold."""

import shutil
from pathlib import Path

import pytest

from mart_platform_tests.golden import pairs


@pytest.mark.parametrize("folder", [pairs.SHOP, pairs.KINDS], ids=lambda path: path.parent.name)
def test_the_plan_is_the_one_that_was_reviewed(folder: Path) -> None:
    assert pairs.plan_as_text(folder) == pairs.plan_of(folder).read_text(encoding="utf-8")


@pytest.mark.parametrize("mistake", pairs.MISTAKES, ids=lambda path: path.stem)
def test_a_mistake_is_told_with_its_place_and_remedy(mistake: Path) -> None:
    _, expected = pairs.edits_and_expectation(mistake)
    assert pairs.problems_after(mistake) == expected
    assert expected


def test_the_plan_does_not_depend_on_the_order_in_which_files_were_written(tmp_path: Path) -> None:
    folder = tmp_path / "warehouse"
    for file in sorted((f for f in pairs.SHOP.rglob("*") if f.is_file()), reverse=True):
        target = folder / file.relative_to(pairs.SHOP)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    assert pairs.plan_as_text(folder) == pairs.plan_as_text(pairs.SHOP)
