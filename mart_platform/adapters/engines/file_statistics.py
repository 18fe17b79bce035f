"""What the columns of a Parquet file hold, from what ``COPY … RETURN_STATS`` says of it.

``columns`` maps names to declared types, ``found`` quoted names to DuckDB's facts.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from mart_platform.planning.quoting import quoted
from mart_platform.spec.types import TIMES

_LONGEST_TEXT = 64
"""Longer texts get no bounds: DuckDB shortens them in its own way, and nobody prunes by them."""
_EXACT_DIGITS = 15
"""A decimal is a JSON number, which readers may take for a double: more digits would not be exact."""


def delta_statistics(rows: int, columns: Mapping[str, str], found: Mapping[str, Mapping[str, str]]) -> str:
    """Return ``numRecords``, ``minValues``, ``maxValues`` and ``nullCount`` as JSON.

    A bound that cannot be rendered exactly is left out, which readers take for unknown.
    """
    known = {name: found[quoted(name)] for name in columns if quoted(name) in found}
    return json.dumps(
        {
            "numRecords": rows,
            "minValues": _bounds("min", columns, known),
            "maxValues": _bounds("max", columns, known),
            "nullCount": {
                name: int(facts["null_count"]) for name, facts in known.items() if "null_count" in facts
            },
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def bounds_of_time(
    columns: Mapping[str, str], found: Mapping[str, Mapping[str, str]]
) -> dict[str, tuple[str, str]]:
    """Return the smallest and the largest value of each column of a date or time, as DuckDB writes them."""
    known = {
        name: found[quoted(name)] for name, kind in columns.items() if kind in TIMES and quoted(name) in found
    }
    return {
        name: (facts["min"], facts["max"]) for name, facts in known.items() if facts.keys() >= {"min", "max"}
    }


def _bounds(
    which: str, columns: Mapping[str, str], known: Mapping[str, Mapping[str, str]]
) -> dict[str, int | float | str]:
    bounds = {}
    for name, facts in known.items():
        render = _RENDERED.get(columns[name].partition("(")[0])
        if render is None or which not in facts or facts.get("has_nan") == "true":
            continue
        if (bound := render(facts[which])) is not None:
            bounds[name] = bound
    return bounds


def _double(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _decimal(text: str) -> float | None:
    return float(text) if len(Decimal(text).as_tuple().digits) <= _EXACT_DIGITS else None


def _text(text: str) -> str | None:
    return text if len(text) <= _LONGEST_TEXT else None


def _date(text: str) -> str | None:
    return text if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None


def _timestamp(text: str) -> str | None:
    try:
        return datetime.fromisoformat(text).isoformat(timespec="microseconds")
    except ValueError:  # infinity, or a year outside of 1 to 9999
        return None


def _zoned_timestamp(text: str) -> str | None:
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


_RENDERED: dict[str, Callable[[str], Any]] = {
    "integer": int,
    "bigint": int,
    "double": _double,
    "decimal": _decimal,
    "string": _text,
    "date": _date,
    "timestamp": _timestamp,
    "timestamptz": _zoned_timestamp,
}
