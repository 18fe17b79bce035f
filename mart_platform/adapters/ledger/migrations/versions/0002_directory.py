"""The directory: principals, grants, credentials, approved rights, and the count of their changes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = ("principals", "grants", "credentials", "approvals", "counters")


def upgrade() -> None:
    """Make the directory's tables."""
    op.create_table("principals", _text("name"), _text("record"), _key("principals", "name"))
    op.create_table("counters", _text("name"), _number("value"), _key("counters", "name"))
    for table in ("grants", "credentials"):
        op.create_table(table, _seq(), _text("id"), _text("principal"), _text("record"), _key(table, "seq"))
        op.create_index(f"ix_{table}_id", table, ["id"], unique=True)
        op.create_index(f"ix_{table}_principal_seq", table, ["principal", "seq"])
    op.create_table("approvals", _seq(), _text("mart"), _text("record"), _key("approvals", "seq"))
    op.create_index("ix_approvals_mart_seq", "approvals", ["mart", "seq"])


def downgrade() -> None:
    """Remove the directory, with all that is in it."""
    for table in _TABLES:
        op.drop_table(table)


def _seq() -> sa.Column[int]:
    return sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _key(table: str, column: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(column, name=f"pk_{table}")
