"""What a step tells whoever asked for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Publication, Verdict

Outcome = Literal["landed", "built", "same rows", "checked", "moved", "skipped"]


@dataclass(frozen=True)
class TableReport:
    """How a table's step went. ``rows`` and ``bytes`` are those of the whole table as it is now."""

    table: str
    outcome: Outcome
    reason: str
    rows: int
    bytes: int
    version: str
    watermark: datetime | None
    seconds: float
    verdicts: tuple[Verdict, ...] = ()
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class MartReport:
    """How a publication went; ``published`` is false when readers had all that there is already."""

    mart: str
    published: bool
    reason: str
    live: Publication
    seconds: float


class ChecksFailed(UserError):
    """Blocking checks of a candidate failed; the table stays as it was."""

    def __init__(self, table: str, verdicts: tuple[Verdict, ...]) -> None:
        self.table, self.verdicts = table, verdicts
        failed = [verdict for verdict in verdicts if verdict.blocks]
        told = "; ".join(f"{verdict.check}: {told_of(verdict)}" for verdict in failed)
        super().__init__(
            f"{table}: {told}. The version before stays; `mart explain {table}` shows failing rows."
        )


class PublicationRefused(UserError):
    """A mart cannot be published as it is; its live version stays."""

    def __init__(self, mart: str, reasons: tuple[str, ...]) -> None:
        self.mart, self.reasons = mart, reasons
        super().__init__(f"{mart} is not published: {'; '.join(reasons)}. Its live version stays.")


def told_of(verdict: Verdict) -> str:
    """Return a verdict in a few words: count and share of the failing rows, or what was found."""
    if verdict.found:
        return verdict.found
    share = f" ({verdict.failed / verdict.tested:.2%})" if verdict.tested else ""
    return f"{verdict.failed:,} of {verdict.tested:,} rows{share}"
