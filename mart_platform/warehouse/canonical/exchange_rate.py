"""Euro rates of each day; Polars, because turning 41 columns into rows and looking back is clumsy in SQL."""

import polars as pl
import polars.selectors as cs


def model(rates: pl.LazyFrame, calendar: pl.LazyFrame) -> pl.LazyFrame:
    """Give each day of the calendar the last rate on or before it, unless that is older than ten days."""
    published = (
        rates.unpivot(on=cs.decimal(), index="day", variable_name="currency", value_name="units_per_euro")
        .drop_nulls("units_per_euro")
        .select(pl.col("currency").str.to_uppercase(), pl.col("day").alias("published_on"), "units_per_euro")
    )
    currencies = published.select("currency").unique()
    return (
        calendar.select(pl.col("day").alias("valid_on"))
        .join(currencies, how="cross")
        .sort("currency", "valid_on")
        .join_asof(
            published.sort("currency", "published_on"),
            left_on="valid_on",
            right_on="published_on",
            by="currency",
            strategy="backward",
            tolerance="10d",
            coalesce=False,
            check_sortedness=False,  # both are sorted by currency and day; Polars cannot see it through `by`
        )
        .drop_nulls("units_per_euro")
        .select("currency", "valid_on", "published_on", "units_per_euro")
    )
