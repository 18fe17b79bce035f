"""Settings of a warehouse folder: ``settings.yaml``, which may be left out."""

from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, Field

from mart_platform.spec.words import Word


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


class NotifierSettings(Word):
    """A channel for alerts; secrets in ``options`` are named as ``secret:NAME``, never written out."""

    channel: str
    options: dict[str, Any] = {}


class Settings(Word):
    """Zone of the cadences, currency of the quotas, business clock, limits of the engine.

    ``platform_team`` owns what no mart and no source owns: the canonical tables.
    """

    platform_team: str = "data-platform"
    zone: Zone = "UTC"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    business_clock: AwareDatetime | None = None
    engine: EngineSettings = EngineSettings()
    notifiers: tuple[NotifierSettings, ...] = (NotifierSettings(channel="log"),)
