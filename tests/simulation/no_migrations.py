"""The part of the cloud that the simulation does not play: its orders are never migrations."""

from __future__ import annotations

from typing import Any, NoReturn


class NoMigrations:
    """Calls that only a migration makes. Reaching one is a mistake of the system under test."""

    def set_vbr_bandwidth(self, **said: Any) -> NoReturn:
        """See ``application.ports.Cloud``."""
        raise AssertionError(f"no order here is a migration: {said}")

    create_from_vbr = attach_vbr = read_vbr = set_vbr_bandwidth
