"""Days through SQLMesh: models that are incremental by time range, one run a day.

python -m benchmarks.peers.sqlmesh_player PROJECT DELIVERED CALLS DAY...
"""

import sys
from importlib import import_module
from pathlib import Path

from benchmarks.peers.playing import played


class SqlMeshPlayer:
    """A SQLMesh project on a DuckDB file, which holds its state as well; the products are read once."""

    def __init__(self, project: Path, delivered: Path) -> None:
        # SQLMesh is in an environment of its own, unknown to whoever checks these types.
        self._context = import_module("sqlmesh").Context(paths=str(project))
        self._products = delivered / "products.parquet"
        self._newest = ""

    def prepare(self, first: str) -> None:
        for sql in (
            "CREATE SCHEMA reference",
            f"CREATE TABLE reference.products AS FROM read_parquet('{self._products}')",
        ):
            self._context.engine_adapter.execute(sql)
        self._context.plan(skip_backfill=True, auto_apply=True, no_prompts=True)
        self.play(first)

    def play(self, day: str) -> None:
        self._newest = day
        self.nothing()

    def nothing(self) -> None:
        self._context.run(end=self._newest, ignore_cron=True, skip_janitor=True)


if __name__ == "__main__":
    project, delivered, calls, *days = sys.argv[1:]
    played(SqlMeshPlayer(Path(project), Path(delivered)), days).write(Path(calls))
