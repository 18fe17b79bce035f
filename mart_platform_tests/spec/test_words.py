from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from mart_platform.spec.words import Cadence, ColumnRef, Duration, Name, TableName, timedelta_of


@pytest.mark.parametrize(
    ("word", "text"),
    [
        (Name, "sales_line"),
        (TableName, "canonical.sales_line"),
        (ColumnRef, "sales.dim_store.store_key"),
        (Duration, "6mo"),
        (Cadence, "30 4 * * *"),
        (Cadence, "*/15 8-18 1,15 jan-jun mon-fri/2"),
        (Cadence, "every 5m"),
        (Cadence, "stream"),
    ],
)
def test_what_is_spelled_well_is_taken(word: Any, text: str) -> None:
    assert TypeAdapter(word).validate_python(text) == text


@pytest.mark.parametrize(
    ("word", "text", "form"),
    [
        (Name, "SalesLine", "a name in snake_case"),
        (Cadence, "99 4 * * *", "a cadence"),
        (Cadence, "0 4 * *", "a cadence"),
        (Cadence, "at four in the morning", "a cadence"),
        (Name, "1st", "a name in snake_case"),
        (Name, "sales_line\n", "a name in snake_case"),
        (TableName, "sales_line", "a table name"),
        (ColumnRef, "sales.store_key", "a column of a table"),
        (Duration, "0d", "a duration, such as 15m 2h 3d 4w 6mo 3y"),
        (Duration, "1.5h", "a duration"),
        (Cadence, "daily", "a cadence"),
        (Cadence, "* * * *", "a cadence"),
    ],
)
def test_what_is_not_is_answered_with_its_form(word: Any, text: str, form: str) -> None:
    with pytest.raises(ValidationError, match=f"is not {form}"):
        TypeAdapter(word).validate_python(text)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("3d", timedelta(days=3)),
        ("4w", timedelta(days=28)),
        ("6mo", timedelta(days=180)),
        ("3y", timedelta(days=1095)),
    ],
)
def test_a_duration_has_a_length(text: str, length: timedelta) -> None:
    assert timedelta_of(text) == length


@pytest.mark.parametrize("text", ["15", "15s"])
def test_a_duration_without_a_unit_that_there_is_has_none(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is not a duration"):
        timedelta_of(text)
