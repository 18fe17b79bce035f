"""What is asked at a door, and what is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mart_platform.ports import Result
from mart_platform.spec.budgets import Lane


@dataclass(frozen=True)
class Asked:
    """A query as it came to a door.

    ``versions`` maps marts to publications, each called by its number, ``live`` or ``shadow``, where the
    query does not say itself. ``lane`` is what is asked for; a budget may say otherwise. With ``receipt`` the
    answer carries its receipt and a digest of its rows.
    """

    text: str
    parameters: Sequence[Any] | Mapping[str, Any] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    lane: Lane | None = None
    receipt: bool = False
    door: str = "http"
    client: str = ""


@dataclass(frozen=True)
class Receipt:
    """What an answer rests on; ``mart audit replay`` gives the same rows from its ``id``.

    ``checks`` counts the verdicts on the tables that were read by outcome (``passed``, ``warned``); ``chain``
    is the hash of its entry in the audit log. ``steps`` are milliseconds, where they are known.
    """

    id: str
    at: datetime
    principal: str
    versions: Mapping[str, int]
    watermarks: Mapping[str, datetime | None]
    checks: Mapping[str, int]
    policies: str
    filtered: Sequence[str]
    masked: Mapping[str, str]
    answered_from: str
    outcome: str
    rows: int
    cpu_seconds: float
    bytes_read: int
    price: float
    currency: str
    answer: str
    chain: str
    steps: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """An answer with its receipt; ``result`` is to be closed by who has sent it."""

    result: Result
    receipt: Receipt
