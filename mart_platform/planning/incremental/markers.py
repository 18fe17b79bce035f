"""Values that are asked for in a probe: general ones, and those about which a model says something itself."""

import datetime
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from mart_platform.planning.quoting import literal

_MOST = 12
"""Of more constants than this, or more values to probe with, the first ones are taken."""


@dataclass(frozen=True)
class Marker:
    """A value as SQL, and as DuckDB prints it in a plan."""

    sql: str
    printed: str


def markers_of(type_name: str, tree: exp.Expr) -> list[Marker] | None:
    """Return values of a type to probe a model with, the most general first; None where there are none.

    A model that names a constant may treat it in another way than all others, or have rows for it alone.
    """
    markers = _markers(type_name, tree)
    return None if markers is None else list(markers)[:_MOST]


def _markers(type_name: str, tree: exp.Expr) -> Iterable[Marker] | None:
    if type_name == "DATE":
        return [_moment(day.isoformat(), type_name) for day in _dates(tree)]
    if type_name in ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"):
        zone = "+00" if type_name != "TIMESTAMP" else ""
        times = (f"{day} {time}{zone}" for day in _dates(tree) for time in ("00:00:00", "17:41:23"))
        return [_moment(moment, type_name) for moment in times]
    if type_name in ("BIGINT", "INTEGER"):
        return [Marker(f"{number}::{type_name}", str(number)) for number in _numbers(tree)]
    if type_name == "VARCHAR":
        return [Marker(literal(text), literal(text)) for text in _texts(tree)]
    return None


def constant_texts(tree: exp.Expr) -> list[str]:
    """Return the texts that stand in a model."""
    return list(dict.fromkeys(node.name for node in tree.find_all(exp.Literal) if node.is_string))[:_MOST]


def constant_numbers(tree: exp.Expr) -> list[int]:
    """Return the whole numbers that stand in a model, as they are, negated, and the next ones."""
    literals = (node for node in tree.find_all(exp.Literal) if not isinstance(node.parent, exp.DataTypeParam))
    written = dict.fromkeys(int(node.name) for node in literals if node.is_int)
    numbers = dict.fromkeys(number for n in written for number in (n, -n, n + 1) if n < 2**31 - 1)
    return list(numbers)[:_MOST]


def constant_dates(tree: exp.Expr) -> list[datetime.date]:
    """Return the dates that stand in a model, each with the days before and after it."""
    found = dict.fromkeys(
        day for text in constant_texts(tree) for day in _date_in(text) if 1000 < day.year < 9000
    )
    return [day + datetime.timedelta(days=days) for day in found for days in (0, -1, 1)]


def _moment(text: str, type_name: str) -> Marker:
    return Marker(f"'{text}'::{type_name}", f"'{text}'::{type_name}")


def _dates(tree: exp.Expr) -> Iterable[datetime.date]:
    return dict.fromkeys([datetime.date(1997, 7, 23), datetime.date(2031, 10, 8), *constant_dates(tree)])


def _numbers(tree: exp.Expr) -> Iterable[int]:
    return dict.fromkeys([904_117_733, 17_300_419, *constant_numbers(tree)])


def _texts(tree: exp.Expr) -> Iterable[str]:
    return dict.fromkeys(["no model knows this", "nor that", *constant_texts(tree)])


def _date_in(text: str) -> Iterator[datetime.date]:
    if match := re.match(r"\d{4}-\d{2}-\d{2}", text):
        try:
            yield datetime.date.fromisoformat(match[0])
        except ValueError:
            return
