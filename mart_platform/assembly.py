"""The one place where ports meet adapters: finds the folders, plans the warehouse, builds the Platform.

Adapters are imported when they are first asked for: a command that finds nothing to do pays for none of the
heavy libraries behind them.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from mart_platform import ports
from mart_platform.planning.plan import Plan, plan_digest
from mart_platform.reading.folder import folder_digest, read_warehouse
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import Problem, nearest
from mart_platform.spec.settings import Settings
from mart_platform.spec.warehouse import Warehouse

if TYPE_CHECKING:
    from mart_platform.adapters.clock import BusinessClock
    from mart_platform.adapters.ledger.sql_ledger import SqlLedger

BUILT_IN = Path(__file__).parent / "warehouse"


@dataclass(frozen=True)
class Places:
    """Where the warehouse folder and the data folder are, and by which URL the ledger is reached."""

    warehouse: Path
    data: Path
    ledger: str | None = None

    @classmethod
    def told_by(cls, environment: Mapping[str, str]) -> "Places":
        """Take the places from MART_WAREHOUSE, MART_DATA and MART_LEDGER; what is not said has a default."""
        return cls(
            warehouse=Path(environment.get("MART_WAREHOUSE") or BUILT_IN).absolute(),
            data=Path(environment.get("MART_DATA") or "data").absolute(),
            ledger=environment.get("MART_LEDGER") or None,
        )

    def as_environment(self) -> dict[str, str]:
        """Return the variables that tell another process the same places."""
        told = {"MART_WAREHOUSE": str(self.warehouse), "MART_DATA": str(self.data)}
        return told | ({"MART_LEDGER": self.ledger} if self.ledger else {})


def plan_of(places: Places) -> Plan:
    """Return the plan of a warehouse folder, from the cache when the folder has not changed since.

    Raises InvalidDeclarations with all that is wrong with the folder.
    """
    kept = DataFolder(places.data).cache / f"plan-{plan_digest(folder_digest(places.warehouse))}.json"
    plan = _kept_plan(kept)
    if plan and plan.root == str(places.warehouse) and all(map(_is_installed, plan.libraries())):
        return plan
    from mart_platform.planning.planner import make_plan

    warehouse = read_warehouse(places.warehouse)
    plan = make_plan(warehouse, _mistaken_options(warehouse))
    kept.parent.mkdir(parents=True, exist_ok=True)
    half_written = kept.with_suffix(f".{os.getpid()}")
    half_written.write_text(plan.model_dump_json(), encoding="utf-8")
    half_written.replace(kept)
    return plan


def _kept_plan(kept: Path) -> Plan | None:
    """Return a plan from the cache; None when there is none, or what is there cannot be read any more."""
    try:
        return Plan.model_validate_json(kept.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _mistaken_options(warehouse: Warehouse) -> Iterator[Problem]:
    """Yield what the connectors find wrong with how their sources are described."""
    from mart_platform.adapters.connectors import CONNECTORS

    for source in warehouse.sources:
        connector = CONNECTORS.get(source.spec.connector)
        if connector is None:
            found = f"there is no connector '{source.spec.connector}'."
            yield Problem(source.origin.place("connector"), found, nearest(source.spec.connector, CONNECTORS))
            continue
        for table in source.spec.tables:
            own = bool(source.spec.tables[table].options)
            place = source.origin.place("tables", table, "options") if own else source.origin.place("options")
            for sentence in connector().refused(table, source.spec.options_of(table)):
                yield Problem(place, sentence)


def _is_installed(library: str) -> bool:
    name, _, wanted = library.partition("==")
    try:
        return version(name) == wanted
    except PackageNotFoundError:
        return False


class Assembled:
    """The Platform on this machine; closes what it opened."""

    def __init__(self, places: Places, settings: Settings, progress: ports.Progress | None = None) -> None:
        self.places, self.settings = places, settings
        self.data = DataFolder(places.data)
        self._progress = progress

    @cached_property
    def ledger(self) -> ports.Ledger:
        return self._kept

    @cached_property
    def directory(self) -> ports.Directory:
        return self._kept.directory

    @cached_property
    def _kept(self) -> "SqlLedger":
        from mart_platform.adapters.ledger import open_ledger

        return open_ledger(self.places.ledger or self.data.ledger)

    @cached_property
    def audit(self) -> ports.Audit:
        from mart_platform.adapters.audit import FileAudit

        named = self.settings.serving.audit_key
        key = self.secrets.secret(named).encode() if named else None
        return FileAudit(self.data.audit, key, self.ledger)

    @cached_property
    def tokens(self) -> ports.Tokens | None:
        oidc = self.settings.serving.oidc
        if oidc is None:
            return None
        from mart_platform.adapters.tokens import JsonWebTokens

        return JsonWebTokens(oidc, self.places.warehouse)

    @cached_property
    def queries(self) -> ports.QueryEngine:
        from mart_platform.adapters.queries import DuckDBQueries

        return DuckDBQueries(self.data, self.settings.serving)

    @cached_property
    def clock(self) -> "BusinessClock":
        from mart_platform.adapters.clock import BusinessClock

        return BusinessClock(self.ledger, self.settings.business_clock)

    @cached_property
    def lake(self) -> ports.Lake:
        from mart_platform.adapters.lake import DeltaLake

        return DeltaLake(self.data)

    @cached_property
    def engine(self) -> ports.Engine:
        from mart_platform.adapters.engines import DuckDBEngine

        return DuckDBEngine(self.data, self.settings.engine)

    @cached_property
    def connectors(self) -> Mapping[str, ports.Connector]:
        from mart_platform.adapters.connectors import CONNECTORS

        return {name: connector() for name, connector in CONNECTORS.items()}

    @cached_property
    def replays(self) -> ports.Replays:
        from mart_platform.adapters.connectors.replay import SeededReplays

        return SeededReplays(self.data, self.clock, lambda: self.formats)

    @cached_property
    def formats(self) -> ports.Formats:
        from mart_platform.adapters.formats import DeliveredFormats

        return DeliveredFormats()

    @cached_property
    def contracts(self) -> ports.Contracts:
        from mart_platform.adapters.contracts import PanderaContracts

        return PanderaContracts()

    @cached_property
    def secrets(self) -> ports.Secrets:
        from mart_platform.adapters.secrets import EnvironmentSecrets

        return EnvironmentSecrets()

    @cached_property
    def notifiers(self) -> Sequence[ports.Notifier]:
        from mart_platform.adapters.notifiers import notifier

        return tuple(notifier(channel, self.secrets) for channel in self.settings.notifiers)

    @cached_property
    def telemetry(self) -> ports.Telemetry:
        from mart_platform.adapters.telemetry import JsonlTelemetry

        return JsonlTelemetry(self.data.telemetry)

    @cached_property
    def progress(self) -> ports.Progress:
        from mart_platform.adapters.progress import Silent

        return self._progress or Silent()
