"""Names and values as SQL spells them."""

from mart_platform.spec.checks import Scalar


def quoted(name: str) -> str:
    """Return a dotted name with each part as a quoted identifier.

    >>> quoted("sales.dim_date")
    '"sales"."dim_date"'
    """
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def literal(value: Scalar) -> str:
    """Return a value as an SQL literal.

    >>> literal("it's")
    "'it''s'"
    """
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + value.replace("'", "''") + "'"
