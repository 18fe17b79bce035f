"""The ledger as it began."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    _facts_in_order("runs", "id")
    op.create_index("ix_runs_id", "runs", ["id"], unique=True)
    _facts_in_order("batches", "id", "table_name", "fingerprint")
    op.create_index(
        "ix_batches_table_name_fingerprint_id", "batches", ["table_name", "fingerprint", "id"], unique=True
    )
    _facts_in_order("builds", "table_name", "fingerprint")
    op.create_index("ix_builds_table_name_seq", "builds", ["table_name", "seq"])
    _facts_in_order("verdicts", "table_name", "content", "fingerprint")
    op.create_index("ix_verdicts_table_name_content_seq", "verdicts", ["table_name", "content", "seq"])
    op.create_index(
        "ix_verdicts_table_name_fingerprint_seq", "verdicts", ["table_name", "fingerprint", "seq"]
    )
    _facts_in_order("events", "subject", "kind")
    op.create_index("ix_events_subject_seq", "events", ["subject", "seq"])
    op.create_index("ix_events_kind_seq", "events", ["kind", "seq"])

    _by_key("pins", _text("run"), _text("table_name"), record="record")
    _by_key("versions", _text("table_name"), _text("fingerprint"), _text("id"), record="record")
    _by_key(
        "publications", _text("mart"), sa.Column("number", sa.BigInteger, nullable=False), record="record"
    )
    _by_key("holds", _text("mart"), record="record")
    _by_key("settings", _text("name"), record="value")
    _by_key("freshness", _text("mart"), _text("objective"), record="record")

    op.create_table(
        "newest_builds",
        _text("table_name"),
        _text("fingerprint"),
        sa.Column("build", _counter(), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "fingerprint", name="pk_newest_builds"),
        sa.ForeignKeyConstraint(["build"], ["builds.seq"], name="fk_newest_builds_build"),
    )
    op.create_table(
        "leases",
        _text("name"),
        sa.Column("holder", sa.Text),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def downgrade() -> None:
    """Refuse: what stood here before is nothing, and a ledger is not thrown away by a migration."""
    raise NotImplementedError("the first revision cannot be taken back; remove the ledger instead")


def _facts_in_order(table: str, *looked_up: str) -> None:
    op.create_table(
        table,
        sa.Column("seq", _counter(), nullable=False),
        *(_text(name) for name in looked_up),
        _text("record"),
        sa.PrimaryKeyConstraint("seq", name=f"pk_{table}"),
    )


def _by_key(table: str, *key: sa.Column[str] | sa.Column[int], record: str) -> None:
    names = [column.name for column in key]
    op.create_table(table, *key, _text(record), sa.PrimaryKeyConstraint(*names, name=f"pk_{table}"))


def _counter() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)
