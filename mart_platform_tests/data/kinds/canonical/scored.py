"""Points ranked in their day."""

import polars as pl


def model(events: pl.LazyFrame) -> pl.LazyFrame:
    rank = pl.col("points").rank("dense", descending=True).over("day").cast(pl.Int64)
    return events.select("day", "event_id", rank=rank)
