"""The second schema: what reconciliation, deadlines, dead letters and the operations centre keep."""

from __future__ import annotations

from alembic import op

from crossport.adapters.store.queries import schema_of

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the tables and columns, from the dialect's schema file."""
    connection = op.get_bind()
    for statement in schema_of(connection.dialect.name, "0002_operations"):
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """What was kept of the past is not thrown away."""
    raise NotImplementedError("a schema is not taken back; restore a backup instead")
