"""How Alembic reaches the ledger: on the connection, and in the transaction, that it was handed."""

from alembic import context

from mart_platform.adapters.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a column by making the table anew
)
context.run_migrations()
