"""The real households whose people enrol."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

_ADULTS = {"1 Adult Kids": 1, "1 Adult No Kids": 1, "2 Adults Kids": 2, "2 Adults No Kids": 2}


@dataclass(frozen=True)
class Household:
    """What is known of a household; ``age`` (group of its head) and ``adults`` where it told them."""

    household_id: int
    first_sold_on: date
    age: str | None = None
    adults: int | None = None


def read_households(baskets: Path, demographics: Path) -> list[Household]:
    """Return the households that bought anything, by their numbers, from two Parquet files."""
    bought = pl.scan_parquet(baskets).group_by("household_id").agg(pl.col("transaction_timestamp").min())
    in_the_shops = (
        pl.col("transaction_timestamp").dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    )
    known = (
        bought.join(pl.scan_parquet(demographics), on="household_id", how="left")
        .select(
            "household_id",
            in_the_shops.dt.date(),
            "age",
            pl.col("household_comp").replace_strict(_ADULTS, default=None),
        )
        .sort("household_id")
    )
    return [Household(*row) for row in known.collect().iter_rows()]
