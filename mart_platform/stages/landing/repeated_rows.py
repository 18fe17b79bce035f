"""Uniqueness within one delivery: judged over the whole of it by SQL, once its rows are written."""

from collections.abc import Iterable

from mart_platform.planning.quoting import literal, quoted
from mart_platform.spec.checks import Unique
from mart_platform.spec.sources import ROW_COLUMN, SourceTable


def uniqueness_checks(contract: SourceTable, *, blocking: bool) -> list[Unique]:
    """Return the checks of uniqueness that quarantine rows, or those that only warn."""
    checks = (check for check in contract.all_checks() if isinstance(check, Unique))
    return [check for check in checks if check.blocks is blocking]


def repeated_rows(checks: Iterable[Unique], relation: str) -> str:
    """Return the query of the rows that repeat an earlier one: ``_row`` and ``reasons``, a list."""
    told = " UNION ALL ".join(_repeated(check, relation) for check in checks)
    return f"SELECT {ROW_COLUMN}, list(reason ORDER BY reason) AS reasons FROM ({told}) GROUP BY {ROW_COLUMN}"


def count_repeated(check: Unique, relation: str) -> str:
    """Return the query of the number of rows, as ``rows``, that repeat an earlier one."""
    return f"SELECT count(*) AS rows FROM ({_repeated(check, relation)})"


def _repeated(check: Unique, relation: str) -> str:
    """Rows with a NULL among the columns are not compared; the window runs over repeated values only."""
    columns = ", ".join(quoted(column) for column in check.columns)
    given = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in check.columns)
    reason = literal(
        f"{check.name}: {check.says} An earlier row of the delivery has the same {', '.join(check.columns)}."
    )
    return (
        f"SELECT {ROW_COLUMN}, {reason} AS reason FROM {relation} SEMI JOIN"
        f" (SELECT {columns} FROM {relation} WHERE {given} GROUP BY {columns} HAVING count(*) > 1)"
        f" USING ({columns})"
        f" QUALIFY row_number() OVER (PARTITION BY {columns} ORDER BY {ROW_COLUMN}) > 1"
    )
