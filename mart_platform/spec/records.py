"""What the ledger remembers: batches, versions, builds, verdicts, publications, leases.

All moments are aware and in UTC; all paths are relative to the data folder, with forward slashes.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mart_platform.spec.words import Severity


class Record(BaseModel):
    """A frozen fact; it serialises to JSON and back."""

    model_config = ConfigDict(frozen=True)


class DataFile(Record):
    """One Parquet file of the lake. ``stats`` are Delta statistics as JSON, empty once it is committed."""

    path: str
    rows: int
    bytes: int
    stats: str = ""

    def committed(self) -> "DataFile":
        """Return the file without the statistics that only the commit needs."""
        return self.model_copy(update={"stats": ""})


def digest_of(texts: Iterable[str]) -> str:
    """Return the digest of texts, whatever their order: 16 hexadecimal digits of SHA-256."""
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()[:16]


class Version(Record):
    """One content of a physical table: a list of files, named by the digest of that list.

    ``columns`` maps the names of its columns to their types, also when the plan knows others by now.

    ``number`` is the Delta version that lists the files, an attribute only. ``content`` is the same for two
    versions that hold the same rows, whatever files they lie in.
    """

    table: str
    fingerprint: str
    id: str
    number: int
    columns: dict[str, str]
    files: tuple[DataFile, ...]
    content: str
    created_at: datetime

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


class Build(Record):
    """What one run made of a table: the version, what it consumed, and why.

    ``consumed`` maps each input table to the content that was read, ``roots`` each landed table below it;
    there stand several contents, with a space between them, where its inputs had seen different ones.
    ``watermark`` is the event time up to which the table is complete; None for one that knows no time.
    """

    table: str
    fingerprint: str
    version: str
    content: str
    consumed: dict[str, str]
    roots: dict[str, str]
    watermark: datetime | None
    run: str
    reason: str
    seconds: float
    at: datetime


def delivery_order(position: str) -> list[tuple[int, str]]:
    """Return the key that puts deliveries in order: by name, runs of digits in it by their value.

    >>> sorted(["export_10.csv", "export_9.csv"], key=delivery_order)
    ['export_9.csv', 'export_10.csv']
    """
    parts = re.split(r"([0-9]+)", position)
    by_value = [(int(part), "") if re.fullmatch("[0-9]+", part) else (-1, part) for part in parts]
    return [*by_value, (-2, position)]


class Batch(Record):
    """One delivered file as it was landed; ``rows_read == landed + quarantined``.

    ``position`` says where the source delivered it, ``kept_as`` where the delivered bytes are kept.
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


class Publication(Record):
    """A set of table versions that a mart's readers see together. The newest one is live."""

    mart: str
    number: int
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
