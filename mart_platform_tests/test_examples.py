"""Every example in a docstring is true."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import mart_platform

ROOT = Path(mart_platform.__file__).parent
WITH_EXAMPLES = sorted(
    ".".join(("mart_platform", *file.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for file in ROOT.rglob("*.py")
    if ">>> " in file.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_of_a_module_run_as_they_are_written(module: str) -> None:
    result = doctest.testmod(import_module(module))
    assert result.attempted
    assert not result.failed
