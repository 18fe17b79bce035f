"""Checking: what a table holds and whether it keeps its promises, found out by as few scans as can be."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import duckdb

from mart_platform.planning.plan import PlannedCheck, PlannedTable
from mart_platform.planning.quoting import quoted
from mart_platform.ports import EngineSession
from mart_platform.spec.checks import NoRow
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Verdict

HIDDEN = "•••"
"""What a sample shows in the place of a sensitive value."""

_SAMPLED_ROWS = 5
_LONGEST_SHOWN = 200


@dataclass(frozen=True)
class Checked:
    """What was found: the digest of the table's rows, their number, and a verdict for each check."""

    content: str
    rows: int
    verdicts: tuple[Verdict, ...]


def check(
    session: EngineSession,
    table: PlannedTable,
    *,
    business_now: datetime,
    wall_now: datetime,
    run: str,
    also_labelled: Iterable[str] = (),
) -> Checked:
    """Judge a table in the session by all of its checks.

    One scan gives the content and answers every row check; a check on the whole table is a query of its own,
    and rows are looked for only where a check failed. ``also_labelled`` names sensitive columns of the other
    tables that the checks read. Raises UserError, naming table and check, for one that cannot be run.
    """
    judge = _Judge(session, table, {"business_now": business_now}, table.labelled.union(also_labelled))
    content, rows, failed = judge.scan()
    verdicts = []
    for planned in table.checks:
        found = ""
        if planned.measure is not None:
            failures, found = judge.measure(planned, planned.measure)
        else:
            failures = failed[planned.check.name]
        verdicts.append(
            Verdict(
                table=table.name,
                content=content,
                check=planned.check.name,
                fingerprint=planned.fingerprint,
                severity=planned.check.severity,
                passed=failures == 0,
                failed=failures,
                tested=rows,
                found=found,
                sample=judge.sample(planned) if failures else (),
                run=run,
                at=wall_now,
            )
        )
    return Checked(content, rows, tuple(verdicts))


@dataclass(frozen=True)
class _Judge:
    """Asks the session about one table."""

    session: EngineSession
    table: PlannedTable
    variables: Mapping[str, Any]
    labelled: frozenset[str]

    def scan(self) -> tuple[str, int, dict[str, int]]:
        """Return content, number of rows, and failures of each row check by its name."""
        row_checks = [planned for planned in self.table.checks if planned.predicate is not None]
        try:
            [answer] = self.session.rows(self._scan_sql(row_checks), self.variables)
        except UserError as error:
            raise self._named(error, row_checks) from error
        rows, digest, *failures = answer.values()
        names = [planned.check.name for planned in row_checks]
        return _content(digest, rows), rows, dict(zip(names, failures, strict=True))

    def measure(self, planned: PlannedCheck, sql: str) -> tuple[int, str]:
        """Return how often a check on the whole table fails, and what was found."""
        [answer] = self._asked(planned, sql)
        return int(answer["failed"]), answer["found"] or ""

    def sample(self, planned: PlannedCheck) -> tuple[dict[str, Any], ...]:
        """Return some rows that fail a check, with the sensitive values hidden."""
        if planned.sample is None:
            return ()
        rows = self._asked(planned, f"FROM (\n{planned.sample}\n) LIMIT {_SAMPLED_ROWS}")
        harmless = self._harmless(planned, rows[0] if rows else ())
        return tuple(
            {name: _shown(value) if name in harmless else HIDDEN for name, value in row.items()}
            for row in rows
        )

    def _scan_sql(self, row_checks: Sequence[PlannedCheck]) -> str:
        # The row is hashed twice: sums of single hashes of rows cancel out now and then.
        columns = ", ".join(quoted(column.name) for column in self.table.columns)
        asked = ["count(*) AS rows", f"sum(hash(hash({columns}))) AS digest"]
        for number, planned in enumerate(row_checks):
            asked.append(f"count(*) FILTER (WHERE ({planned.predicate}) IS FALSE) AS failed_{number}")
        return f"SELECT {', '.join(asked)} FROM {quoted(self.table.name)}"

    def _named(self, error: UserError, row_checks: Iterable[PlannedCheck]) -> UserError:
        """Find the check that broke the scan, by running each alone."""
        for planned in row_checks:
            try:
                self.session.rows(self._scan_sql([planned]), self.variables)
            except UserError as alone:
                return self._cannot_run(planned, alone)
        return UserError(f"{self.table.name}: its rows cannot be read: {error}")

    def _asked(self, planned: PlannedCheck, sql: str) -> list[dict[str, Any]]:
        try:
            return self.session.rows(sql, self.variables)
        except UserError as error:
            raise self._cannot_run(planned, error) from error

    def _cannot_run(self, planned: PlannedCheck, error: UserError) -> UserError:
        place = f"{self.table.file}: check '{planned.check.name}' of {self.table.name}"
        return UserError(f"{place} cannot be run: {error}")

    def _harmless(self, planned: PlannedCheck, names: Iterable[str]) -> set[str]:
        """Return the columns of a sample that may be shown.

        A query of the owner's own may give a sensitive value another name: when it mentions a labelled
        column, only what is named like a column of the table that has no label is shown.
        """
        harmless = {name for name in names if name.lower() not in self.labelled}
        if isinstance(planned.check, NoRow):
            mentioned = set(re.findall(r"\w+", planned.check.sql.lower()))
            if mentioned & self.labelled:
                harmless &= {column.name for column in self.table.columns}
        return harmless


def _content(digest: int | None, rows: int) -> str:
    """Return the content as text; another release of DuckDB may hash otherwise, so its version leads."""
    return f"duckdb-{duckdb.__version__}:{digest or 0:x}:{rows}"


def _shown(value: Any) -> Any:
    """Return a value as JSON can hold it, and no longer than one wants to read.

    >>> _shown([date(2017, 1, 2), float("nan")])
    ['2017-01-02', 'nan']
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        value = value.hex()
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _shown(item) for name, item in value.items()}
    text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
