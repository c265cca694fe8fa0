"""Migrations of the database by Alembic (the ``ops`` extra); nothing else imports SQLAlchemy."""

from crossport.adapters.migrations.migrate import migrate

__all__ = ["migrate"]
