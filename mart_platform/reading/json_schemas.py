"""JSON Schemas of all kinds of declarations, for editors."""

from typing import Any

from mart_platform.spec.access import Access
from mart_platform.spec.marts import Mart
from mart_platform.spec.metrics import Metrics
from mart_platform.spec.principals import Principals
from mart_platform.spec.runbooks import Runbook
from mart_platform.spec.settings import Settings
from mart_platform.spec.slos import Slo
from mart_platform.spec.sources import Source
from mart_platform.spec.tables import Contract
from mart_platform.spec.words import Word

KINDS: dict[str, type[Word]] = {
    "source": Source,
    "table": Contract,
    "mart": Mart,
    "metrics": Metrics,
    "access": Access,
    "slo": Slo,
    "runbook": Runbook,
    "settings": Settings,
    "principals": Principals,
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema (draft 2020-12) of each kind of declaration, by the kind's name."""
    return {
        kind: {"$schema": "https://json-schema.org/draft/2020-12/schema", **words.model_json_schema()}
        for kind, words in KINDS.items()
    }
