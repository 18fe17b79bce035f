"""What the platform needs of the outside world, as Protocols, and ``Platform``, their bundle."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

from mart_platform.spec.budgets import Lane
from mart_platform.spec.entries import Approval, Credential, Entry, Grant, KnownPrincipal, Sealed
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import (
    Backfill,
    BackfillPiece,
    Batch,
    Build,
    BuiltInterval,
    DataFile,
    Event,
    FreshnessState,
    Hold,
    Lease,
    LegalHold,
    Publication,
    Reading,
    Restatement,
    Run,
    Storage,
    Verdict,
    Version,
    VersionName,
)
from mart_platform.spec.sources import SourceTable

if TYPE_CHECKING:  # importing polars costs 0.2 s, which a command that builds nothing need not pay
    import polars as pl


class Clock(Protocol):
    """Two clocks: the business clock, which may stand in the past and ticks on, and the wall's."""

    def now(self) -> datetime:
        """Return the moment on the business clock, in UTC: for watermarks, freshness and retention."""
        ...

    def wall(self) -> datetime:
        """Return the real moment, in UTC: for leases, timeouts and records."""
        ...


class CommitConflict(Exception):
    """Somebody else committed to the table since it was read; nothing was written."""


@dataclass(frozen=True)
class Commit:
    """One entry of a table's log: its number and the metadata that it was committed with."""

    number: int
    metadata: Mapping[str, str]


class Lake(Protocol):
    """Delta tables: lists of Parquet files. ``path`` is the table's folder below the lake folder."""

    def head(self, path: str) -> Commit | None:
        """Return the newest commit of a table, or None when there is no such table."""
        ...

    def commit(
        self,
        path: str,
        columns: Mapping[str, str],
        files: Sequence[DataFile],
        *,
        base: int | None,
        append: bool,
        metadata: Mapping[str, str],
        changes_data: bool = True,
    ) -> int:
        """Make ``files`` the table's content (or add them) by compare-and-swap, and return the version.

        ``columns`` maps names to declared types; ``base`` is the version that the caller saw, None for a
        table that must not exist yet. The files are synced to disk before the commit and the log after it.
        ``changes_data`` is false for a commit that holds the rows that were there, as compaction makes it.
        Raises CommitConflict when the table is no longer at ``base``.
        """
        ...

    def commits(self, path: str, after: int) -> Sequence[Commit]:
        """Return the commits of a table after number ``after`` (-1: all), oldest first."""
        ...

    def present(self, path: str) -> Mapping[str, int]:
        """Return the data files in a table's folder, committed or not, with their bytes.

        Paths are relative to the data folder. The log is not among them.
        """
        ...

    def delete(self, files: Iterable[str]) -> None:
        """Delete data files; one that is gone already is no error."""
        ...

    def files(self, path: str, number: int) -> tuple[str, ...]:
        """Return the files of a version, relative to the data folder."""
        ...


@dataclass(frozen=True)
class Relation:
    """A table as the engine sees it: a name ``schema.table``, declared types, and Parquet files.

    ``where`` is SQL over its columns that leaves rows out. A view has no files but ``sql``, its SELECT over
    the relations ``over``, which nobody but the view can name.
    """

    name: str
    columns: Mapping[str, str]
    files: tuple[Path, ...]
    where: str | None = None
    sql: str | None = None
    over: "tuple[Relation, ...]" = ()


class EngineSession(Protocol):
    """Relations that queries can name; closed by the context manager that gave it."""

    def define(self, relation: Relation) -> None:
        """Add a relation, or put another in the place of the one with that name."""
        ...

    def write(
        self, sql: str, columns: Mapping[str, str], into: Path, interval: str | None = None
    ) -> tuple[DataFile, ...]:
        """Write a query's rows as new zstd Parquet files into a folder, cast to the declared types.

        Without ``interval`` it writes at least one file, so that an empty table has its columns, and each
        says that it holds ALL. With it, SQL over the columns that gives a row's interval, each file holds
        the rows of one interval and says which by its key, that value as text; rows without one lie in files
        of no interval, and no row makes no file. Paths of the returned files are relative to the data folder
        and unique for ever.
        """
        ...

    def write_model(
        self,
        file: Path,
        parameters: Mapping[str, str],
        columns: Mapping[str, str],
        into: Path,
        interval: str | None = None,
    ) -> tuple[DataFile, ...]:
        """Run a Python model on lazy frames of its inputs and write what it returns, as ``write`` does.

        ``parameters`` maps the parameters of its function to relations. Raises UserError naming the file
        when the model fails, lacks a declared column or gives another type than declared.
        """
        ...

    def write_frames(
        self, frames: "Iterable[pl.DataFrame]", columns: Mapping[str, str], into: Path
    ) -> tuple[DataFile, ...]:
        """Write a stream of frames, holding only a few of them in memory at a time, as ``write`` does."""
        ...

    def rows(self, sql: str, variables: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return a small answer; ``variables`` can be read by ``getvariable``."""
        ...

    def frame(self, sql: str) -> "pl.DataFrame":
        """Return an answer as a Polars frame."""
        ...


class Engine(Protocol):
    """Computes: runs queries and models over files."""

    def session(self, relations: Iterable[Relation]) -> AbstractContextManager[EngineSession]:
        """Open a session in which ``relations`` can be named."""
        ...


@dataclass(frozen=True)
class Delivery:
    """One file that a source offers. ``position`` names it for ever, however the machine's paths move."""

    table: str
    position: str
    size: int
    modified_ns: int
    complete_through: datetime | None = None


class Connector(Protocol):
    """Reaches a source: lists what it delivers and brings the bytes."""

    def refused(self, table: str, options: Mapping[str, Any]) -> Sequence[str]:
        """Return a sentence for each mistake in the options of a table; nothing is reached for it."""
        ...

    def deliveries(self, table: str, options: Mapping[str, Any], folder: Path) -> Sequence[Delivery]:
        """List what is offered for a table, oldest first, without reading it.

        ``folder`` is the warehouse folder, from which relative paths start. Raises UserError when nothing
        can be reached at the place that ``options`` name.
        """
        ...

    def fetch(
        self, delivery: Delivery, options: Mapping[str, Any], folder: Path, into: Path
    ) -> tuple[Path, str]:
        """Copy the delivered bytes into a folder, and return the file and its SHA-256.

        The file is named by its content and keeps the endings of the delivered one; fetching the same
        content again gives the same file. Raises UserError when it cannot be read.
        """
        ...


class Replays(Protocol):
    """Plays what a source holds as deliveries that follow the business clock."""

    def of(self, connector: Connector, source: str, contract: SourceTable) -> Connector:
        """Return a connector that delivers, as the contract's ``replay`` says, what another one holds."""
        ...


class Unreadable(UserError):
    """A delivered file is truncated, is not in the form that was declared, or breaks its schema."""


@dataclass(frozen=True)
class Delivered:
    """A delivered file, opened: the columns it holds by type as found, and its rows as frames in order.

    Frames have the delivered names, and ``_row`` (from 1). ``broken`` gives, when all frames were taken,
    the rows that could not be split into columns: ``_row``, ``line`` (text) and ``reason``.
    """

    columns: Mapping[str, str]
    as_text: bool
    frames: "Iterator[pl.DataFrame]"
    broken: "Callable[[], pl.DataFrame]"


class Formats(Protocol):
    """Opens delivered files: CSV, JSON lines and Parquet, plain or compressed."""

    def open(
        self, file: Path, position: str, options: Mapping[str, Any]
    ) -> AbstractContextManager[Delivered]:
        """Open a kept file for reading in pieces. Raises Unreadable."""
        ...


@dataclass(frozen=True)
class Judged:
    """A piece of a delivery after its contract: rows that keep it, and rows that do not.

    ``bad`` has ``_row BIGINT``, ``reasons LIST(VARCHAR)`` and ``record VARCHAR`` (the row as JSON);
    ``warned`` counts the rows that break a check of severity warn, by the check's name. ``retyped`` gives
    for columns of which no value can be read as the declared type one of these values.
    """

    good: "pl.DataFrame"
    bad: "pl.DataFrame"
    warned: Mapping[str, int]
    retyped: Mapping[str, str] = field(default_factory=dict)


class Contracts(Protocol):
    """Judges rows by their contract."""

    def judge(self, contract: SourceTable, frame: "pl.DataFrame", *, as_text: bool) -> Judged:
        """Rename, cast and check one piece of a delivery, row by row; uniqueness is not judged here."""
        ...


class Ledger(Protocol):
    """The small transactional memory of the platform. Where a ``limit`` is None, all are returned."""

    def begin_run(self, run: Run, pins: Mapping[str, Build]) -> None:
        """Record a run and the builds that it reads; a run that is known already stays as it is."""
        ...

    def end_run(self, run: str, outcome: str, at: datetime) -> None: ...

    def run(self, run: str) -> Run | None: ...

    def runs(self, *, limit: int | None = 50) -> list[Run]:
        """Return runs, newest first."""
        ...

    def pins(self, run: str, tables: Collection[str] | None = None) -> dict[str, Build]:
        """Return what a run reads, of all tables or of these: the builds it began with, or has made since."""
        ...

    def pin(self, run: str, builds: Mapping[str, Build]) -> None:
        """Let a run read these builds from now on, in one transaction."""
        ...

    def add_batch(self, batch: Batch) -> None:
        """Record a landed batch; one that is known already (same id and fingerprint) stays as it is."""
        ...

    def batches(self, table: str, fingerprint: str | None = None) -> list[Batch]:
        """Return the batches of a table in the order in which they were landed."""
        ...

    def record_build(self, build: Build, version: Version, restatements: Sequence[Restatement] = ()) -> None:
        """Record a build and its version, and pin it for its run, in one transaction.

        The interval ledger takes the intervals that it rebuilt, and what was restated is kept. A version that
        is known already stays as it is.
        """
        ...

    def intervals(self, table: str, fingerprint: str) -> dict[str, BuiltInterval]:
        """Return from what each interval of a physical table was built last, by its key."""
        ...

    def interval_keys(self, table: str, fingerprint: str) -> frozenset[str]:
        """Return the keys alone of these intervals."""
        ...

    def restatements(self, table: str, *, limit: int | None = 100) -> list[Restatement]:
        """Return what was restated of a table, newest first."""
        ...

    def builds_at(self, moment: datetime) -> dict[tuple[str, str], Build]:
        """Return the build that was the newest of each physical table at a moment."""
        ...

    def latest_build(self, table: str, fingerprint: str) -> Build | None: ...

    def latest_builds(self) -> dict[tuple[str, str], Build]:
        """Return the newest build of each physical table, by table and fingerprint."""
        ...

    def builds(self, table: str, *, limit: int | None = 20) -> list[Build]:
        """Return the builds of a table, of any fingerprint, newest first."""
        ...

    def version(self, table: str, fingerprint: str, version: str) -> Version: ...

    def record_verdicts(self, verdicts: Sequence[Verdict]) -> None: ...

    def verdicts(self, table: str, content: str) -> dict[str, Verdict]:
        """Return the newest verdict on this content by the fingerprint of each check."""
        ...

    def last_verdicts(self, table: str) -> dict[str, Verdict]:
        """Return the newest verdict on any content of a table, by the fingerprint of each check."""
        ...

    def publish(self, publication: Publication, *, release: bool = False, hold: Hold | None = None) -> None:
        """Add a publication, which is live from then on unless it is a shadow, in one transaction.

        Raises CommitConflict when its number is taken.
        """
        ...

    def live(self, mart: str) -> Publication | None:
        """Return the newest publication in state live."""
        ...

    def set_state(self, mart: str, number: int, state: Literal["shadow", "dropped"]) -> None:
        """Change the state of a publication that is not live. Raises LookupError when there is none."""
        ...

    def publications(self, mart: str, *, limit: int | None = None) -> list[Publication]:
        """Return the publications of a mart, newest first: all, or so many."""
        ...

    def hold_of(self, mart: str) -> Hold | None: ...

    def release(self, mart: str) -> None: ...

    def acquire(self, name: str, holder: str, now: datetime, seconds: float) -> Lease | None:
        """Take a lease that is free, expired or already the holder's; None when somebody else has it."""
        ...

    def lease(self, name: str) -> Lease | None:
        """Return who holds a lease, expired or not."""
        ...

    def give_back(self, lease: Lease) -> None:
        """End a lease, if it is still this one; its token is never given again."""
        ...

    def leases(self, now: datetime) -> list[Lease]:
        """Return the leases that somebody holds and that have not expired."""
        ...

    def begin_reading(self, reading: Reading) -> None: ...

    def end_reading(self, reading: str) -> None: ...

    def readings(self) -> list[Reading]: ...

    def add_legal_hold(self, hold: LegalHold) -> None:
        """Record a legal hold. Raises ValueError when its name is taken."""
        ...

    def release_legal_hold(self, name: str) -> None:
        """End a legal hold. Raises LookupError when there is none of this name."""
        ...

    def legal_holds(self) -> list[LegalHold]: ...

    def record_storage(self, storage: Storage) -> None:
        """Record what a subject takes on a day; what was recorded of that day before is replaced."""
        ...

    def storage(self, subject: str | None = None) -> list[Storage]:
        """Return what was taken, oldest first."""
        ...

    def record_backfill(self, backfill: Backfill) -> None:
        """Record a backfill, or its new state."""
        ...

    def backfills(self, *, limit: int | None = 20) -> list[Backfill]:
        """Return backfills, newest first."""
        ...

    def add_piece(self, piece: BackfillPiece) -> None: ...

    def pieces(self, backfill: str, table: str | None = None) -> list[BackfillPiece]:
        """Return what a backfill has written, in the order of writing."""
        ...

    def versions(self, table: str) -> list[Version]:
        """Return the recorded versions of a table, of all fingerprints, in the order of recording."""
        ...

    def forget(self, before: datetime, kept: "Collection[VersionName]") -> int:
        """Forget ended runs, their pins, verdicts, events and versions from before a moment; return how many.

        Newest builds, what is pinned by a publication or a running run, and the versions ``kept`` stay.
        """
        ...

    def forget_table(self, table: str, fingerprint: str) -> None:
        """Forget a physical table that is removed: its batches, builds, versions and intervals."""
        ...

    def setting(self, name: str) -> str | None: ...

    def set_setting(self, name: str, value: str | None) -> None: ...

    def close(self) -> None:
        """Give back what is open; the next call opens it again."""
        ...

    def freshness(self) -> list[FreshnessState]: ...

    def record_freshness(self, state: FreshnessState) -> None: ...

    def add_event(self, event: Event) -> None: ...

    def events(self, *, subject: str | None = None, kind: str | None = None, limit: int = 100) -> list[Event]:
        """Return events, newest first."""
        ...


@dataclass(frozen=True)
class Notice:
    """What an alert channel is handed: a title, the text for people, and who should get it."""

    title: str
    text: str
    on_call: str
    mart: str


class Notifier(Protocol):
    """Tells somebody. Raises nothing: what could not be told is returned as a reason."""

    def notify(self, notice: Notice) -> str | None: ...


class Secrets(Protocol):
    """Gives secrets by name; their values never reach a log."""

    def secret(self, name: str) -> str:
        """Return a secret. Raises UserError naming where it was looked for."""
        ...


@dataclass(frozen=True)
class Signed:
    """What a signed token proves: the principal that its issuer names, and until when."""

    principal: str
    until: datetime


class Tokens(Protocol):
    """Reads tokens that an issuer whom we trust has signed."""

    def read(self, token: str) -> Signed | None:
        """Return what a token proves; None where it is forged, has expired or is meant for somebody else."""
        ...


class Directory(Protocol):
    """Who may ask: principals, what they were granted, their credentials, and the rights that are approved.

    What the warehouse folder declares is not in it.
    """

    def put_principal(self, principal: KnownPrincipal) -> None:
        """Record a principal, or its new state."""
        ...

    def principals(self) -> list[KnownPrincipal]: ...

    def add_grant(self, grant: Grant) -> None: ...

    def revoke_grant(self, grant: str, at: datetime, by: str) -> None:
        """End a grant by its id; one that has ended stays as it is. Raises LookupError for an unknown one."""
        ...

    def grants(self, principal: str | None = None) -> list[Grant]:
        """Return all grants, also those that ended, oldest first."""
        ...

    def put_credential(self, credential: Credential) -> None:
        """Record a token, or a secret in the place of the principal's secret before."""
        ...

    def credentials(self, principal: str | None = None) -> list[Credential]: ...

    def credential(self, identity: str) -> Credential | None:
        """Return a credential by its id: of a secret that is the principal's name."""
        ...

    def revoke_credential(self, identity: str, at: datetime) -> None:
        """End a credential. Raises LookupError for an unknown one."""
        ...

    def approve(self, approval: Approval) -> None:
        """Record the rights of a mart that hold from now on."""
        ...

    def approval(self, mart: str) -> Approval | None:
        """Return the rights of a mart that hold now."""
        ...

    def approvals(self, mart: str) -> list[Approval]:
        """Return all of a mart, newest first."""
        ...

    def stamp(self) -> int:
        """Return a number that is another one after each change of the directory, and cheap to ask for."""
        ...


class AuditUnavailable(UserError):
    """The audit log cannot be written, so that nothing may be answered."""


@dataclass(frozen=True)
class AuditFault:
    """What is wrong with the audit log, and where: a file and the number of the entry."""

    file: str
    number: int
    found: str


class Audit(Protocol):
    """The audit log: entries in a chain, each sealed over the one before it."""

    def append(self, entry: Entry) -> Sealed:
        """Write an entry and sync it to disk. Raises AuditUnavailable."""
        ...

    def entries(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[Sealed]:
        """Yield entries, oldest first."""
        ...

    def find(self, identity: str) -> Sealed | None:
        """Return the entry with this id."""
        ...

    def keep_policy(self, digest: str, policy: str) -> None:
        """Keep a policy's text, which entries name by its digest; doing so twice changes nothing."""
        ...

    def policy(self, digest: str) -> str | None: ...

    def verify(self) -> Sequence[AuditFault]:
        """Read everything and return what was changed, left out or put in another order; empty is well."""
        ...

    def retire(self, before: datetime) -> int:
        """Remove whole files of entries from before a moment, and return how many entries that were.

        What is left still verifies: the hash that it begins at is kept.
        """
        ...

    def begin_anew(self, by: str, reason: str) -> Sealed:
        """Set a damaged log aside, and begin one that follows on what the ledger knows of it."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Execution:
    """A checked query, ready to run: SQL over ``"<mart>@<number>"."main"."<table>"`` of ``versions``.

    ``variables`` are what ``getvariable`` gives in it. It is ended after ``seconds``, or when it answers with
    more than ``rows`` rows.
    """

    sql: str
    versions: Mapping[str, int]
    parameters: "Sequence[Any] | Mapping[str, Any]" = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    lane: Lane = "dashboard"
    seconds: float = 60.0
    rows: int = 5_000_000
    memory: int | None = None


@dataclass(frozen=True)
class Result:
    """An answer as a stream in Arrow's IPC format, whole: in memory, or in a file that ends with ``close``.

    ``columns`` maps names to DuckDB types. ``cpu_seconds`` were taken by this query alone.
    """

    columns: Mapping[str, str]
    rows: int
    bytes: int
    cpu_seconds: float
    seconds: float
    open: "Callable[[], BinaryIO]"
    close: "Callable[[], None]"


class ExecutionEnded(Exception):
    """A query that gave no answer.

    ``code`` is too_long, too_many_rows, out_of_memory, cancelled or error; the text is the engine's own, and
    for the audit log alone.
    """

    def __init__(self, code: str, text: str, cpu_seconds: float = 0.0) -> None:
        super().__init__(text)
        self.code, self.cpu_seconds = code, cpu_seconds


class Cancel(Protocol):
    """Says that nobody waits for an answer any more."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


Form = Literal["arrow", "json", "csv", "parquet"]
"""How an answer is written."""


class QueryEngine(Protocol):
    """Answers checked queries on published versions, locked down: nothing outside of them can be reached.

    Safe for many threads.
    """

    def prepare(self, mart: str, number: int, relations: Sequence[Relation]) -> None:
        """Make a publication ready to be read; doing so twice changes nothing."""
        ...

    def sizes(self, mart: str, number: int) -> Mapping[str, Mapping[str, int]]:
        """Return how many bytes of Parquet each column of each table of a publication takes, by name.

        A view's columns take what the columns that it is made of take, as far as they bear the same name.
        """
        ...

    def run(self, execution: Execution, cancel: Cancel | None = None) -> Result:
        """Return the answer of a query. Raises ExecutionEnded."""
        ...

    def encode(self, result: Result, form: Form) -> Iterator[bytes]:
        """Yield an answer's bytes in a form, in pieces."""
        ...

    def digest(self, result: Result) -> str:
        """Return the digest of an answer's names, types and rows, whatever the order of the rows."""
        ...

    def forget(self, kept: "Collection[tuple[str, int]]") -> None:
        """Let go of all publications but these, once no query reads them."""
        ...

    def close(self) -> None:
        """End what runs, and remove what was made."""
        ...


class Telemetry(Protocol):
    """Takes facts in high volume: steps, queries, checks."""

    def record(self, kind: str, **facts: Any) -> None: ...


class Progress(Protocol):
    """Is told how a run goes, for whoever watches it."""

    def begins(self, subject: str, verb: str) -> None: ...

    def advances(self, subject: str, rows: int) -> None: ...

    def ends(self, subject: str, outcome: str) -> None: ...


class Platform(Protocol):
    """All ports, each with an adapter in it: what every use case is given."""

    @property
    def data(self) -> DataFolder: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def lake(self) -> Lake: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def connectors(self) -> Mapping[str, Connector]: ...
    @property
    def replays(self) -> Replays: ...
    @property
    def formats(self) -> Formats: ...
    @property
    def contracts(self) -> Contracts: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def notifiers(self) -> Sequence[Notifier]: ...
    @property
    def secrets(self) -> Secrets: ...
    @property
    def telemetry(self) -> Telemetry: ...
    @property
    def directory(self) -> Directory: ...
    @property
    def tokens(self) -> Tokens | None: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def queries(self) -> QueryEngine: ...
    @property
    def progress(self) -> Progress: ...
