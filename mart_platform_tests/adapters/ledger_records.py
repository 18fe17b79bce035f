"""Records for ledgers to keep, each with what a test wants of it."""

from datetime import UTC, date, datetime
from typing import Any, Literal

from mart_platform.spec.records import (
    Backfill,
    BackfillPiece,
    Batch,
    Build,
    DataFile,
    Hold,
    Interval,
    LegalHold,
    Publication,
    PublishedTable,
    Reading,
    Restatement,
    Run,
    Storage,
    Verdict,
    Version,
    VersionName,
    content_of,
)
from mart_platform.spec.words import Severity

NOON = datetime(2026, 11, 2, 12, 0, 0, 123456, tzinfo=UTC)
TABLE = "canonical.sales_line"


def a_run(name: str = "run-1", **but: Any) -> Run:
    return Run(id=name, cause="cli", plan="p1", targets=("sales",), began_at=NOON, holder="host/7", **but)


def a_build(
    version: str = "v1",
    *,
    table: str = TABLE,
    fingerprint: str = "f1",
    run: str = "run-1",
    at: datetime = NOON,
    **but: Any,
) -> Build:
    return Build(
        table=table,
        fingerprint=fingerprint,
        version=version,
        content=f"content of {version}",
        consumed={"complete_journey.transactions": "c1"},
        roots={"complete_journey.transactions": "c1"},
        watermark=NOON,
        run=run,
        reason="first build",
        seconds=1.5,
        at=at,
        **but,
    )


def a_version(build: Build, number: int = 0) -> Version:
    return Version(
        table=build.table,
        fingerprint=build.fingerprint,
        id=build.version,
        number=number,
        columns={"id": "bigint"},
        files=(DataFile(path=f"lake/x/part-{build.version}.parquet", rows=3, bytes=100),),
        content=build.content,
        created_at=NOON,
    )


def a_version_of_days(name: str, written: dict[date, str]) -> Version:
    """Return a version with a file for each day, named by what was written for it."""
    intervals = {
        f"{day}": Interval(content=f"{day} {what}", rows=day.day, failed={"k1": 1} if day.day == 13 else {})
        for day, what in written.items()
    }
    files = (
        DataFile(
            path=f"lake/x/part-{day}-{what}.parquet",
            rows=day.day,
            bytes=100,
            intervals=(f"{day}",),
            bounds={"day": (f"{day}", f"{day}")},
        )
        for day, what in written.items()
    )
    return Version(
        table=TABLE,
        fingerprint="f1",
        id=name,
        number=0,
        columns={"day": "DATE", 'it\'s "odd"\n': "DECIMAL(18,2)"},
        files=tuple(files),
        intervals=intervals,
        floor="2016-01-01",
        content=content_of(intervals),
        created_at=NOON,
    )


def a_restatement(interval: str = "2026-11-01", *, table: str = TABLE) -> Restatement:
    return Restatement(
        table=table,
        interval=interval,
        added=2,
        removed=0,
        changed=1,
        cause="late",
        run="run-1",
        at=NOON,
    )


def a_reading(name: str = "q1") -> Reading:
    tables = {TABLE: VersionName(fingerprint="f1", version="v1")}
    return Reading(id=name, tables=tables, holder="host:7:1", at=NOON)


def a_legal_hold(name: str = "case 7") -> LegalHold:
    return LegalHold(name=name, mart="sales", since=date(2017, 1, 1), reason="dispute", by="ana", at=NOON)


def a_storage(day: int, subject: str = "sales", files: int = 3) -> Storage:
    return Storage(day=date(2026, 11, day), subject=subject, files=files, bytes=2**40, live_bytes=10)


def a_backfill(name: str = "b1", **but: Any) -> Backfill:
    return Backfill(
        id=name,
        target="sales",
        first="2017-01-01",
        last="2017-01-02",
        owed={TABLE: ("2017-01-01", "2017-01-02")},
        pins="run-1",
        holder="h",
        at=NOON,
        **but,
    )


def a_piece(interval: str, *, backfill: str = "b1", table: str = TABLE) -> BackfillPiece:
    return BackfillPiece(
        backfill=backfill,
        table=table,
        fingerprint="f1",
        intervals={interval: Interval(content="c", rows=3)},
        files=(DataFile(path=f"lake/x/{interval}.parquet", rows=3, bytes=9, intervals=(interval,)),),
        seconds=0.25,
        at=NOON,
    )


def a_batch(name: str = "b1", *, fingerprint: str = "f1", landed: int = 2) -> Batch:
    return Batch(
        id=name,
        table="complete_journey.transactions",
        fingerprint=fingerprint,
        position="transactions.csv",
        size=10,
        modified_ns=2**62,
        sha256="0" * 64,
        kept_as="landing/0.csv",
        rows_read=landed + 1,
        landed=landed,
        quarantined=1,
        delivered_columns={"basket_id": "VARCHAR"},
        newest_event=NOON,
        files=(),
        run="run-1",
        arrived_at=NOON,
    )


def a_verdict(
    fingerprint: str = "k1",
    *,
    passed: bool = True,
    content: str = "c1",
    table: str = TABLE,
    at: datetime = NOON,
) -> Verdict:
    return Verdict(
        table=table,
        content=content,
        check="key is unique",
        fingerprint=fingerprint,
        severity=Severity.ERROR,
        passed=passed,
        failed=0 if passed else 2,
        tested=3,
        sample=({"basket_id": 1, "amount": "1.50"},),
        run="run-1",
        at=at,
    )


def a_publication(
    number: int = 1, mart: str = "sales", state: Literal["live", "shadow", "dropped"] = "live"
) -> Publication:
    return Publication(
        mart=mart,
        number=number,
        state=state,
        tables={"sales.fact": PublishedTable(fingerprint="f1", version="v1", content="c1")},
        plan="p1",
        watermark=NOON,
        at=NOON,
        by="mart build",
        reason="new data",
        run="run-1",
    )


def a_hold(mart: str = "sales") -> Hold:
    return Hold(mart=mart, since=NOON, by="ana", reason="rolled back")
