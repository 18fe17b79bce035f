"""Some of the kills of ``python -m mart_platform_tests.crash``; all of them are a matter of minutes."""

import subprocess
import sys

import pytest

JOBS = {"build": 20, "backfill": 25, "compaction": 7, "vacuum": 12}
"""At every how-many-eth boundary each job is killed here."""


@pytest.mark.parametrize("job", JOBS)
def test_a_job_that_is_killed_ends_as_if_it_had_not_been(job: str) -> None:
    command = [sys.executable, "-m", "mart_platform_tests.crash", "--job", job]
    killed = subprocess.run(
        [*command, "--every", str(JOBS[job]), "--random", "1"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert killed.returncode == 0, killed.stderr
    assert f"{job}: killed" in killed.stdout
    assert " 0 wrong" in killed.stdout
