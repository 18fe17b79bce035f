"""What the ledger remembers: batches, versions, builds, verdicts, publications, leases.

All moments are aware and in UTC; all paths are relative to the data folder, with forward slashes.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mart_platform.spec.words import Severity


class Record(BaseModel):
    """A frozen fact; it serialises to JSON and back."""

    model_config = ConfigDict(frozen=True)


class DataFile(Record):
    """One Parquet file of the lake. ``stats`` are Delta statistics as JSON, empty once it is committed.

    ``intervals`` are those whose rows lie in it: one in a file that was built, one or more batches in one
    that was landed, which compaction joins. ``bounds`` are the smallest and the largest value of each column
    of a date or time, as text, where both are known.
    """

    path: str
    rows: int
    bytes: int
    stats: str = ""
    intervals: tuple[str, ...] = ()
    bounds: dict[str, tuple[str, str]] = Field(default_factory=dict)

    def committed(self) -> "DataFile":
        """Return the file without the statistics that only the commit needs."""
        return self.model_copy(update={"stats": ""})


def digest_of(texts: Iterable[str]) -> str:
    """Return the digest of texts, whatever their order: 16 hexadecimal digits of SHA-256."""
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()[:16]


ALL = "all"
"""The only interval of a table that is not cut into any."""


class Interval(Record):
    """One interval of a version: the digest of its rows, their number, and the row checks that they break.

    ``failed`` gives for each check, by its fingerprint, how many rows break it, where any do.
    """

    content: str
    rows: int
    failed: dict[str, int] = Field(default_factory=dict)


def same_rows(one: Interval | None, other: Interval | None) -> bool:
    """Return whether two intervals hold the same rows; one that is not there holds none."""
    if one is None or other is None or not (one.rows and other.rows):
        return not (one and one.rows) and not (other and other.rows)
    return one.content == other.content


class VersionName(Record):
    """Which version of which physical table."""

    fingerprint: str
    version: str


class ViewText(Record):
    """What a view is: its SELECT, and the versions of the tables that it names."""

    sql: str
    reads: dict[str, VersionName]


class Version(Record):
    """One content of a physical table: a list of files, named by the digest of that list.

    ``columns`` maps the names of its columns to their types, also when the plan knows others by now.

    ``number`` is the Delta version that lists the files, an attribute only. ``content`` is the same for two
    versions that hold the same rows, whatever files they lie in.

    ``intervals`` are keyed by the start of the interval (``2017-01-31``, ``2017-01-31 05:00:00``), by the
    bucket of the key, by the batch in a landed table, or ALL. Intervals before ``floor`` were retired:
    retention has dropped, archived or coarsened them, and nothing builds them again. A ``view`` has no files
    of its own. ``owed`` are intervals that its inputs lead to and that nobody has built yet, which a backfill
    of a part leaves behind: the next build makes them.
    """

    table: str
    fingerprint: str
    id: str
    number: int
    columns: dict[str, str]
    files: tuple[DataFile, ...]
    intervals: dict[str, Interval] = {}
    floor: str = ""
    owed: tuple[str, ...] = ()
    view: ViewText | None = None
    content: str
    created_at: datetime

    def files_of(self, intervals: Collection[str]) -> tuple[DataFile, ...]:
        """Return the files that hold rows of any of these intervals."""
        wanted = frozenset(intervals)
        return tuple(file for file in self.files if not wanted.isdisjoint(file.intervals))

    @property
    def rows(self) -> int:
        """The rows that it holds; those of a view lie in no file of its own."""
        if self.view is not None:
            return sum(interval.rows for interval in self.intervals.values())
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def content_of(intervals: Mapping[str, Interval]) -> str:
    """Return the content of a version from those of its intervals."""
    if intervals.keys() == {ALL}:
        return intervals[ALL].content
    return digest_of(f"{key} {interval.content}" for key, interval in intervals.items() if interval.rows)


Cause = Literal["change", "logic", "backfill", "retention", "restore", "compaction"]
"""Why a version was made. The last three change no fact: what is made from the table is left alone."""


class Build(Record):
    """What one run made of a table: the version, what it consumed, and why.

    ``consumed`` maps each input table to the content that was read and ``read`` to the version that held it,
    ``roots`` maps each landed table below it to its content; there stand several contents, with a space
    between them, where its inputs had seen different ones. ``watermark`` is the event time up to which the
    table is complete; None for one that knows no time. ``rebuilt`` are the intervals that this run wrote.
    """

    table: str
    fingerprint: str
    version: str
    content: str
    consumed: dict[str, str]
    read: dict[str, VersionName] = {}
    roots: dict[str, str]
    watermark: datetime | None
    rebuilt: tuple[str, ...] = ()
    cause: Cause = "change"
    run: str
    reason: str
    seconds: float
    at: datetime

    @property
    def version_name(self) -> VersionName:
        return VersionName(fingerprint=self.fingerprint, version=self.version)


class BuiltInterval(Record):
    """One line of the interval ledger: from what, and by which run, an interval was built last."""

    table: str
    fingerprint: str
    interval: str
    content: str
    rows: int
    consumed: dict[str, str]
    cause: Cause
    run: str
    at: datetime


def built_intervals(build: Build, version: Version) -> Iterator[BuiltInterval]:
    """Yield what the interval ledger notes of a build; an interval that its version lacks has no rows now."""
    empty = Interval(content="", rows=0)
    for key in build.rebuilt:
        interval = version.intervals.get(key, empty)
        yield BuiltInterval(
            table=build.table,
            fingerprint=build.fingerprint,
            interval=key,
            content=interval.content,
            rows=interval.rows,
            consumed=build.consumed,
            cause=build.cause,
            run=build.run,
            at=build.at,
        )


RestatementCause = Literal["late", "corrected", "logic", "growing"]


class Restatement(Record):
    """An interval that readers may have seen, and that holds other rows now: how many, and why.

    ``late`` rows came after the interval was complete, ``corrected`` ones were there and differ, ``logic`` is
    a changed model, ``growing`` an interval that was not complete yet.
    """

    table: str
    interval: str
    added: int
    removed: int
    changed: int
    cause: RestatementCause
    run: str
    at: datetime


def delivery_order(position: str) -> str:
    """Return the text that sorts as deliveries follow each other: by name, digits in it by their value.

    >>> sorted(["export_10.csv", "export_9.csv"], key=delivery_order)
    ['export_9.csv', 'export_10.csv']
    """
    return re.sub("[0-9]+", lambda digits: digits[0].lstrip("0").zfill(20), position) + "#"


class Batch(Record):
    """One delivered file as it was landed; ``rows_read == landed + quarantined``.

    ``position`` says where the source delivered it, ``kept_as`` where the delivered bytes are kept. ``late``
    counts the rows that came later than the source allows: their event lies before the watermark that the
    table had.
    """

    id: str
    table: str
    fingerprint: str
    position: str
    size: int
    modified_ns: int
    sha256: str
    kept_as: str
    rows_read: int
    landed: int
    quarantined: int
    delivered_columns: dict[str, str]
    new_columns: tuple[str, ...] = ()
    newest_event: datetime | None = None
    complete_through: datetime | None = None
    late: int = 0
    files: tuple[DataFile, ...]
    quarantine_file: str | None = None
    warnings: tuple[str, ...] = ()
    run: str
    arrived_at: datetime


def newest_delivery(batches: Sequence[Batch]) -> Batch:
    """Return the last batch by the order of deliveries; of one delivery, as it was landed last."""
    landed = enumerate(batches)
    return max(landed, key=lambda batch: (delivery_order(batch[1].position), batch[0]))[1]


class Verdict(Record):
    """How a check went on one content of a table.

    ``failed`` of ``tested`` rows break it; for a check on the whole table ``found`` says what was measured.
    ``sample`` holds at most some failing rows, with the values of labelled columns left out.
    """

    table: str
    content: str
    check: str
    fingerprint: str
    severity: Severity
    passed: bool
    failed: int
    tested: int
    found: str = ""
    sample: tuple[dict[str, Any], ...] = ()
    run: str
    at: datetime

    @property
    def blocks(self) -> bool:
        """Whether this verdict stops a publication."""
        return not self.passed and self.severity is Severity.ERROR


class PublishedTable(Record):
    """One table of a publication: exactly which version of which physical table."""

    fingerprint: str
    version: str
    content: str

    @property
    def version_name(self) -> VersionName:
        return VersionName(fingerprint=self.fingerprint, version=self.version)


class Publication(Record):
    """A set of table versions that a mart's readers see together. The newest one in state live is live.

    One in state ``shadow`` was built beside the live one, to be compared with it.
    """

    mart: str
    number: int
    state: Literal["live", "shadow", "dropped"] = "live"
    tables: dict[str, PublishedTable]
    plan: str
    watermark: datetime | None
    at: datetime
    by: str
    reason: str
    run: str


class Hold(Record):
    """A mart that stays at its live publication until somebody releases it."""

    mart: str
    since: datetime
    by: str
    reason: str


class LegalHold(Record):
    """Rows of a mart, or of one table of it, that nothing may remove until somebody releases them.

    ``since`` and ``until`` bound the intervals, both included; None stands for no bound.
    """

    name: str
    mart: str
    table: str | None = None
    since: date | None = None
    until: date | None = None
    reason: str
    by: str
    at: datetime


class Reading(Record):
    """A query that runs: the versions that it reads must keep their files until it ends."""

    id: str
    tables: dict[str, VersionName]
    holder: str
    at: datetime


class Storage(Record):
    """What a subject (a mart, ``canonical`` or a source) takes on disk on a day, and what it took in."""

    day: date
    subject: str
    files: int
    bytes: int
    live_bytes: int


class Backfill(Record):
    """A range of intervals that is being built in pieces, and published once, when all are there.

    ``pins`` is the run whose snapshot all pieces read; ``owed`` maps each table to the intervals that it was
    asked for, None as long as an input of it is not built.
    """

    id: str
    target: str
    first: str
    last: str
    owed: dict[str, tuple[str, ...] | None]
    pins: str
    state: Literal["running", "done", "failed", "cancelled"] = "running"
    holder: str
    at: datetime


class BackfillPiece(Record):
    """Some intervals of a table that a backfill has written, but not committed yet."""

    backfill: str
    table: str
    fingerprint: str
    intervals: dict[str, Interval]
    files: tuple[DataFile, ...]
    seconds: float
    at: datetime


class Lease(Record):
    """The right to write one table until ``expires``; ``token`` grows with each new holder."""

    name: str
    holder: str
    token: int
    expires: datetime


class Run(Record):
    """One run: what it was asked for, and how it ended. ``holder`` names the process that carries it."""

    id: str
    cause: str
    plan: str
    targets: tuple[str, ...]
    began_at: datetime
    ended_at: datetime | None = None
    outcome: Literal["running", "succeeded", "failed", "abandoned"] = "running"
    holder: str = ""


Kept = Literal["kept", "broken", "unknown"]


class FreshnessState(Record):
    """Whether a promise about freshness is kept; ``late_by`` counts seconds beyond the promise.

    ``late_first`` names the upstream table whose watermark is furthest behind.
    """

    mart: str
    objective: str
    state: Kept
    since: datetime
    staleness: float | None
    promised: float
    late_by: float = 0.0
    late_first: str | None = None


class Event(Record):
    """Something that happened to a subject (a mart, a table, a source): what, when, and its details."""

    at: datetime
    kind: str
    subject: str
    details: dict[str, Any] = {}
