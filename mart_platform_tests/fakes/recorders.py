"""Ports that keep what they are told, to be looked at afterwards."""

from typing import Any

from mart_platform.ports import Notice


class RecordingNotifier:
    """Keeps the notices; ``refusal`` is the reason it gives for telling nobody."""

    def __init__(self, refusal: str | None = None) -> None:
        self.refusal = refusal
        self.notices: list[Notice] = []

    def notify(self, notice: Notice) -> str | None:
        self.notices.append(notice)
        return self.refusal


class RecordingTelemetry:
    """Keeps the facts, each with its kind."""

    def __init__(self) -> None:
        self.facts: list[dict[str, Any]] = []

    def record(self, kind: str, **facts: Any) -> None:
        self.facts.append({"kind": kind, **facts})


class RecordingProgress:
    """Keeps what happened as tuples: what, subject, detail."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str, str | int]] = []

    def begins(self, subject: str, verb: str) -> None:
        self.steps.append(("begins", subject, verb))

    def advances(self, subject: str, rows: int) -> None:
        self.steps.append(("advances", subject, rows))

    def ends(self, subject: str, outcome: str) -> None:
        self.steps.append(("ends", subject, outcome))
