"""Random rows as SQL: few different values, so that they meet in joins, and those that a model names."""

import datetime
import re
from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from zlib import crc32

from sqlglot import exp

from mart_platform.planning.incremental.markers import constant_dates, constant_numbers, constant_texts
from mart_platform.planning.quoting import identifier, literal
from mart_platform.spec.tables import Grain
from mart_platform.spec.types import outer_parts


class Words(Enum):
    """What texts look like: some models take only those that they can read as a number or as a date."""

    ANY = ("a", "B c", "d", "", "long enough to be cut", *"efghijklmnopq", "7")
    NUMBERS = ("1", "2", "3", "17", "20")
    DATES = ("2017-02-28", "2017-03-01", "2016-12-31", "2017-01-01")
    MOMENTS = ("2017-02-28 23:30:00", "2017-03-01 00:00:00", "2016-12-31 12:15:30", "2017-01-01 05:00:00")


_DAYS_APART: Mapping[Grain, int] = {"hour": 1, "day": 1, "week": 7, "month": 31, "year": 366}


def values(tree: exp.Query, grain: Grain, words: Words, numbers: int, *, crowded: bool) -> Iterable[str]:
    """Yield statements that set the values of random rows: dates lie in a dozen intervals of the grain.

    There are so many whole ``numbers``, and those of the model. If values are ``crowded``, there are but a
    few of each kind, so that rows meet also in a join by many columns.
    """
    days = dict.fromkeys((*_days(grain, crowded=crowded), *constant_dates(tree)))
    whole = dict.fromkeys((*range(numbers), *(() if crowded else constant_numbers(tree))))
    texts = dict.fromkeys(
        (*words.value[: 4 if crowded else None], *(constant_texts(tree) if words is Words.ANY else ()))
    )
    yield f"SET VARIABLE days = [{', '.join(literal(day.isoformat()) for day in days)}]::DATE[]"
    yield f"SET VARIABLE numbers = [{', '.join(map(str, whole))}]::BIGINT[]"
    yield f"SET VARIABLE texts = [{', '.join(map(literal, texts))}]"


def random_rows(columns: Mapping[str, str], key: Collection[str], rows: int, seed: int) -> str:
    """Return a SELECT of at most so many random rows, the same ones for the same seed.

    ``columns`` are names with DuckDB types; their ``values`` must have been set. No two rows share the
    ``key``, and none has NULL in it; one that is a single whole number counts from 0.
    """
    made = []
    for name, type_name in columns.items():
        if [*key] == [name] and type_name in ("BIGINT", "INTEGER"):
            value = f"row::{type_name}"
        elif name in key:
            value = _value(f"{seed}/{name}", type_name)
        else:
            value = (
                f"if({_number(f'{seed}/{name}/null')} % 9 > 0, {_value(f'{seed}/{name}', type_name)}, NULL)"
            )
        made.append(f"{value} AS {identifier(name)}")
    named = ", ".join(identifier(name) for name in columns if name in key)
    one_each = f" QUALIFY row_number() OVER (PARTITION BY {named} ORDER BY row) = 1" if named else ""
    return f"SELECT {', '.join(made)} FROM range({rows}) AS random(row){one_each}"


def _days(grain: Grain, *, crowded: bool) -> Iterable[datetime.date]:
    """Yield one day of each of four intervals, or two days of each of twelve."""
    first, apart = datetime.date(2017, 2, 22), _DAYS_APART[grain]
    for number in range(4 if crowded else 12):
        yield first + datetime.timedelta(number * apart)
        if not crowded:
            yield first + datetime.timedelta(number * apart + apart // 2)


def _value(seed: str, type_name: str) -> str:
    """Return SQL for a value of a type; NULL for a type of which nothing is known."""
    if type_name.endswith("[]"):
        item = type_name.removesuffix("[]")
        return f"[{_value(f'{seed}/1', item)}, {_value(f'{seed}/2', item)}]"
    if type_name.startswith("STRUCT("):
        fields = (f"{identifier(n)} := {_value(f'{seed}/{n}', kind)}" for n, kind in _fields(type_name))
        return f"struct_pack({', '.join(fields)})"
    return f"TRY_CAST({_scalar(_number(seed), type_name)} AS {type_name})"


def _scalar(number: str, type_name: str) -> str:
    if type_name in ("BIGINT", "INTEGER"):
        return _one_of("numbers", number)
    if type_name == "VARCHAR":
        return _one_of("texts", number)
    if type_name == "DATE":
        return _one_of("days", number)
    if type_name.startswith("TIMESTAMP"):
        # One in eight is midnight; the others are hardly ever the same, so that an order has no ties.
        seconds = f"if({number} // 7 % 8 = 0, 0, {number} // 1000 % 86400)"
        return f"{_one_of('days', number)} + to_seconds({seconds}::BIGINT)"
    if type_name == "BOOLEAN":
        return f"{number} % 2 = 0"
    if type_name == "BLOB":
        return f"encode({_one_of('texts', number)})"
    if type_name in ("DOUBLE", "FLOAT") or type_name.startswith("DECIMAL"):
        # Quarters add up exactly, whatever their order.
        return f"if({number} // 64 % 4 = 0, {_one_of('numbers', number)}, {number} % 36 / 4)"
    return "NULL"


def _number(seed: str) -> str:
    """Return SQL for a large random number, another one for each row."""
    # hash(row, seed) would not do: it joins two hashes by XOR, so that all columns would go together.
    return f"hash(row + {crc32(seed.encode()) << 16})"


def _one_of(values: str, number: str) -> str:
    return f"getvariable('{values}')[1 + ({number} % len(getvariable('{values}'))::UBIGINT)::BIGINT]"


def _fields(struct: str) -> Iterable[tuple[str, str]]:
    """Yield the names and types of the fields of a STRUCT."""
    for field in outer_parts(struct[len("STRUCT(") : -1]):
        if match := re.fullmatch(r'\s*(?:"((?:[^"]|"")*)"|(\S+))\s+(.+)', field):
            yield match[2] or match[1].replace('""', '"'), match[3]
