"""The ledger's tables: a column for what is looked up, the whole fact as JSON in ``record``.

``seq`` counts in the order of recording; "newest" always means the one that was recorded last. A change
here goes with a migration, and its revision joins REVISIONS.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, Table, Text

REVISIONS = ("0001",)
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


runs = Table("runs", metadata, _seq(), _text("id"), _text("record"), Index("ix_runs_id", "id", unique=True))

pins = Table("pins", metadata, _text("run", key=True), _text("table_name", key=True), _text("record"))

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

versions = Table(
    "versions",
    metadata,
    _text("table_name", key=True),
    _text("fingerprint", key=True),
    _text("id", key=True),
    _text("record"),
)

builds = Table(
    "builds",
    metadata,
    _seq(),
    _text("table_name"),
    _text("fingerprint"),
    _text("record"),
    Index("ix_builds_table_name_seq", "table_name", "seq"),
)

# The newest build of each physical table, so that asking for all of them does not read the history.
newest_builds = Table(
    "newest_builds",
    metadata,
    _text("table_name", key=True),
    _text("fingerprint", key=True),
    Column("build", ForeignKey("builds.seq"), nullable=False),
)

verdicts = Table(
    "verdicts",
    metadata,
    _seq(),
    _text("table_name"),
    _text("content"),
    _text("fingerprint"),
    _text("record"),
    Index("ix_verdicts_table_name_content_seq", "table_name", "content", "seq"),
    Index("ix_verdicts_table_name_fingerprint_seq", "table_name", "fingerprint", "seq"),
)

publications = Table(
    "publications",
    metadata,
    _text("mart", key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _text("record"),
)

holds = Table("holds", metadata, _text("mart", key=True), _text("record"))

# No row is ever deleted: a lease that ended (holder NULL) keeps its token, so that the next one is larger.
# `expires` counts microseconds since 1970, UTC.
leases = Table(
    "leases",
    metadata,
    _text("name", key=True),
    Column("holder", Text),
    Column("token", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
)

settings = Table("settings", metadata, _text("name", key=True), _text("value"))

freshness = Table(
    "freshness", metadata, _text("mart", key=True), _text("objective", key=True), _text("record")
)

events = Table(
    "events",
    metadata,
    _seq(),
    _text("subject"),
    _text("kind"),
    _text("record"),
    Index("ix_events_subject_seq", "subject", "seq"),
    Index("ix_events_kind_seq", "kind", "seq"),
)
