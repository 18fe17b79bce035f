"""Checking: what a table holds and whether it keeps its promises, found out by as few scans as can be."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import duckdb

from mart_platform.planning.plan import CHANGED_ROWS, PlannedCheck, PlannedTable
from mart_platform.planning.quoting import digest_sql, literal, quoted
from mart_platform.ports import EngineSession
from mart_platform.spec.checks import NoRow
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import ALL, Interval, Verdict, content_of

HIDDEN = "•••"
"""What a sample shows in the place of a sensitive value."""

_SAMPLED_ROWS = 5
_LONGEST_SHOWN = 200


@dataclass(frozen=True)
class Checked:
    """What was found: the table's intervals with their digests, and a verdict for each check."""

    intervals: dict[str, Interval]
    verdicts: tuple[Verdict, ...]

    @property
    def content(self) -> str:
        return content_of(self.intervals)


@dataclass(frozen=True)
class Standing:
    """What is known of the intervals that did not change: every row check was run on them before.

    ``passed`` names the checks that passed on the table as it was, held against the same other tables.
    """

    intervals: Mapping[str, Interval]
    passed: frozenset[str]


def check(
    session: EngineSession,
    table: PlannedTable,
    *,
    business_now: datetime,
    wall_now: datetime,
    run: str,
    also_labelled: Iterable[str] = (),
    standing: Standing | None = None,
    partial: bool = False,
) -> Checked:
    """Judge a table in the session by all of its checks.

    One scan gives the contents and answers every row check; a check on the whole table is a query of its own,
    and rows are looked for only where a check failed. With ``standing`` only CHANGED_ROWS are scanned, and
    checks that passed before look for failures there alone where they can. Of a ``partial`` table, which
    still lacks intervals, only those are judged that hold for any part of it. ``also_labelled`` names
    sensitive columns of the other tables that the checks read. Raises UserError, naming table and check, for
    one that cannot be run.
    """
    judge = _Judge(session, table, {"business_now": business_now}, table.labelled.union(also_labelled))
    if standing is None:
        intervals = judge.scan(table.name)
    else:
        intervals = {**standing.intervals, **judge.scan(CHANGED_ROWS)}
    content, rows = content_of(intervals), sum(interval.rows for interval in intervals.values())
    verdicts = []
    for planned in table.checks:
        found = ""
        if partial and planned.measure and not planned.narrow:
            continue
        if planned.measure is None:
            failures = sum(interval.failed.get(planned.fingerprint, 0) for interval in intervals.values())
        elif standing and planned.narrow and planned.check.name in standing.passed:
            failures, found = judge.measure(planned, planned.narrow)
        else:
            failures, found = judge.measure(planned, planned.measure)
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
    return Checked(intervals, tuple(verdicts))


@dataclass(frozen=True)
class _Judge:
    """Asks the session about one table."""

    session: EngineSession
    table: PlannedTable
    variables: Mapping[str, Any]
    labelled: frozenset[str]

    def scan(self, relation: str) -> dict[str, Interval]:
        """Return the intervals of a relation: digest, number of rows, and failures of each row check."""
        row_checks = [planned for planned in self.table.checks if planned.predicate is not None]
        try:
            answers = self.session.rows(self._scan_sql(row_checks, relation), self.variables)
        except UserError as error:
            raise self._named(error, row_checks) from error
        fingerprints = [planned.fingerprint for planned in row_checks]
        intervals = {}
        for answer in answers:
            key, rows, digest, *failures = answer.values()
            failed = {check: count for check, count in zip(fingerprints, failures, strict=True) if count}
            intervals[key or ""] = Interval(content=_content(digest, rows), rows=rows, failed=failed)
        return intervals

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

    def _scan_sql(self, row_checks: Sequence[PlannedCheck], relation: str) -> str:
        interval = f"({self.table.interval})" if self.table.interval else literal(ALL)
        digest = digest_sql(column.name for column in self.table.columns)
        asked = [f"{interval}::VARCHAR AS key", "count(*) AS rows", f"{digest} AS digest"]
        for number, planned in enumerate(row_checks):
            asked.append(f"count(*) FILTER (WHERE ({planned.predicate}) IS FALSE) AS failed_{number}")
        grouped = " GROUP BY ALL" if self.table.interval else ""
        return f"SELECT {', '.join(asked)} FROM {quoted(relation)}{grouped}"

    def _named(self, error: UserError, row_checks: Iterable[PlannedCheck]) -> UserError:
        """Find the check that broke the scan, by running each alone."""
        for planned in row_checks:
            try:
                self.session.rows(self._scan_sql([planned], self.table.name), self.variables)
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
