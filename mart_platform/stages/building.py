"""Building: a table's rows are written beside the live ones, and committed once they are good."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mart_platform.planning.plan import Plan, PlannedModel, PlannedTable
from mart_platform.ports import EngineSession, Platform
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import DataFile


def write_candidate(
    platform: Platform, session: EngineSession, plan: Plan, table: PlannedTable
) -> tuple[DataFile, ...]:
    """Write all rows of a table as new files in its folder; nobody reads them before they are committed.

    Raises UserError naming the file of the model that fails.
    """
    if table.model is None:
        raise ValueError(f"{table.name} is landed, not built")
    columns, folder = _types(table), platform.data.lake / table.path
    if table.model.sql is None:
        file = Path(plan.root) / table.model.file
        return session.write_model(file, table.model.parameters, columns, folder)
    return _write_sql(session, table.model, table.model.sql, columns, folder)


def commit_candidate(
    platform: Platform,
    table: PlannedTable,
    files: Sequence[DataFile],
    base: int | None,
    metadata: Mapping[str, str],
) -> int:
    """Make the files the content of the table, and return the version that lists them.

    ``base`` is the version that was seen before they were written. Raises CommitConflict when the table is
    no longer there.
    """
    return platform.lake.commit(table.path, _types(table), files, base=base, append=False, metadata=metadata)


def discard(platform: Platform, files: Sequence[DataFile]) -> None:
    """Remove files that were not committed and never will be."""
    for file in files:
        platform.data.absolute(file.path).unlink(missing_ok=True)


def _write_sql(
    session: EngineSession, model: PlannedModel, sql: str, columns: Mapping[str, str], folder: Path
) -> tuple[DataFile, ...]:
    try:
        return session.write(sql, columns, folder)
    except UserError as error:
        raise UserError(f"{model.file}: {error}") from error


def _types(table: PlannedTable) -> dict[str, str]:
    return {column.name: column.type for column in table.columns}
