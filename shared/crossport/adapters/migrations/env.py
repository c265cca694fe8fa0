"""What Alembic runs to carry out revisions; ``migrate`` hands it the open transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo

_attributes = context.config.attributes


def _note(ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]) -> None:  # noqa: ARG001
    """Alembic calls it with these names as keywords."""
    _attributes["applied"].extend(revision for revision in step.up_revision_ids)


context.configure(connection=_attributes["connection"], on_version_apply=_note)
context.run_migrations()
