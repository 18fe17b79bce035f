"""Days through dbt: microbatch models, one run a day.

python -m benchmarks.peers.dbt_player PROJECT DELIVERED CALLS DAY...
"""

import json
import sys
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path

from benchmarks.peers.playing import played


class DbtPlayer:
    """A dbt project on a DuckDB file; the products are read once, the days go through microbatches."""

    def __init__(self, project: Path, delivered: Path) -> None:
        # dbt is in an environment of its own, unknown to whoever checks these types.
        self._runner = import_module("dbt.cli.main").dbtRunner()
        self._places = ["--project-dir", str(project), "--profiles-dir", str(project)]
        self._vars = ["--vars", json.dumps({"delivered": str(delivered)})]

    def prepare(self, first: str) -> None:
        self._run("--select", "products")
        self.play(first)

    def play(self, day: str) -> None:
        after = date.fromisoformat(day) + timedelta(days=1)
        batch = ["--event-time-start", day, "--event-time-end", after.isoformat()]
        self._run("--exclude", "products", *batch)

    def nothing(self) -> None:
        self._run("--select", "tag:none_has_it")

    def _run(self, *words: str) -> None:
        result = self._runner.invoke(["--quiet", "run", *self._places, *self._vars, *words])
        if not result.success:
            raise SystemExit(f"dbt run {' '.join(words)} failed: {result.exception or result.result}")


if __name__ == "__main__":
    project, delivered, calls, *days = sys.argv[1:]
    played(DbtPlayer(Path(project), Path(delivered)), days).write(Path(calls))
