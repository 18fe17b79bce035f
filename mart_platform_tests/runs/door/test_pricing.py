"""Prices: by bytes at first, by experience later."""

import pytest

from mart_platform.runs.door.pricing import Experience
from mart_platform.spec.budgets import Prices

SIZES = {"sales.basket": {"day": 100, "total": 150_000_000, "note": 10**9}}
PRICES = Prices(cpu_second=2.0, gigabyte=10.0)


def test_of_a_query_that_never_ran_the_bytes_of_its_columns_are_told() -> None:
    estimate = Experience(PRICES).estimate("f", {"sales.basket": ("total",)}, SIZES)
    assert (estimate.bytes_read, estimate.runs) == (150_000_000, 0)
    assert estimate.price == pytest.approx(2.0 * estimate.cpu_seconds + 1.5)


def test_an_estimate_follows_what_the_query_took_before() -> None:
    experience = Experience(PRICES)
    for seconds in [4.0, *[1.0] * 20]:
        experience.learn("f", seconds)
    estimate = experience.estimate("f", {}, SIZES)
    assert estimate.cpu_seconds == pytest.approx(1.0, rel=0.01)
    assert estimate.runs == 21
    assert experience.estimate("another", {}, SIZES).runs == 0
