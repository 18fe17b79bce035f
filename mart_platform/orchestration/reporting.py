"""Reports of steps as Dagster shows them: what was made, and the outcome of each check."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import dagster as dg

from mart_platform.orchestration.describing import column_lineage
from mart_platform.orchestration.naming import (
    CONTRACT,
    READABLE,
    check_names,
    publication_key,
    table_key,
)
from mart_platform.orchestration.resources import PublishedDuckDB
from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import Platform
from mart_platform.runs.deciding import judged_content
from mart_platform.runs.publishing import versions_of
from mart_platform.runs.reporting import MartReport, TableReport, told_of
from mart_platform.runs.starting import read_by
from mart_platform.spec.records import Publication, Verdict
from mart_platform.spec.words import Severity


def table_materialised(
    platform: Platform, plan: Plan, table: PlannedTable, report: TableReport
) -> dg.MaterializeResult[None]:
    """Return the report of a table as what its step made; the same rows are the same data version."""
    build = platform.ledger.latest_build(table.name, table.fingerprint)
    return dg.MaterializeResult(
        asset_key=table_key(table.name),
        data_version=dg.DataVersion(build.content) if build else None,
        metadata={
            "dagster/row_count": report.rows,
            "bytes": report.bytes,
            "outcome": report.outcome,
            "reason": report.reason,
            "version": report.version,
            "seconds": round(report.seconds, 3),
            "plan": plan.digest,
            **_moment("watermark", report.watermark),
            **report.facts,
            **_listed("warnings", report.warnings),
            **column_lineage(table),
        },
    )


def mart_materialised(plan: Plan, report: MartReport) -> dg.MaterializeResult[None]:
    """Return the report of a publication as what its step made, also when readers had all that there is."""
    live = report.live
    return dg.MaterializeResult(
        asset_key=publication_key(report.mart),
        data_version=dg.DataVersion(_content_of(live)),
        metadata={
            "publication": live.number,
            "published": report.published,
            "reason": report.reason,
            "seconds": round(report.seconds, 3),
            "plan": plan.digest,
            **_moment("watermark", live.watermark),
            "tables": dg.MetadataValue.table(
                [
                    dg.TableRecord({"table": name, "version": t.version, "fingerprint": t.fingerprint})
                    for name, t in live.tables.items()
                ]
            ),
        },
    )


def check_results(table: PlannedTable, verdicts: Iterable[Verdict]) -> Iterator[dg.AssetCheckResult]:
    """Yield verdicts on a table as results of its checks."""
    names = check_names(planned.check.name for planned in table.checks)
    for verdict in verdicts:
        if verdict.check in names:
            yield dg.AssetCheckResult(
                asset_key=table_key(table.name),
                check_name=names[verdict.check],
                passed=verdict.passed,
                severity=_severity(verdict.severity),
                description=None if verdict.passed else told_of(verdict),
                metadata=_judged(verdict),
            )


def standing_verdicts(platform: Platform, plan: Plan, run: str, table: PlannedTable) -> list[Verdict]:
    """Return the verdicts that hold for a table which was left as it is, so that its checks still show them.

    They are those on exactly what is there now. The newest verdicts may be about a candidate that was
    refused, which says nothing about what readers see.
    """
    build = platform.ledger.latest_build(table.name, table.fingerprint)
    if build is None:
        return []
    read = read_by(platform, plan, run, table.name)
    known: dict[str, dict[str, Verdict]] = {}
    found = []
    for planned in table.checks:
        content = judged_content(planned, build.content, read)
        if content not in known:
            known[content] = platform.ledger.verdicts(table.name, content)
        if verdict := known[content].get(planned.fingerprint):
            # One verdict serves all checks that ask the same; it is shown under each one's own name.
            own = {"check": planned.check.name, "severity": planned.check.severity}
            found.append(verdict.model_copy(update=own))
    return found


def contract_kept(table: PlannedTable, report: TableReport) -> dg.AssetCheckResult:
    """Return how a landed table keeps its contract: rows in quarantine are a warning."""
    quarantined, read = int(report.facts.get("quarantined", 0)), int(report.facts.get("rows_read", 0))
    told = f"{quarantined:,} of {read:,} rows are in quarantine; `mart quarantine {table.name}` shows them."
    return dg.AssetCheckResult(
        asset_key=table_key(table.name),
        check_name=CONTRACT,
        passed=not quarantined,
        severity=dg.AssetCheckSeverity.WARN,
        description=told if quarantined else None,
        metadata={"quarantined": quarantined, "read": read, "share": quarantined / read if read else 0.0},
    )


def delivery_refused(table: PlannedTable, reason: str) -> dg.AssetCheckResult:
    """Return that a delivery was refused as a whole."""
    return dg.AssetCheckResult(
        asset_key=table_key(table.name),
        check_name=CONTRACT,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=reason,
    )


def published_as_recorded(
    platform: Platform, published: PublishedDuckDB, live: Publication
) -> dg.AssetCheckResult:
    """Read the published DuckDB file, and compare the rows of its tables with those that the ledger knows.

    A shadow is in no file that readers see.
    """
    if live.state == "shadow":
        told = "nothing is live yet"
        return dg.AssetCheckResult(
            asset_key=publication_key(live.mart), check_name=READABLE, passed=True, description=told
        )
    expected = {name: version.rows for name, version in versions_of(platform, live).items()}
    with published.get_connection() as connection:
        found = {name: _count(connection, name.split(".", 1)[1]) for name in expected}
    wrong = {name: rows for name, rows in found.items() if rows != expected[name]}
    return dg.AssetCheckResult(
        asset_key=publication_key(live.mart),
        check_name=READABLE,
        passed=not wrong,
        description="; ".join(
            f"{name} shows {rows:,} rows instead of {expected[name]:,}" for name, rows in wrong.items()
        )
        or None,
        metadata={"rows": sum(found.values()), "publication": live.number},
    )


def _count(connection: Any, table: str) -> int:
    return int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])


def _content_of(live: Publication) -> str:
    return f"{live.mart}-{live.number}"


def _severity(severity: Severity) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if severity is Severity.ERROR else dg.AssetCheckSeverity.WARN


def _judged(verdict: Verdict) -> dict[str, Any]:
    return {
        "failed": verdict.failed,
        "tested": verdict.tested,
        "share": verdict.failed / verdict.tested if verdict.tested else 0.0,
        **({"found": verdict.found} if verdict.found else {}),
        **({"sample": _table(verdict.sample)} if verdict.sample else {}),
        "judged at": dg.MetadataValue.timestamp(verdict.at),
        "judged in run": dg.MetadataValue.dagster_run(verdict.run),
    }


def _table(rows: tuple[dict[str, Any], ...]) -> dg.TableMetadataValue:
    """Return sample rows as a table; each row gets all columns, because a sample may mix them."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    records = [dg.TableRecord({column: _shown(row.get(column)) for column in columns}) for row in rows]
    return dg.MetadataValue.table(records, dg.TableSchema([dg.TableColumn(column) for column in columns]))


def _shown(value: Any) -> str | int | float | bool:
    return value if isinstance(value, str | int | float | bool) else "" if value is None else str(value)


def _moment(name: str, moment: datetime | None) -> dict[str, Any]:
    return {name: dg.MetadataValue.timestamp(moment)} if moment else {}


def _listed(name: str, sentences: tuple[str, ...]) -> dict[str, Any]:
    return {name: dg.MetadataValue.md("\n".join(f"- {said}" for said in sentences))} if sentences else {}
