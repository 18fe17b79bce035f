"""Checks compiled to SQL: one registry, from the kind of a check to what has to be asked.

A row check becomes a predicate that is true or NULL where the row passes, so that all row checks of a table
are answered by one scan. Any other check becomes a ``measure``, a query of one row with ``failed BIGINT``
and ``found VARCHAR``, and where rows can be shown, a ``sample`` of them. Where a failure must involve a
row of a changed interval, ``narrow`` is a measure that looks for no others.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from mart_platform.planning.plan import CHANGED_ROWS, PlannedCheck
from mart_platform.planning.queries import table_name
from mart_platform.planning.quoting import literal, quoted
from mart_platform.spec import checks
from mart_platform.spec.checks import Check


@dataclass(frozen=True)
class CheckSql:
    """What has to be asked about a table to judge one check."""

    predicate: str | None = None
    measure: str | None = None
    narrow: str | None = None
    sample: str | None = None
    timeless: bool = True


def compile_check(check: Check, table: str, unique: frozenset[str] = frozenset()) -> PlannedCheck:
    """Return ``check`` with the SQL that judges it on ``table``.

    ``unique`` are columns that the table's model makes unique by construction, so that no row is read for it.
    """
    asked = _COMPILERS[type(check)](check, quoted(table))
    if isinstance(check, checks.Unique) and unique and unique <= set(check.columns):
        asked = CheckSql(measure=f"SELECT 0::BIGINT AS failed, {literal(_GROUPED)} AS found")
    sample = asked.sample
    if sample is None and asked.predicate is not None:
        sample = f"SELECT * FROM {quoted(table)} WHERE ({asked.predicate}) IS FALSE"
    return PlannedCheck(
        check=check,
        fingerprint=check.fingerprint,
        predicate=asked.predicate,
        measure=asked.measure,
        narrow=asked.narrow,
        sample=sample,
        reads=tuple(sorted(_tables_read(check) - {table})),
        timeless=asked.timeless,
    )


_GROUPED = "unique by construction: the model groups by these columns"


def _not_null(check: checks.NotNull, table: str) -> CheckSql:
    return CheckSql(predicate=f"{quoted(check.column)} IS NOT NULL")


def _one_of(check: checks.OneOf, table: str) -> CheckSql:
    values = ", ".join(literal(value) for value in check.values)
    return CheckSql(predicate=f"{quoted(check.column)} IN ({values})")


def _in_range(check: checks.InRange, table: str) -> CheckSql:
    bounds = {">=": check.at_least, "<=": check.at_most, ">": check.above, "<": check.below}
    column = quoted(check.column)
    return CheckSql(
        predicate=_all_of(f"{column} {op} {literal(v)}" for op, v in bounds.items() if v is not None)
    )


def _matches(check: checks.Matches, table: str) -> CheckSql:
    return CheckSql(predicate=f"regexp_full_match({quoted(check.column)}::VARCHAR, {literal(check.pattern)})")


def _has_length(check: checks.HasLength, table: str) -> CheckSql:
    length = f"length({quoted(check.column)}::VARCHAR)"
    return CheckSql(predicate=f"{length} BETWEEN {check.at_least} AND {check.at_most}")


def _unique(check: checks.Unique, table: str) -> CheckSql:
    columns = ", ".join(quoted(column) for column in check.columns)
    given = _all_of(f"{quoted(column)} IS NOT NULL" for column in check.columns)
    grouped = f"WHERE {given} GROUP BY {columns} HAVING count(*) > 1"
    repeated = f"SELECT {columns}, count(*) AS copies FROM {table} {grouped}"
    # A value that the unchanged rows hold once is repeated only where a changed row holds it as well.
    with_changed = f"FROM {table} SEMI JOIN {quoted(CHANGED_ROWS)} USING ({columns})"
    counted = "SELECT coalesce(sum(copies - 1), 0)::BIGINT AS failed, NULL::VARCHAR AS found"
    return CheckSql(
        measure=f"{counted} FROM ({repeated})",
        narrow=f"{counted} FROM (SELECT {columns}, count(*) AS copies {with_changed} {grouped})",
        sample=f"{repeated} ORDER BY ALL",
    )


def _references(check: checks.References, table: str) -> CheckSql:
    column, target = quoted(check.column), quoted(check.target)

    def orphans(among: str) -> str:
        return (
            f"FROM {among} AS referring ANTI JOIN {quoted(check.table)} AS referenced"
            f" ON referring.{column} = referenced.{target} WHERE {column} IS NOT NULL"
        )

    counted = "SELECT count(*) AS failed, NULL::VARCHAR AS found"
    return CheckSql(
        measure=f"{counted} {orphans(table)}",
        narrow=f"{counted} {orphans(quoted(CHANGED_ROWS))}",
        sample=f"SELECT * {orphans(table)}",
    )


def _row_count(check: checks.RowCount, table: str) -> CheckSql:
    bounds = {">=": check.at_least, "<=": check.at_most}
    kept = _all_of(f"count(*) {op} {bound}" for op, bound in bounds.items() if bound is not None)
    return CheckSql(
        measure=f"SELECT (NOT ({kept}))::BIGINT AS failed, count(*)::VARCHAR || ' rows' AS found FROM {table}"
    )


def _sum_equals(check: checks.SumEquals, table: str) -> CheckSql:
    here = f"(SELECT coalesce(sum({quoted(check.column)}), 0) FROM {table})"
    there = f"(SELECT coalesce(sum({quoted(check.target)}), 0) FROM {quoted(check.table)})"
    return CheckSql(
        measure=f"SELECT (abs(here - there) > {literal(check.within)})::BIGINT AS failed,"
        f" here::VARCHAR || ' here, ' || there::VARCHAR || ' in {check.table}' AS found"
        f" FROM (SELECT {here} AS here, {there} AS there)"
    )


def _holds_sums(check: checks.HoldsSums, table: str) -> CheckSql:
    """Compare both tables by group, each read once; a sum of nothing but NULLs is NULL in both."""
    here = _by_group(table, check, 0, f"sum({quoted(check.rows)})" if check.rows else "0")
    there = _by_group(quoted(check.table), check, 1, "count(*)" if check.rows else "0")
    same = _all_of(f"here.by_{i} IS NOT DISTINCT FROM there.by_{i}" for i in range(len(check.by)))
    compared = ["given", "lines", *(f"sum_{i}" for i in range(len(check.sums)))]
    differ = " OR ".join(f"here.{name} IS DISTINCT FROM there.{name}" for name in compared)
    differing = f"FROM ({here}) AS here FULL JOIN ({there}) AS there ON {same} WHERE {differ}"
    found = f"CASE WHEN count(*) > 0 THEN count(*) || ' groups are not as in {check.table}' END"
    shown = ", ".join([*_groups_shown(check), "here.given AS here", "there.given AS there"])
    return CheckSql(
        measure=f"SELECT count(*) AS failed, {found} AS found {differing}",
        sample=f"SELECT {shown} {differing}",
    )


def _by_group(relation: str, check: checks.HoldsSums, side: int, lines: str) -> str:
    """Return a query of the sums of one side of a check: 0 is its own table, 1 the other one."""
    by = [quoted(pair[side]) for pair in check.by]
    shown = [f"{column} AS by_{i}" for i, column in enumerate(by)]
    shown += [f"sum({quoted(pair[side])}) AS sum_{i}" for i, pair in enumerate(check.sums)]
    shown += [f"{lines} AS lines", "TRUE AS given"]
    return f"SELECT {', '.join(shown)} FROM {relation} GROUP BY {', '.join(by)}"


def _groups_shown(check: checks.HoldsSums) -> Iterator[str]:
    """Yield what is shown of a group: each value under a name of its own table, for labels go by names."""
    for i, (own, other) in enumerate(check.by):
        if own == other:
            yield f"coalesce(here.by_{i}, there.by_{i}) AS {quoted(own)}"
        else:
            yield f"here.by_{i} AS {quoted(own)}, there.by_{i} AS {quoted(other)}"


def _fresh(check: checks.Fresh, table: str) -> CheckSql:
    seconds = int(check.within.total_seconds())
    newest = f"max({quoted(check.column)})"
    oldest_allowed = f"getvariable('business_now')::TIMESTAMP - INTERVAL {seconds} SECOND"
    return CheckSql(
        measure=f"SELECT coalesce({newest} < {oldest_allowed}, TRUE)::BIGINT AS failed,"
        f" coalesce('newest is ' || {newest}::VARCHAR, 'no row') AS found FROM {table}",
        timeless=False,
    )


def _no_row(check: checks.NoRow, table: str) -> CheckSql:
    query = check.sql.strip().rstrip(";")
    return CheckSql(
        measure=f"SELECT count(*) AS failed, NULL::VARCHAR AS found FROM (\n{query}\n)",
        sample=query,
    )


def _all_of(conditions: Iterable[str]) -> str:
    return " AND ".join(conditions) or "TRUE"


def _tables_read(check: Check) -> set[str]:
    if isinstance(check, checks.References | checks.SumEquals | checks.HoldsSums):
        return {check.table}
    if isinstance(check, checks.NoRow):
        return tables_named(check.sql)
    return set()


def tables_named(sql: str) -> set[str]:
    """Return the tables ``schema.table`` that a query names, its own common table expressions left out.

    Raises sqlglot.errors.ParseError when the text is no SQL.
    """
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    return {table_name(table) for table in tree.find_all(exp.Table) if table.db}


_COMPILERS: dict[type[Check], Callable[..., CheckSql]] = {
    checks.NotNull: _not_null,
    checks.OneOf: _one_of,
    checks.InRange: _in_range,
    checks.Matches: _matches,
    checks.HasLength: _has_length,
    checks.Unique: _unique,
    checks.References: _references,
    checks.RowCount: _row_count,
    checks.SumEquals: _sum_equals,
    checks.HoldsSums: _holds_sums,
    checks.Fresh: _fresh,
    checks.NoRow: _no_row,
}
