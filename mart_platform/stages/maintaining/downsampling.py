"""Downsampling: rows of a coarser interval that agree in all but their measures become one, their sum."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mart_platform.planning.plan import PlannedTable
from mart_platform.planning.quoting import quoted
from mart_platform.ports import EngineSession, Platform, Relation
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import DataFile, Version
from mart_platform.spec.types import duckdb_type

_COARSE = "downsampled.rows"

Totals = Mapping[str, tuple[Any, ...]]


def downsample(
    platform: Platform, table: PlannedTable, version: Version, intervals: Collection[str]
) -> tuple[DataFile, ...]:
    """Write the rows of intervals as sums over the coarser grain, one file for each coarser interval.

    Nobody reads them yet. The partition column takes the start of the coarser interval. Raises UserError when
    a sum does not fit its column, or the totals of a coarser interval are not what they were.
    """
    sums = _Sums.of(table, version.columns)
    files = version.files_of(intervals)
    with platform.engine.session([_relation(platform, table.name, version, files)]) as session:
        before = sums.totals(session, table.name)
        into = platform.data.lake / table.path
        try:
            written = session.write(sums.selected, version.columns, into, table.interval)
        except UserError as error:
            raise UserError(f"{table.name} cannot be downsampled: {error}") from error
        try:
            session.define(_relation(platform, _COARSE, version, written))
            _refuse_other_totals(table, before, sums.totals(session, _COARSE))
        except BaseException:
            platform.lake.delete(file.path for file in written)
            raise
    return written


@dataclass(frozen=True)
class _Sums:
    """The sums of a table over a coarser grain, as SQL."""

    table: str
    columns: Mapping[str, str]
    partition: str
    measures: tuple[str, ...]
    start: str

    @classmethod
    def of(cls, table: PlannedTable, columns: Mapping[str, str]) -> "_Sums":
        if table.downsample is None or table.partition is None:
            raise ValueError(f"{table.name} is not declared to be downsampled")
        kind = "TIMESTAMP" if table.partition.grain == "hour" else "DATE"
        start = f"date_trunc('{table.downsample.grain}', ({table.interval}))::{kind}"
        return cls(table.name, columns, table.partition.column, table.downsample.sum, start)

    @property
    def selected(self) -> str:
        """The rows of the coarser intervals."""
        columns = (f"{self._value(name)} AS {quoted(name)}" for name in self.columns)
        return f"SELECT {', '.join(columns)} FROM {quoted(self.table)} GROUP BY ALL ORDER BY ALL"

    def totals(self, session: EngineSession, relation: str) -> Totals:
        """Return the sum of each measure in each coarser interval."""
        sums = ", ".join(f"sum({quoted(name)}) AS {quoted(name)}" for name in self.measures)
        sql = f"SELECT ({self.start})::VARCHAR AS part, {sums} FROM {quoted(relation)} GROUP BY ALL"
        found = (answer.values() for answer in session.rows(sql))
        return {str(part): tuple(totals) for part, *totals in found}

    def _value(self, name: str) -> str:
        if name == self.partition:
            return f"({self.start})::{duckdb_type(self.columns[name])}"
        if name in self.measures:
            return f"sum({quoted(name)})::{duckdb_type(self.columns[name])}"
        return quoted(name)


def _relation(platform: Platform, name: str, version: Version, files: Iterable[DataFile]) -> Relation:
    return Relation(name, version.columns, tuple(platform.data.absolute(file.path) for file in files))


def _refuse_other_totals(table: PlannedTable, before: Totals, after: Totals) -> None:
    for part in sorted(before.keys() | after.keys()):
        if not _same(before.get(part), after.get(part)):
            raise UserError(
                f"{table.name}: the sums of {part} would be {after.get(part)} and are {before.get(part)}. "
                "Nothing was changed; this is a mistake of the platform, or of the disk."
            )


def _same(before: tuple[Any, ...] | None, after: tuple[Any, ...] | None) -> bool:
    """Compare sums: exactly, but for floating point, whose sums depend on the order."""
    if before is None or after is None:
        return False
    return all(
        _close(one, other) if isinstance(one, float) and isinstance(other, float) else one == other
        for one, other in zip(before, after, strict=True)
    )


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9) or (math.isnan(one) and math.isnan(other))
