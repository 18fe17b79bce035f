"""Metrics: one definition of a figure, with an owner and a version."""

from pydantic import Field

from mart_platform.spec.words import Name, Word


class Metric(Word):
    """A figure: an aggregate expression over one table of the mart, and by what it may be cut."""

    title: str
    says: str
    table: Name
    expression: str
    unit: str
    dimensions: tuple[str, ...] = ()
    owner: str
    version: int = Field(default=1, ge=1)


class Metrics(Word):
    """The declaration ``metrics.yaml``."""

    metrics: dict[Name, Metric]
