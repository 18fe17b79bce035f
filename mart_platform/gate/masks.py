"""Masks in SQL: what a role sees in the place of a value. None raises an error, NULL stays NULL."""

from functools import lru_cache

from sqlglot import exp

from mart_platform.gate.parsing import tokens_of, tree_of
from mart_platform.spec.access import Band, Mask, Prefix
from mart_platform.spec.types import TIMES, duckdb_type

INNER, OUTER = "mask_inner", "mask_outer"
"""The variables that hold the padded keys of the keyed hash."""

BLOCK = 64
"""Bytes of a block of SHA-256."""

DEFAULT_BAND, DEFAULT_PREFIX = 10.0, 2
LONGEST_PREFIX = 1_000_000


def masked(mask: Mask, column: exp.Column, declared: str) -> exp.Expr:
    """Return what shows a column of a declared type under a mask, in the same type.

    A mask that does not fit the type shows nothing.

    >>> masked("partial", exp.column("name"), "string").sql("duckdb", comments=False)
    "CASE WHEN name = '' THEN '' ELSE LEFT(name, 1) || '***' END"
    """
    if mask == "clear":
        return column
    shown = _parsed(_template(mask, declared).replace("TYPE", duckdb_type(declared))).copy()
    for place in list(shown.find_all(exp.Column)):
        place.replace(column.copy())
    return shown


def mask_variables(key: bytes) -> dict[str, bytes]:
    """Return the variables that a query with the mask ``hmac`` needs, of the secret key (RFC 2104).

    >>> sorted(mask_variables(b"key"))
    ['mask_inner', 'mask_outer']
    """
    if len(key) > BLOCK:
        raise ValueError(f"the key of the masks has {len(key)} bytes; {BLOCK} are the most")
    padded = key.ljust(BLOCK, b"\0")
    return {INNER: bytes(byte ^ 0x36 for byte in padded), OUTER: bytes(byte ^ 0x5C for byte in padded)}


def is_keyed(mask: Mask, declared: str) -> bool:
    """Return whether a mask of a column needs the key."""
    return mask == "hmac" and declared == "string"


def spoken(mask: Mask) -> str:
    """Return a mask in words, such as ``band 10``."""
    if isinstance(mask, Band):
        return f"band {mask.band:g}"
    if isinstance(mask, Prefix):
        return f"prefix {mask.prefix}"
    return mask


def _template(mask: Mask, declared: str) -> str:
    """Return the SQL of a mask over a column ``x``; ``TYPE`` stands for the column's type."""
    if declared == "string" and (text := _text(mask)):
        return text
    if declared in TIMES and mask == "year":
        # TRY: the first year there is begins before the first moment; greatest: see moments.py.
        return "try(CAST(date_trunc('year', greatest(x)) AS TYPE))"
    if (mask == "band" or isinstance(mask, Band)) and (band := _band(mask, declared)):
        return band
    return "CAST(NULL AS TYPE)"


def _text(mask: Mask) -> str | None:
    if mask == "partial":
        return "CASE WHEN x = '' THEN '' ELSE left(x, 1) || '***' END"
    if mask == "prefix" or isinstance(mask, Prefix):
        length = mask.prefix if isinstance(mask, Prefix) else DEFAULT_PREFIX
        return f"left(x, {min(length, LONGEST_PREFIX)})"
    if mask == "hmac":
        inner = f"unhex(sha256(getvariable('{INNER}') || encode(x)))"
        return f"sha256(getvariable('{OUTER}') || {inner})"
    return None


def _band(mask: Mask, declared: str) -> str | None:
    width = mask.band if isinstance(mask, Band) else DEFAULT_BAND
    if declared in ("integer", "bigint") and width.is_integer() and width < 2**53:
        whole, wide = "CAST(x AS HUGEINT)", int(width)
        return f"TRY_CAST({whole} - ({whole} % {wide} + {wide}) % {wide} AS TYPE)"
    start = f"floor(CAST(x AS DOUBLE) / {width!r}) * {width!r}"
    if declared in ("integer", "bigint"):
        return f"TRY_CAST(floor({start}) AS TYPE)"
    if declared == "double" or declared.startswith("decimal"):
        return f"TRY_CAST({start} AS TYPE)"
    return None


@lru_cache(maxsize=1024)
def _parsed(template: str) -> exp.Expr:
    sql = f"SELECT {template}"
    return tree_of(tokens_of(sql), sql).selects[0]
