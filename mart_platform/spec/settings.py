"""Settings of a warehouse folder: ``settings.yaml``, which may be left out."""

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, Field

from mart_platform.spec.budgets import Budget, Prices
from mart_platform.spec.words import Cadence, Duration, Size, Word


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


class CompactionSettings(Word):
    """When files are joined: where a landed table has more than ``files`` of less than ``below`` each.

    ``rewrite`` is how much one run may write anew, where it saves most.
    """

    files: Annotated[int, Field(ge=1)] = 20
    below: Size = "16MB"
    rewrite: Size = "10GB"


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


class Tls(Word):
    """Certificate chain and key of the door, as PEM files; relative to the warehouse folder."""

    certificate: str
    key: str


class Oidc(Word):
    """Whose JSON Web Tokens the door takes, and what they say.

    ``keys`` is a JWK set: a file relative to the warehouse folder, or an https address that is read when the
    door starts and when a token names an unknown key. ``principal`` names the claim that holds the principal.
    """

    issuer: str
    audience: str
    keys: str
    principal: str = "sub"
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA"], ...] = ("RS256", "ES256")


class AuditSettings(Word):
    """How long the audit log is kept."""

    keep_for: Duration = "2y"


class ServingSettings(Word):
    """How the door answers: address, encryption, who is trusted, what a query costs and may take.

    ``in_memory`` is up to which size a table is held in memory instead of read from Parquet; ``workers`` is
    how many ad-hoc queries run at once, each in a process of its own; ``cache`` is what kept answers take;
    ``each`` holds for every principal that nothing else limits more. ``mask_key`` and ``audit_key`` name
    secrets: the key of the masks of kind hmac, and, where it is said, the one that seals the audit log.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8800
    tls: Tls | None = None
    oidc: Oidc | None = None
    encrypted_data: bool = False
    in_memory: Size = "64MB"
    memory: Size = "1GB"
    workers: Annotated[int, Field(ge=1)] = 2
    worker_memory: Size = "1GB"
    cache: Size = "128MB"
    prices: Prices = Prices()
    each: Budget = Budget(lane="ad-hoc", concurrency=4, seconds=60, rows=5_000_000)
    mask_key: str = "mask_key"
    audit_key: str | None = None
    audit: AuditSettings = AuditSettings()


class Settings(Word):
    """Zone of the cadences, currency of the quotas, business clock, limits of the engine, maintenance, door.

    ``platform_team`` owns what no mart and no source owns: the canonical tables.
    """

    platform_team: str = "data-platform"
    zone: Zone = "UTC"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    business_clock: AwareDatetime | None = None
    engine: EngineSettings = EngineSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    serving: ServingSettings = ServingSettings()
    notifiers: tuple[NotifierSettings, ...] = (NotifierSettings(channel="log"),)
