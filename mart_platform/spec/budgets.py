"""Budgets: what those who ask may take of the machine, and spend."""

from typing import Annotated, Literal

from pydantic import Field

from mart_platform.spec.words import Size, Word

Lane = Literal["dashboard", "ad-hoc"]


class Budget(Word):
    """Limits of the queries of a principal, a role or a mart; what is not said is not limited by it.

    ``concurrency`` counts queries that run at once, ``seconds`` is how long one may run, ``memory`` what it
    may hold, ``rows`` how many it may answer with, ``spend_per_day`` is money in the currency of the settings
    and per principal. ``lane`` says for which kind of work its holder asks.
    """

    lane: Lane | None = None
    concurrency: Annotated[int, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    memory: Size | None = None
    rows: Annotated[int, Field(ge=1)] | None = None
    spend_per_day: Annotated[float, Field(gt=0)] | None = None


class Prices(Word):
    """What a query costs, in the currency of the settings: for CPU, and for bytes read from Parquet."""

    cpu_second: Annotated[float, Field(ge=0)] = 0.00002
    gigabyte: Annotated[float, Field(ge=0)] = 0.0005

    def of(self, cpu_seconds: float, bytes_read: int) -> float:
        """Return the price of a query.

        >>> Prices(cpu_second=0.5, gigabyte=2.0).of(3.0, 500_000_000)
        2.5
        """
        return self.cpu_second * cpu_seconds + self.gigabyte * bytes_read / 1e9
