"""Values that may stand in the place of others where nobody may see them, as SQL by their type."""

from collections.abc import Mapping, Sequence

from mart_platform.planning.quoting import identifier, literal
from mart_platform.spec.access import DEFAULT_BAND, DEFAULT_PREFIX, Band, Mask, Prefix
from mart_platform.spec.types import duckdb_type

CANARY = "kanarienvogel"
"""Stands in texts that nobody may see; an answer or an error that it stands in has let one out."""

_EXACT = "1e12"
"""Up to here a band is the same whether it is reckoned in whole numbers or with a floating point."""


def altered(declared: str, draw: str) -> str:
    """Return SQL of a value of a declared type that ``draw``, an unsigned integer in SQL, chooses.

    Extremes are among them, NULL, and what casts and functions fail on.
    """
    kind = duckdb_type(declared)
    if kind.endswith("[]"):
        inner = altered(declared.strip()[5:-1], draw)
        return f"CASE {draw} % 3 WHEN 0 THEN NULL WHEN 1 THEN CAST([] AS {kind}) ELSE [{inner}] END"
    baits = _BAITS.get(declared) or _decimals(declared)
    arms = " ".join(f"WHEN {number} THEN {bait.format(draw=draw)}" for number, bait in enumerate(baits))
    return f"CAST(CASE {draw} % {len(baits)} {arms} END AS {kind})"


def altered_within(mask: Mask, column: str, declared: str, draw: str) -> str:
    """Return SQL of a value in the place of a column's own that looks the same behind a mask."""
    whole = identifier(column)
    if mask in ("clear", "hmac"):
        return whole
    other = altered(declared, draw) if mask == "redact" else _near(mask, whole, declared, draw)
    same = f"{left_by(mask, f'({other})')} IS NOT DISTINCT FROM {left_by(mask, whole)}"
    return f"CASE WHEN {same} THEN {other} ELSE {whole} END"


def left_by(mask: Mask, whole: str) -> str:
    """Return SQL of what a mask leaves of a value: it is the same for values that nobody can tell apart."""
    if mask in ("clear", "hmac"):
        return whole
    if mask == "redact":
        return "NULL"
    if mask == "year":
        return f"TRY(date_trunc('year', {whole}))"
    if width := _width(mask):
        return f"floor({whole} / {width})"
    return f"left({whole}, {_length(mask)})"


def _near(mask: Mask, whole: str, declared: str, draw: str) -> str:
    """Return SQL of a value that a mask hardly tells from another; it may do so at the edges of a type."""
    kind = duckdb_type(declared)
    if mask == "year":
        return f"TRY(CAST(date_trunc('year', {whole}) + to_days(CAST({draw} % 365 AS INTEGER)) AS {kind}))"
    if width := _width(mask):
        near = f"TRY_CAST(floor({whole} / {width}) * {width} + {draw} % {max(1, int(width))} AS {kind})"
        return f"CASE WHEN abs({whole}) < {_EXACT} THEN {near} ELSE {whole} END"
    return f"left({whole}, {_length(mask)}) || repeat({literal(CANARY)}, CAST({draw} % 3 AS INTEGER))"


def _width(mask: Mask) -> float | None:
    """Return how wide the bands of a mask are."""
    return mask.band if isinstance(mask, Band) else DEFAULT_BAND if mask == "band" else None


def _length(mask: Mask) -> int:
    """Return how many characters a mask leaves."""
    if isinstance(mask, Prefix):
        return mask.prefix
    return 1 if mask == "partial" else DEFAULT_PREFIX


_TEXTS = (
    f"'{CANARY} ' || {{draw}} % 1000",
    "''",
    "'no number'",
    "'99999999999999999999'",
    "'1e400'",
    "'2017-13-45'",
    "'([' || {draw} % 7",
    "repeat('ä', 40)",
    "'-7'",
    f"'{CANARY}'",
)
_BAITS: Mapping[str, Sequence[str]] = {
    "string": ("NULL", *_TEXTS),
    "integer": ("NULL", "0", "-1", "2147483647", "-2147483648", "{draw} % 100000", "{draw} % 50"),
    "bigint": (
        "NULL",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "{draw} % 100000",
        "{draw} % 50",
    ),
    "double": ("NULL", "0", "-1.5", "1e308", "-1e308", "'NaN'::DOUBLE", "'inf'::DOUBLE", "{draw} % 1000 / 7"),
    "date": (
        "NULL",
        "DATE '0001-01-01'",
        "DATE '9999-12-31'",
        "'infinity'::DATE",
        "DATE '2016-01-01' + CAST({draw} % 900 AS INTEGER)",
    ),
    "timestamp": (
        "NULL",
        "TIMESTAMP '0001-01-01'",
        "TIMESTAMP '9999-12-31'",
        "'infinity'::TIMESTAMP",
        "TIMESTAMP '2016-01-01' + to_seconds({draw} % 70000000)",
    ),
    "timestamptz": (
        "NULL",
        "TIMESTAMPTZ '0001-01-01'",
        "TIMESTAMPTZ '9999-12-31'",
        "TIMESTAMPTZ '2016-01-01' + to_seconds({draw} % 70000000)",
    ),
    "boolean": ("NULL", "TRUE", "FALSE"),
    "binary": ("NULL", "''::BLOB", f"'{CANARY}'::BLOB"),
}


def _decimals(declared: str) -> Sequence[str]:
    """Return what stands in a decimal column; NULL alone in one of a type that has no baits."""
    if not declared.startswith("decimal"):
        return ("NULL",)
    precision, scale = (int(digits) for digits in declared[8:-1].split(","))
    most = "9" * (precision - scale) + ("." + "9" * scale if scale else "")
    return ("NULL", "0", most, f"-{most}", f"{{draw}} % {10 ** min(4, max(precision - scale, 0))}")
