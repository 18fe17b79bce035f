"""Names, values and digests of rows as SQL spells them."""

from collections.abc import Iterable

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


def digest_sql(columns: Iterable[str]) -> str:
    """Return an aggregate that is the same for the same rows, whatever their order.

    Figures that are compared must all come from here. No column stands for rows that are all alike.

    >>> digest_sql(["day", "amount"])
    'sum(hash(hash("day", "amount")))'
    """
    # The row is hashed twice: sums of single hashes of rows cancel out now and then.
    return f"sum(hash(hash({', '.join(map(identifier, columns)) or '1'})))"
