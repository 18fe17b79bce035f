"""Names and values as SQL spells them."""

from mart_platform.spec.checks import Scalar


def identifier(name: str) -> str:
    """Return one name as an identifier, dots and all.

    >>> identifier("sold.on")
    '"sold.on"'
    """
    return '"' + name.replace('"', '""') + '"'


def quoted(name: str) -> str:
    """Return a dotted name with each part as a quoted identifier.

    >>> quoted("sales.dim_date")
    '"sales"."dim_date"'
    """
    return ".".join(map(identifier, name.split(".")))


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
