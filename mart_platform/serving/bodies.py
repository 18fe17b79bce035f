"""What goes over the wire as JSON; the OpenAPI document is made of these."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mart_platform.runs.door.asking import Asked
from mart_platform.spec.budgets import Lane

LONGEST_QUERY = 200_000
"""Characters of a query."""
Scalar = bool | int | float | str | None
Called = Annotated[str, BeforeValidator(lambda said: str(said) if isinstance(said, int) else said)]
"""A publication as it is called: its number, ``live`` or ``shadow``."""


class Body(BaseModel):
    """A JSON document."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class QueryBody(Body):
    """A query. ``parameters`` stand for ``?`` (a list) or ``$name`` (an object)."""

    sql: Annotated[str, Field(min_length=1, max_length=LONGEST_QUERY)]
    parameters: Annotated[list[Scalar], Field(max_length=1000)] | dict[str, Scalar] = []
    versions: Annotated[dict[str, Called], Field(max_length=100)] = {}
    lane: Lane | None = None
    receipt: bool = False

    def asked(self, client: str) -> Asked:
        """Return the query as the door takes it."""
        return Asked(
            text=self.sql,
            parameters=self.parameters,
            versions=self.versions,
            lane=self.lane,
            receipt=self.receipt,
            client=client,
        )


class AnsweredColumn(Body):
    """A column of an answer, with its DuckDB type."""

    name: str
    type: str


class AnswerBody(Body):
    """An answer as JSON. Decimals with digits after the point are texts, moments are ISO 8601."""

    columns: tuple[AnsweredColumn, ...]
    rows: tuple[tuple[Any, ...], ...]


class ErrorBody(Body):
    """Why there is no answer: ``code`` for programs, ``message`` and ``remedy`` for people."""

    code: str
    message: str
    remedy: str = ""


class EstimateBody(Body):
    """What a query will cost. ``runs`` counts the earlier runs that this was learned from."""

    cpu_seconds: float
    bytes_read: int
    price: float
    currency: str
    runs: int = 0


class ReceiptBody(Body):
    """What an answer rests on; `mart audit replay ID` gives the same rows."""

    id: str
    at: datetime
    principal: str
    versions: Mapping[str, int]
    watermarks: Mapping[str, datetime | None]
    checks: Mapping[str, int]
    policies: str
    filtered: tuple[str, ...]
    masked: Mapping[str, str]
    answered_from: str = ""
    outcome: str
    rows: int
    cpu_seconds: float
    bytes_read: int
    price: float
    currency: str
    answer: str
    chain: str
    steps: Mapping[str, float] = {}


class SessionBody(Body):
    """Who asks, and what the door knows of them."""

    principal: str
    kind: Literal["person", "service"]
    roles: tuple[str, ...]
    attributes: Mapping[str, Any]
    scope: tuple[str, ...]
    until: datetime | None
    tables: int


class HealthBody(Body):
    """Whether the server lives, and whether it answers queries."""

    live: bool = True
    ready: bool
