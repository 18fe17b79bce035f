"""The ledger's tables: a column for what is looked up, the whole fact as JSON in ``record``.

``seq`` counts in the order of recording; "newest" always means the one that was recorded last. Moments that
are looked up count microseconds since 1970, UTC. A change here goes with a migration, and its revision joins
REVISIONS.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

REVISIONS = ("0001", "0002")
"""Alembic's revisions, oldest first; the last one is what this code reads and writes."""

POSTGRESQL_SCHEMA = "mart_ledger"
"""Keeps the ledger's names apart from those of others (Dagster's, say) in the same database."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


def _seq() -> Column[int]:
    """Return a counter; SQLite only counts by itself in a column that it calls INTEGER."""
    return Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False)


def _moment(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


# Runs and what they read

runs = Table(
    "runs",
    metadata,
    _seq(),
    _text("id"),
    Column("ended_at", BigInteger),
    _text("record"),
    Index("ix_runs_id", "id", unique=True),
)

pins = Table(
    "pins",
    metadata,
    _text("run", key=True),
    _text("table_name", key=True),
    _text("fingerprint"),
    _text("version"),
    _text("record"),
)

readings = Table("readings", metadata, _text("id", key=True), _text("record"))

# Batches, builds and versions

batches = Table(
    "batches",
    metadata,
    _seq(),
    _text("id"),
    _text("table_name"),
    _text("fingerprint"),
    _text("record"),
    Index("ix_batches_table_name_fingerprint_id", "table_name", "fingerprint", "id", unique=True),
)

# The files and intervals that many versions share, packed; module `packing` says how.
version_bases = Table("version_bases", metadata, _seq(), Column("packed", LargeBinary, nullable=False))

# `record` lacks files and intervals: they are in `base`, but for the difference.
versions = Table(
    "versions",
    metadata,
    _seq(),
    _text("table_name"),
    _text("fingerprint"),
    _text("id"),
    Column("is_view", Boolean, nullable=False),
    _text("record"),
    Column("base", ForeignKey("version_bases.seq"), nullable=False),
    Column("difference", LargeBinary, nullable=False),
    Index("ix_versions_table_name_fingerprint_id", "table_name", "fingerprint", "id", unique=True),
    Index("ix_versions_table_name_fingerprint_seq", "table_name", "fingerprint", "seq"),
    Index("ix_versions_base", "base"),
)

builds = Table(
    "builds",
    metadata,
    _seq(),
    _text("table_name"),
    _text("fingerprint"),
    _text("version"),
    _text("content"),
    _moment("at"),
    _text("record"),
    Index("ix_builds_table_name_seq", "table_name", "seq"),
    Index("ix_builds_table_name_fingerprint_version_at", "table_name", "fingerprint", "version", "at"),
)

# The newest build of each physical table, so that asking for all of them does not read the history.
newest_builds = Table(
    "newest_builds",
    metadata,
    _text("table_name", key=True),
    _text("fingerprint", key=True),
    Column("build", ForeignKey("builds.seq"), nullable=False),
)

intervals = Table(
    "intervals",
    metadata,
    _text("table_name", key=True),
    _text("fingerprint", key=True),
    _text("interval", key=True),
    _text("record"),
)

restatements = Table(
    "restatements",
    metadata,
    _seq(),
    _text("table_name"),
    _text("record"),
    Index("ix_restatements_table_name_seq", "table_name", "seq"),
)

verdicts = Table(
    "verdicts",
    metadata,
    _seq(),
    _text("table_name"),
    _text("content"),
    _text("fingerprint"),
    _moment("at"),
    _text("record"),
    Index("ix_verdicts_table_name_content_seq", "table_name", "content", "seq"),
    Index("ix_verdicts_table_name_fingerprint_seq", "table_name", "fingerprint", "seq"),
)

# Backfills

backfills = Table(
    "backfills", metadata, _seq(), _text("id"), _text("record"), Index("ix_backfills_id", "id", unique=True)
)

pieces = Table(
    "pieces",
    metadata,
    _seq(),
    _text("backfill"),
    _text("table_name"),
    _text("record"),
    Index("ix_pieces_backfill_table_name_seq", "backfill", "table_name", "seq"),
)

# What readers see

publications = Table(
    "publications",
    metadata,
    _text("mart", key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _text("state"),
    _text("record"),
    Index("ix_publications_mart_state_number", "mart", "state", "number"),
)

holds = Table("holds", metadata, _text("mart", key=True), _text("record"))

legal_holds = Table("legal_holds", metadata, _text("name", key=True), _text("record"))

# No row is ever deleted: a lease that ended (holder NULL) keeps its token, so that the next one is larger.
leases = Table(
    "leases",
    metadata,
    _text("name", key=True),
    Column("holder", Text),
    Column("token", BigInteger, nullable=False),
    _moment("expires"),
)

# Who may ask

principals = Table("principals", metadata, _text("name", key=True), _text("record"))


def _of_principals(name: str) -> Table:
    """Return a table of records that are called by their ids, and looked up by principal."""
    return Table(
        name,
        metadata,
        _seq(),
        _text("id"),
        _text("principal"),
        _text("record"),
        Index(f"ix_{name}_id", "id", unique=True),
        Index(f"ix_{name}_principal_seq", "principal", "seq"),
    )


grants, credentials = _of_principals("grants"), _of_principals("credentials")

approvals = Table(
    "approvals",
    metadata,
    _seq(),
    _text("mart"),
    _text("record"),
    Index("ix_approvals_mart_seq", "mart", "seq"),
)

# The rest

# Counts changes, so that who keeps a copy can ask cheaply whether it still holds.
counters = Table("counters", metadata, _text("name", key=True), Column("value", BigInteger, nullable=False))

settings = Table("settings", metadata, _text("name", key=True), _text("value"))

freshness = Table(
    "freshness", metadata, _text("mart", key=True), _text("objective", key=True), _text("record")
)

storage = Table("storage", metadata, _text("day", key=True), _text("subject", key=True), _text("record"))

events = Table(
    "events",
    metadata,
    _seq(),
    _text("subject"),
    _text("kind"),
    _moment("at"),
    _text("record"),
    Index("ix_events_subject_seq", "subject", "seq"),
    Index("ix_events_kind_seq", "kind", "seq"),
)
