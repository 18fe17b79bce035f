"""Settings of a warehouse folder: ``settings.yaml``, which may be left out."""

from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, Field

from mart_platform.spec.words import Cadence, Duration, Word


def _known_zone(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"'{zone}' is not a time zone; use a name such as Europe/Berlin") from error
    return zone


Zone = Annotated[str, AfterValidator(_known_zone)]


class EngineSettings(Word):
    """What one build step may take of the machine; memory as DuckDB writes it."""

    memory: Annotated[str, Field(pattern=r"^[1-9][0-9]*(MB|GB)$")] = "2GB"
    threads: Annotated[int, Field(ge=1)] | None = None


Bytes = Annotated[str, Field(pattern=r"^[1-9][0-9]*(kB|MB|GB)$")]


def bytes_of(size: str) -> int:
    """Return a size in bytes.

    >>> bytes_of("16MB")
    16000000
    """
    return int(size[:-2]) * {"kB": 10**3, "MB": 10**6, "GB": 10**9}[size[-2:]]


class CompactionSettings(Word):
    """When files are joined: where a landed table has more than ``files`` of less than ``below`` each.

    ``rewrite`` is how much one run may write anew, where it saves most.
    """

    files: Annotated[int, Field(ge=1)] = 20
    below: Bytes = "16MB"
    rewrite: Bytes = "10GB"


class MaintenanceSettings(Word):
    """When the lake is cleaned, how small files are joined, and how long what was replaced is kept.

    Of each mart the newest ``keep_publications`` are kept, and all that were live within ``keep_for``. Run
    logs, telemetry and what the ledger knows of old runs are kept for ``keep_logs``.
    """

    at: Cadence = "30 3 * * *"
    compact: CompactionSettings = CompactionSettings()
    keep_publications: Annotated[int, Field(ge=1)] = 3
    keep_for: Duration = "7d"
    keep_logs: Duration = "30d"


class NotifierSettings(Word):
    """A channel for alerts; secrets in ``options`` are named as ``secret:NAME``, never written out."""

    channel: str
    options: dict[str, Any] = {}


class Settings(Word):
    """Zone of the cadences, currency of the quotas, business clock, limits of the engine, maintenance.

    ``platform_team`` owns what no mart and no source owns: the canonical tables.
    """

    platform_team: str = "data-platform"
    zone: Zone = "UTC"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    business_clock: AwareDatetime | None = None
    engine: EngineSettings = EngineSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    notifiers: tuple[NotifierSettings, ...] = (NotifierSettings(channel="log"),)
