"""The world in memory that the tests of the use cases act in."""

from __future__ import annotations

import pytest

from tests.fakes.partner_world import PartnerWorld


@pytest.fixture
def world() -> PartnerWorld:
    """A partner with a circuit, tenants and a contract."""
    return PartnerWorld()
