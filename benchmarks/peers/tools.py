"""The compared tools: how each plays days in one process, and a day by its own command line."""

import json
import shutil
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Protocol

import duckdb

from benchmarks.driving import Driven
from benchmarks.measuring import Cost, cost_of
from benchmarks.peers.playing import Calls
from mart_platform.assembly import Places
from mart_platform.runs.publishing import versions_of

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TABLES = ("fact_sales_line", "daily_store", "daily_department", "daily_hour")


class Tool(Protocol):
    """One of the compared; ``scratch`` is its folder, emptied by ``play``."""

    @property
    def name(self) -> str: ...

    def play(self, days: "list[str]") -> tuple[Cost, Calls]:
        """Play days from nothing in one process; return what it cost as a whole, and each call."""
        ...

    def day(self, day: str) -> Cost:
        """Play one more day by the command line."""
        ...

    def nothing(self) -> Cost:
        """Run the command line where there is nothing to do."""
        ...

    def digests(self) -> dict[str, tuple[int, int]]:
        """Return the number of rows of each table and a digest of them, whatever their order."""
        ...


@dataclass(frozen=True)
class Folders:
    """Where a tool works, and where the files of the days lie."""

    scratch: Path
    delivered: Path

    @property
    def project(self) -> Path:
        return self.scratch / "project"

    @property
    def database(self) -> Path:
        return self.scratch / "peer.duckdb"

    @property
    def told(self) -> tuple[str, str]:
        """The first words that each player is given."""
        return str(self.project), str(self.delivered)

    def renew(self, project: Path) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.copytree(project, self.project)

    def cost(self, *command: str, **environment: str) -> Cost:
        log = self.scratch / "output.log"
        told = {"PYTHONPATH": str(ROOT), "DO_NOT_TRACK": "1", **environment}
        return cost_of(command, log=log, environment=told)


class Dbt:
    """dbt-duckdb with microbatch models."""

    name = "dbt-duckdb"

    def __init__(self, programs: Path, folders: Folders) -> None:
        self._programs, self._folders = programs, folders

    def play(self, days: list[str]) -> tuple[Cost, Calls]:
        self._folders.renew(HERE / "dbt")
        player = [str(self._programs / "python"), "-m", "benchmarks.peers.dbt_player"]
        calls = self._folders.scratch / "calls.json"
        cost = self._cost(*player, *self._folders.told, str(calls), *days)
        return cost, Calls.read(calls)

    def day(self, day: str) -> Cost:
        after = date.fromisoformat(day) + timedelta(days=1)
        return self._run("--exclude", "products", "--event-time-start", day, "--event-time-end", f"{after}")

    def nothing(self) -> Cost:
        return self._run("--select", "tag:none_has_it")

    def digests(self) -> dict[str, tuple[int, int]]:
        return digests_in(self._folders.database, "main")

    def _run(self, *words: str) -> Cost:
        project = str(self._folders.project)
        told = json.dumps({"delivered": str(self._folders.delivered)})
        places = ["--project-dir", project, "--profiles-dir", project, "--vars", told]
        return self._cost(str(self._programs / "dbt"), "--quiet", "run", *places, *words)

    def _cost(self, *command: str) -> Cost:
        return self._folders.cost(*command, PEER_DATABASE=str(self._folders.database))


class SqlMesh:
    """SQLMesh with models that are incremental by time range."""

    name = "SQLMesh"

    def __init__(self, programs: Path, folders: Folders) -> None:
        self._programs, self._folders, self._newest = programs, folders, ""

    def play(self, days: list[str]) -> tuple[Cost, Calls]:
        self._folders.renew(HERE / "sqlmesh")
        self._newest = days[-1]
        player = [str(self._programs / "python"), "-m", "benchmarks.peers.sqlmesh_player"]
        calls = self._folders.scratch / "calls.json"
        cost = self._cost(*player, *self._folders.told, str(calls), *days)
        return cost, Calls.read(calls)

    def day(self, day: str) -> Cost:
        self._newest = day
        return self.nothing()

    def nothing(self) -> Cost:
        words = ["run", "--end", self._newest, "--ignore-cron", "--skip-janitor"]
        logs = str(self._folders.scratch / "logs")
        places = ["--paths", str(self._folders.project), "--log-file-dir", logs]
        return self._cost(str(self._programs / "sqlmesh"), *places, *words)

    def digests(self) -> dict[str, tuple[int, int]]:
        return digests_in(self._folders.database, "daily")

    def _cost(self, *command: str) -> Cost:
        delivered, database = str(self._folders.delivered), str(self._folders.database)
        return self._folders.cost(*command, PEER_DATABASE=database, PEER_DELIVERED=delivered)


class Platform:
    """This platform, with its checks, its versions and a publication each day."""

    name = "platform"

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    @property
    def _data(self) -> Path:
        return self._folders.scratch / "data"

    def play(self, days: list[str]) -> tuple[Cost, Calls]:
        self._folders.renew(HERE / "ours")
        calls = self._folders.scratch / "calls.json"
        places = [str(self._folders.project), str(self._folders.delivered), str(self._data), str(calls)]
        cost = self._folders.cost(sys.executable, "-m", "benchmarks.peers.platform_player", *places, *days)
        return cost, Calls.read(calls)

    def day(self, day: str) -> Cost:
        name = f"transactions/{day}.parquet"
        (self._folders.project / "delivered" / name).hardlink_to(self._folders.delivered / name)
        return self.nothing()

    def nothing(self) -> Cost:
        places = ["--warehouse", str(self._folders.project), "--data", str(self._data)]
        return self._folders.cost(sys.executable, "-m", "mart_platform.cli", *places, "--quiet", "build")

    def digests(self) -> dict[str, tuple[int, int]]:
        driven = Driven(Places(self._folders.project, self._data))
        live = driven.platform.ledger.live("daily")
        if live is None:
            raise SystemExit("the platform has published nothing")
        found = {}
        with duckdb.connect() as connection:
            for table, version in versions_of(driven.platform, live).items():
                files = [str(driven.platform.data.absolute(file.path)) for file in version.files]
                found[table.removeprefix("daily.")] = _digest(connection, f"read_parquet({files})")
        return {table: found[table] for table in TABLES}


def digests_in(database: Path, schema: str) -> dict[str, tuple[int, int]]:
    """Return the digests of the tables in a DuckDB file."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return {table: _digest(connection, f"{schema}.{table}") for table in TABLES}


def _digest(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[int, int]:
    answer = connection.execute(f"SELECT count(*), sum(hash(hash(rows))) FROM {relation} AS rows").fetchone()
    assert answer is not None
    return answer[0], answer[1]
