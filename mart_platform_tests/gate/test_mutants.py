"""Mutants of the gate do not survive its tests; ``python -m mart_platform_tests.gate.mutants`` runs all."""

import subprocess
import sys

import pytest

from mart_platform_tests.gate.mutants import ABOUT, GATE, mutants


@pytest.mark.slow
def test_a_sample_of_mutants_is_killed() -> None:
    words = [
        "--sample",
        "4",
        "--seed",
        "5",
        "--module",
        "policies",
        "--module",
        "allowing",
        "--module",
        "names",
    ]
    ran = subprocess.run(
        [sys.executable, "-m", "mart_platform_tests.gate.mutants", *words],
        cwd=GATE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "4 of 4 mutants killed" in ran.stdout, ran.stdout + ran.stderr


def test_every_module_of_the_gate_has_tests_that_mutants_are_run_against() -> None:
    modules = {path.stem for path in GATE.glob("*.py")} - {"__init__", "questions", "aggregates"}
    assert modules == set(ABOUT)


def test_a_mutant_drops_the_row_filter_the_fence_and_what_is_refused() -> None:
    made = [str(mutant) for mutant in mutants(["views", "rewriting", "gate"])]
    for change in (
        "dropped: select.set('where'",
        "dropped: select.set('offset'",
        "dropped: allow(",
        "dropped: raise",
    ):
        assert any(change in each for each in made)
    allowed = [str(mutant) for mutant in mutants(["nodes", "functions"])]
    assert any("allowed: getvariable" in each for each in allowed)
    assert any("allowed: Lambda" in each for each in allowed)
