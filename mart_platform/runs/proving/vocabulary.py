"""What queries by chance are written with: pieces of SQL by the kind of what they give.

They are prone to errors on purpose: casts, divisions, bounds, regular expressions, dates.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

Kind = Literal["text", "whole", "number", "date", "moment", "truth", "small", "pattern", "part"]
"""What an expression gives. The last three are always written out: small numbers, regular expressions, parts
of a date."""


def kind_of(declared: str) -> Kind | None:
    """Return what a column of a declared type gives; None for one that only NULL tests are made of.

    >>> kind_of("decimal(10,2)")
    'number'
    """
    return "number" if declared.startswith("decimal") else _KINDS.get(declared)


_KINDS: Mapping[str, Kind] = {
    "string": "text",
    "integer": "whole",
    "bigint": "whole",
    "double": "number",
    "date": "date",
    "timestamp": "moment",
    "timestamptz": "moment",
    "boolean": "truth",
}

LITERALS: Mapping[Kind, Sequence[str]] = {
    "text": ("'a'", "''", "'1'", "'12'", "'A%'", "'2017-03-01'", "'x y'", "'-7.5'"),
    "whole": ("0", "1", "2", "7", "-3", "100", "2017", "2147483647"),
    "number": ("0.0", "1.5", "-2.25", "0.1", "1e6", "CAST(3.14 AS DECIMAL(6,2))"),
    "date": ("DATE '2017-03-01'", "DATE '2016-12-31'", "DATE '1990-06-15'"),
    "moment": ("TIMESTAMP '2017-03-01 12:30:00'", "TIMESTAMP '2016-12-31 23:59:59'"),
    "truth": ("TRUE", "FALSE"),
    "small": ("0", "1", "2", "3", "5", "-1", "9"),
    "pattern": ("'[0-9]+'", "'^a'", "'(.)(.)'", "'[aeiou]'", "'.*'", "'x?$'"),
    "part": ("'year'", "'month'", "'day'"),
}

Form = tuple[str, tuple[Kind, ...]]
"""A piece of SQL, and what its gaps take."""
FORMS: Mapping[Kind, Sequence[Form]] = {
    "text": (
        ("upper({})", ("text",)),
        ("lower({})", ("text",)),
        ("trim({})", ("text",)),
        ("reverse({})", ("text",)),
        ("left({}, {})", ("text", "small")),
        ("right({}, {})", ("text", "small")),
        ("substring({}, {}, {})", ("text", "small", "small")),
        ("replace({}, {}, {})", ("text", "text", "text")),
        ("({} || {})", ("text", "text")),
        ("regexp_replace({}, {}, 'z')", ("text", "pattern")),
        ("regexp_extract({}, {})", ("text", "pattern")),
        ("split_part({}, '-', {})", ("text", "small")),
        ("CAST({} AS VARCHAR)", ("whole",)),
        ("CAST({} AS VARCHAR)", ("date",)),
        ("CAST({} AS VARCHAR)", ("truth",)),
        ("strftime({}, '%Y-%m')", ("date",)),
        ("chr(CAST({} AS INTEGER))", ("whole",)),
        ("lpad({}, {}, '0')", ("text", "small")),
    ),
    "whole": (
        ("length({})", ("text",)),
        ("strpos({}, {})", ("text", "text")),
        ("ascii({})", ("text",)),
        ("({} + {})", ("whole", "whole")),
        ("({} - {})", ("whole", "whole")),
        ("({} * {})", ("whole", "whole")),
        ("({} % {})", ("whole", "whole")),
        ("({} // {})", ("whole", "whole")),
        ("(-{})", ("whole",)),
        ("abs({})", ("whole",)),
        ("sign({})", ("number",)),
        ("CAST({} AS INTEGER)", ("text",)),
        ("CAST({} AS BIGINT)", ("number",)),
        ("CAST({} AS TINYINT)", ("whole",)),
        ("CAST({} AS SMALLINT)", ("whole",)),
        ("TRY_CAST({} AS INTEGER)", ("text",)),
        ("year({})", ("date",)),
        ("month({})", ("moment",)),
        ("date_diff('day', {}, {})", ("date", "date")),
        ("date_part({}, {})", ("part", "date")),
    ),
    "number": (
        ("({} + {})", ("number", "number")),
        ("({} - {})", ("number", "whole")),
        ("({} * {})", ("number", "number")),
        ("({} / {})", ("whole", "whole")),
        ("({} / {})", ("number", "number")),
        ("sqrt({})", ("number",)),
        ("ln({})", ("whole",)),
        ("exp({})", ("whole",)),
        ("power({}, {})", ("number", "small")),
        ("round({}, {})", ("number", "small")),
        ("floor({})", ("number",)),
        ("abs({})", ("number",)),
        ("CAST({} AS DOUBLE)", ("text",)),
        ("CAST({} AS DECIMAL(4,1))", ("number",)),
        ("CAST({} AS DECIMAL(9,4))", ("whole",)),
        ("CAST({} AS FLOAT)", ("number",)),
    ),
    "date": (
        ("CAST({} AS DATE)", ("text",)),
        ("CAST({} AS DATE)", ("moment",)),
        ("CAST(date_trunc({}, {}) AS DATE)", ("part", "date")),
        ("({} + CAST({} AS INTEGER))", ("date", "whole")),
        ("make_date({}, {}, {})", ("whole", "small", "small")),
        ("CAST(strptime({}, '%Y-%m-%d') AS DATE)", ("text",)),
        ("last_day({})", ("date",)),
    ),
    "moment": (
        ("CAST({} AS TIMESTAMP)", ("text",)),
        ("CAST({} AS TIMESTAMP)", ("date",)),
        ("date_trunc({}, {})", ("part", "moment")),
        ("({} + INTERVAL 1 MONTH)", ("moment",)),
        ("strptime({}, '%Y-%m-%d %H:%M:%S')", ("text",)),
        ("make_timestamp({}, {}, {}, {}, 0, 0.0)", ("whole", "small", "small", "small")),
    ),
    "truth": (
        ("({} = {})", ("text", "text")),
        ("({} < {})", ("whole", "whole")),
        ("({} >= {})", ("number", "number")),
        ("({} <> {})", ("whole", "number")),
        ("({} <= {})", ("date", "date")),
        ("({} > {})", ("moment", "date")),
        ("({} IS NULL)", ("text",)),
        ("({} IS NOT NULL)", ("number",)),
        ("({} BETWEEN {} AND {})", ("whole", "whole", "whole")),
        ("({} IN ({}, {}))", ("whole", "whole", "whole")),
        ("({} LIKE {})", ("text", "text")),
        ("({} ILIKE {})", ("text", "text")),
        ("regexp_matches({}, {})", ("text", "pattern")),
        ("starts_with({}, {})", ("text", "text")),
        ("contains({}, {})", ("text", "text")),
        ("({} AND {})", ("truth", "truth")),
        ("({} OR {})", ("truth", "truth")),
        ("(NOT {})", ("truth",)),
        ("CAST({} AS BOOLEAN)", ("text",)),
        ("({} IS DISTINCT FROM {})", ("whole", "whole")),
    ),
}
FRAGILE: Mapping[Kind, Sequence[Form]] = {
    "text": (
        ("left({}, {})", ("text", "whole")),
        ("substring({}, {}, {})", ("text", "whole", "small")),
        ("({})[{}]", ("text", "whole")),
        ("string_split({}, ' ')[{}]", ("text", "whole")),
        ("regexp_replace({}, {}, 'z')", ("text", "text")),
        ("strftime({}, {})", ("date", "text")),
    ),
    "whole": (
        ("date_part({}, {})", ("text", "date")),
        ("hamming({}, {})", ("text", "text")),
        ("length(right({}, {}))", ("text", "whole")),
    ),
    "number": (
        ("CAST({} AS DECIMAL(4,1))", ("number",)),
        ("jaccard({}, {})", ("text", "text")),
    ),
    "date": (("CAST(to_timestamp({}) AS DATE)", ("whole",)),),
    "moment": (
        ("date_trunc({}, {})", ("text", "moment")),
        ("CAST(to_timestamp({}) AS TIMESTAMP)", ("number",)),
    ),
    "truth": (
        ("regexp_matches({}, {})", ("text", "text")),
        ("(substring({}, {}, 1) > {})", ("text", "whole", "text")),
        ("(left({}, {}) <> {})", ("text", "whole", "text")),
        ("(to_timestamp({}) IS NOT NULL)", ("number",)),
    ),
}
"""What fails on some values, and what DuckDB's optimizer does not take for something that may fail."""

EITHER: Sequence[str] = ("coalesce({}, {})", "nullif({}, {})", "greatest({}, {})", "least({}, {})")
AGGREGATES: Mapping[Kind, Sequence[Form]] = {
    "text": (
        ("min({})", ("text",)),
        ("max({})", ("text",)),
        ("string_agg({0}, ',' ORDER BY {0})", ("text",)),
    ),
    "whole": (
        ("count(*)", ()),
        ("count({})", ("text",)),
        ("count(DISTINCT {})", ("text",)),
        ("count(DISTINCT {})", ("whole",)),
        ("min({})", ("whole",)),
        ("max({})", ("whole",)),
        ("count(*) FILTER (WHERE {})", ("truth",)),
    ),
    "number": (
        ("sum({})", ("number",)),
        ("sum({})", ("whole",)),
        ("avg({})", ("whole",)),
        ("median({})", ("number",)),
        ("max({})", ("number",)),
        ("sum({}) FILTER (WHERE {})", ("number", "truth")),
    ),
    "date": (("min({})", ("date",)), ("max({})", ("date",))),
    "moment": (("min({})", ("moment",)), ("max({})", ("moment",))),
    "truth": (("bool_and({})", ("truth",)), ("bool_or({})", ("truth",))),
}
WINDOWS: Sequence[tuple[Kind, Form]] = (
    ("whole", ("rank()", ())),
    ("whole", ("dense_rank()", ())),
    ("whole", ("count(*)", ())),
    ("number", ("sum({})", ("whole",))),
    ("text", ("max({})", ("text",))),
    ("whole", ("min({})", ("whole",))),
)
KIND_WEIGHTS: Mapping[Kind, int] = {"text": 5, "whole": 5, "number": 4, "date": 2, "moment": 1, "truth": 2}
