"""Building: a table's rows are written beside the live ones."""

from collections.abc import Collection
from pathlib import Path

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.planning.quoting import literal
from mart_platform.ports import EngineSession, Platform
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import DataFile


def write_candidate(
    platform: Platform,
    session: EngineSession,
    plan: Plan,
    table: PlannedTable,
    intervals: Collection[str] | None = None,
    floor: str = "",
) -> tuple[DataFile, ...]:
    """Write the rows of a table as new files in its folder; nobody reads them before they are committed.

    ``intervals`` are the keys of those that are written, None for all that are not before ``floor``. Raises
    UserError naming the file of the model that fails.
    """
    if table.model is None:
        raise ValueError(f"{table.name} is landed, not built")
    folder = platform.data.lake / table.path
    if table.model.sql is None:
        file = Path(plan.root) / table.model.file
        return session.write_model(file, table.model.parameters, table.types, folder, table.interval)
    sql = _only(table, table.model.sql, intervals, floor)
    try:
        return session.write(sql, table.types, folder, table.interval)
    except UserError as error:
        raise UserError(f"{table.model.file}: {error}") from error


def _only(table: PlannedTable, sql: str, intervals: Collection[str] | None, floor: str) -> str:
    """Return the model's SELECT without the rows of other intervals.

    Its inputs are restricted as far as is proved to be safe; what is not leads to rows of others too.
    """
    if intervals is not None:
        wanted = ", ".join(literal(key) for key in sorted(intervals)) or "NULL"
        return f"SELECT * FROM (\n{sql}\n) WHERE ({table.interval}) IN ({wanted})"
    if floor:
        return f"SELECT * FROM (\n{sql}\n) WHERE ({table.interval}) >= {literal(floor)}"
    return sql
