"""The SELECT that fills a table of kind upsert or scd2, over the changes that its model yields.

What is last, and what was valid when, is worked out from all changes each time: those that come late or out
of order find their place by themselves. Changes of one moment are put in order by what is in them, a deletion
last, never by when they came. A change whose key is NULL is kept in sight, so that a check can refuse it.
"""

from collections.abc import Iterable, Mapping

from mart_platform.planning.quoting import identifier
from mart_platform.spec.tables import Contract

VALID_FROM, VALID_TO = "valid_from", "valid_to"


def wrapped(sql: str, contract: Contract, columns: Mapping[str, str]) -> str:
    """Return the SELECT that the platform runs for a model; its own text, but for kind upsert and scd2.

    ``columns`` are those that the model yields, with their DuckDB types.
    """
    text = sql.strip().rstrip(";")
    if contract.kind == "upsert" and contract.order_by:
        return _last_of_each_key(text, contract, tuple(columns))
    if contract.kind == "scd2":
        return _what_was_valid_when(text, contract, tuple(columns))
    return sql


def _last_of_each_key(sql: str, contract: Contract, columns: tuple[str, ...]) -> str:
    return f"""\
WITH change AS (
{sql}
),

last_change AS (
    SELECT *
    FROM change
    QUALIFY row_number() OVER (
        PARTITION BY {_names(contract.key)}
        ORDER BY {_latest_first(contract, columns)}
    ) = 1
)

SELECT {_names(name for name in columns if name != contract.deleted)}
FROM last_change{_unless_deleted(contract)}"""


def _what_was_valid_when(sql: str, contract: Contract, columns: tuple[str, ...]) -> str:
    moment = contract.order_by or ""
    by_moment = f"PARTITION BY {_names(contract.key)} ORDER BY {identifier(moment)} NULLS FIRST"
    compared = _compared(contract, columns)
    return f"""\
WITH change AS (
{sql}
),

state AS (
    SELECT *
    FROM change
    QUALIFY row_number() OVER (
        PARTITION BY {_names((*contract.key, moment))}
        ORDER BY {_latest_first(contract, columns)}
    ) = 1
),

turn AS (
    SELECT *
    FROM state
    QUALIFY row({compared}) IS DISTINCT FROM lag(row({compared})) OVER (
        {by_moment}
    )
),

validity AS (
    SELECT *, lead({identifier(moment)}) OVER ({by_moment}) AS {VALID_TO}
    FROM turn
)

SELECT {", ".join(_valid_columns(contract, columns))}
FROM validity{_unless_deleted(contract)}"""


def _latest_first(contract: Contract, columns: Iterable[str]) -> str:
    """Return an order of changes that is total up to changes that are the same in all columns."""
    first = [name for name in (contract.order_by, contract.deleted) if name]
    ordered = dict.fromkeys((*first, *(name for name in columns if name not in contract.key)))
    return ", ".join(f"{identifier(name)} DESC NULLS LAST" for name in ordered)


def _compared(contract: Contract, columns: Iterable[str]) -> str:
    """Return what begins a new row where it differs from the change before."""
    apart = (*contract.key, contract.order_by, contract.deleted)
    tracked = contract.tracked or [name for name in columns if name not in apart]
    deleted = [f"{identifier(contract.deleted)} IS TRUE"] if contract.deleted else []
    return ", ".join([*deleted, *map(identifier, tracked)]) or "TRUE"


def _valid_columns(contract: Contract, columns: Iterable[str]) -> Iterable[str]:
    for name in columns:
        if name == contract.order_by:
            yield f"{identifier(name)} AS {VALID_FROM}"
            yield VALID_TO
        elif name != contract.deleted:
            yield identifier(name)


def _unless_deleted(contract: Contract) -> str:
    if contract.deleted is None:
        return ""
    without_key = "".join(f" OR {identifier(name)} IS NULL" for name in contract.key)
    return f"\nWHERE {identifier(contract.deleted)} IS NOT TRUE{without_key}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(identifier, names))
