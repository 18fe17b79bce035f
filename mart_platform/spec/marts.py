"""A mart: who owns it, what it is for, and what is promised to those who use it."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from mart_platform.spec.words import Cadence, Duration, Name, Size, Word

Pattern = Literal["star", "wide", "aggregate", "streaming", "virtual", "federated"]
Lifecycle = Literal["development", "testing", "production", "deprecated"]


def _reachable(contact: str) -> str:
    if not (contact.startswith("https://") or ("@" in contact and "." in contact.rsplit("@", 1)[1])):
        raise ValueError(f"'{contact}' is neither an e-mail address nor an https link")
    return contact


Contact = Annotated[str, AfterValidator(_reachable)]


class Owner(Word):
    """Who decides about a mart, where to write to, and who is called when a promise breaks."""

    team: str
    contact: Contact
    on_call: str


class Retention(Word):
    """How long the intervals of a mart's incremental tables are kept, and what happens to them then.

    ``to`` is the folder that they are archived to, relative to the data folder; without it ``archive``. Time
    is that of the business clock, and an interval is due when it has ended so long ago.
    """

    keep: Duration
    then: Literal["keep", "archive", "downsample", "drop"] = "keep"
    to: str | None = None

    @model_validator(mode="after")
    def archives_to_a_folder(self) -> Self:
        """Refuse a place for rows that are not archived, and one that is no folder."""
        if self.to is not None and self.then != "archive":
            raise ValueError(f"'to' belongs to 'then: archive', not to 'then: {self.then}'")
        if self.to is not None and "://" in self.to:
            raise ValueError(
                f"'{self.to}' is no folder; mount the bucket, and name the folder under which it is mounted"
            )
        return self


class Quota(Word):
    """What all readers of the mart together may take.

    Money per day in the currency of the settings, and rows per answer; perhaps queries at once, and seconds
    and memory of each.
    """

    spend_per_day: Annotated[float, Field(gt=0)]
    rows_per_query: Annotated[int, Field(gt=0)]
    concurrency: Annotated[int, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    memory: Size | None = None


class Review(Word):
    """How often somebody looks whether the mart is still what it should be, and when that was last."""

    every: Duration
    last: date


class Question(Word):
    """A business question and the query that answers it."""

    ask: str
    sql: str


class Mart(Word):
    """A data product of one team: the declaration ``mart.yaml``."""

    mart: Name
    title: str
    purpose: str
    owner: Owner
    consumers: Annotated[tuple[str, ...], Field(min_length=1)]
    pattern: Pattern
    built_from: Literal["canonical", "sources"]
    lifecycle: Lifecycle
    cadence: Cadence
    retention: Retention
    quota: Quota
    review: Review | None = None
    questions: Annotated[tuple[Question, ...], Field(min_length=1)]
