"""The ledger as it began."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    _facts_in_order("runs", _text("id"), sa.Column("ended_at", sa.BigInteger))
    _index("runs", "id", unique=True)
    _facts_in_order("batches", _text("id"), _text("table_name"), _text("fingerprint"))
    _index("batches", "table_name", "fingerprint", "id", unique=True)
    _facts_in_order("restatements", _text("table_name"))
    _index("restatements", "table_name", "seq")
    _facts_in_order("backfills", _text("id"))
    _index("backfills", "id", unique=True)
    _facts_in_order("pieces", _text("backfill"), _text("table_name"))
    _index("pieces", "backfill", "table_name", "seq")
    _facts_in_order(
        "builds", _text("table_name"), _text("fingerprint"), _text("version"), _text("content"), _number("at")
    )
    _index("builds", "table_name", "seq")
    _index("builds", "table_name", "fingerprint", "version", "at")
    _facts_in_order("verdicts", _text("table_name"), _text("content"), _text("fingerprint"), _number("at"))
    _index("verdicts", "table_name", "content", "seq")
    _index("verdicts", "table_name", "fingerprint", "seq")
    _facts_in_order("events", _text("subject"), _text("kind"), _number("at"))
    _index("events", "subject", "seq")
    _index("events", "kind", "seq")

    _by_key("pins", "run", "table_name", more=[_text("fingerprint"), _text("version"), _text("record")])
    _by_key("intervals", "table_name", "fingerprint", "interval")
    _by_key("readings", "id")
    _by_key("holds", "mart")
    _by_key("legal_holds", "name")
    _by_key("freshness", "mart", "objective")
    _by_key("storage", "day", "subject")
    _by_key("settings", "name", more=[_text("value")])
    _by_key("leases", "name", more=[sa.Column("holder", sa.Text), _number("token"), _number("expires")])

    op.create_table(
        "publications",
        _text("mart"),
        _number("number"),
        _text("state"),
        _text("record"),
        sa.PrimaryKeyConstraint("mart", "number", name="pk_publications"),
    )
    _index("publications", "mart", "state", "number")
    op.create_table(
        "newest_builds",
        _text("table_name"),
        _text("fingerprint"),
        sa.Column("build", _counter(), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "fingerprint", name="pk_newest_builds"),
        sa.ForeignKeyConstraint(["build"], ["builds.seq"], name="fk_newest_builds_build"),
    )
    op.create_table(
        "version_bases",
        sa.Column("seq", _counter(), nullable=False),
        sa.Column("packed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_version_bases"),
    )
    op.create_table(
        "versions",
        sa.Column("seq", _counter(), nullable=False),
        _text("table_name"),
        _text("fingerprint"),
        _text("id"),
        sa.Column("is_view", sa.Boolean, nullable=False),
        _text("record"),
        sa.Column("base", _counter(), nullable=False),
        sa.Column("difference", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_versions"),
        sa.ForeignKeyConstraint(["base"], ["version_bases.seq"], name="fk_versions_base"),
    )
    _index("versions", "table_name", "fingerprint", "id", unique=True)
    _index("versions", "table_name", "fingerprint", "seq")
    _index("versions", "base")


def downgrade() -> None:
    """Refuse: what stood here before is nothing, and a ledger is not thrown away by a migration."""
    raise NotImplementedError("the first revision cannot be taken back; remove the ledger instead")


def _facts_in_order(table: str, *looked_up: sa.Column[str] | sa.Column[int]) -> None:
    op.create_table(
        table,
        sa.Column("seq", _counter(), nullable=False),
        *looked_up,
        _text("record"),
        sa.PrimaryKeyConstraint("seq", name=f"pk_{table}"),
    )


def _by_key(table: str, *key: str, more: list[sa.Column[str] | sa.Column[int]] | None = None) -> None:
    columns = [*(_text(name) for name in key), *(more or [_text("record")])]
    op.create_table(table, *columns, sa.PrimaryKeyConstraint(*key, name=f"pk_{table}"))


def _index(table: str, *columns: str, unique: bool = False) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns), unique=unique)


def _counter() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)
