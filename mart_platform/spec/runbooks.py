"""Runbooks: what to do when a promise breaks."""

from datetime import date

from mart_platform.spec.words import Name, Word


class Remediation(Word):
    """The Dagster job that mends the usual cause, and whether it may be started without a person."""

    job: Name
    automatic: bool = False


class Runbook(Word):
    """The front matter of ``runbooks/<alert>.md``."""

    alert: str
    owner: str
    remediation: Remediation | None = None
    reviewed: date
