"""The first schema: every table of the store."""

from __future__ import annotations

from alembic import op

from crossport.adapters.store.queries import schema_of

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables, from the dialect's schema file."""
    connection = op.get_bind()
    for statement in schema_of(connection.dialect.name, "0001_first"):
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """A ledger is not taken back."""
    raise NotImplementedError("there is nothing before the first schema; restore a backup instead")
