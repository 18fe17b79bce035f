"""Accounts: what is written down of a query, and the receipt that its asker can have."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from mart_platform.gate.questions import Checked, Question, Refused
from mart_platform.ports import Result
from mart_platform.runs.access.callers import Caller
from mart_platform.runs.door.asking import Asked, Receipt
from mart_platform.runs.door.pricing import Estimate
from mart_platform.runs.door.published import Opened
from mart_platform.spec.budgets import Lane, Prices
from mart_platform.spec.entries import Outcome, QueryEntry, Sealed


@dataclass
class Trail:
    """What becomes known of a query on its way; ``steps`` are milliseconds."""

    caller: Caller
    asked: Asked
    at: datetime
    steps: dict[str, float] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    is_ended: bool = False

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take the time of a step, however it ends."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.steps[name] = round((time.perf_counter() - began) * 1000, 3)

    def was_parsed(self, question: Question) -> None:
        """Note which query it is."""
        self.known["fingerprint"] = question.fingerprint

    def was_checked(self, checked: Checked) -> None:
        """Note which versions are read under which policy."""
        self.known |= {
            "versions": dict(checked.versions),
            "policies": checked.policies,
            "filtered": checked.filtered,
            "masked": dict(checked.masked),
            "fenced": checked.fenced,
        }

    def was_priced(self, lane: Lane, estimate: Estimate) -> None:
        """Note how it runs, and what it will cost."""
        self.known |= {"lane": lane, "estimate": estimate.price}

    def was_answered_from(self, aggregate: str, checked: Checked) -> None:
        """Note that an aggregate was asked in the place of a table that would have cost too much."""
        self.was_checked(checked)
        self.known["answered_from"] = aggregate

    def was_answered(self, result: Result, bytes_read: int, prices: Prices) -> None:
        """Note what it took."""
        self.known |= {
            "rows": result.rows,
            "bytes": result.bytes,
            "bytes_read": bytes_read,
            "cpu_seconds": result.cpu_seconds,
            "price": prices.of(result.cpu_seconds, bytes_read),
        }

    def was_ended(self, cpu_seconds: float, prices: Prices) -> None:
        """Note what it took until it was ended without an answer."""
        self.known |= {"cpu_seconds": cpu_seconds, "price": prices.of(cpu_seconds, 0)}

    def ended(self, outcome: Outcome, refused: Refused | None = None) -> QueryEntry:
        """Return the entry of the audit log."""
        why = {"code": refused.code, "detail": refused.detail or str(refused)} if refused else {}
        self.is_ended = True
        facts = {**self.known, **why, "steps": self.steps, "outcome": outcome}
        return QueryEntry(
            id=uuid4().hex,
            at=self.at,
            principal=self.caller.principal,
            roles=self.caller.roles,
            door=self.asked.door,
            client=self.asked.client,
            text=self.asked.text,
            parameters=_as_kept(self.asked.parameters),
            asked=dict(self.asked.versions),
            **facts,
        )


def receipt_of(sealed: Sealed, entry: QueryEntry, opened: Mapping[str, Opened], currency: str) -> Receipt:
    """Return the receipt of a query, from its entry and the publications that it read."""
    checks: dict[str, int] = {"passed": 0, "warned": 0}
    for each in opened.values():
        for counts in each.checks.values():
            checks = {outcome: checks[outcome] + counts.get(outcome, 0) for outcome in checks}
    return Receipt(
        id=entry.id,
        at=entry.at,
        principal=entry.principal,
        versions=entry.versions,
        watermarks={mart: each.publication.watermark for mart, each in opened.items()},
        checks=checks,
        policies=entry.policies,
        filtered=entry.filtered,
        masked=entry.masked,
        answered_from=entry.answered_from,
        outcome=entry.outcome,
        rows=entry.rows,
        cpu_seconds=entry.cpu_seconds,
        bytes_read=entry.bytes_read,
        price=entry.price,
        currency=currency,
        answer=entry.answer,
        chain=sealed.hash,
        steps=entry.steps,
    )


def _as_kept(parameters: Any) -> Any:
    return dict(parameters) if isinstance(parameters, Mapping) else tuple(parameters)
