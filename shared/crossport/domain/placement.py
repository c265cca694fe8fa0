"""Where a connection runs: what obligations, the impact of an outage and notices about a circuit look at.

A connection is decoded for none of them: a placement is made of the columns that lists have, a million at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

from crossport.domain.effects.kinds import ALIVE
from crossport.domain.observation import PortObservation
from crossport.domain.specs import MBPS
from crossport.domain.vocabulary import Phase

#: Phases in which there is a port that is, or may become, a service.
WITH_PORT = ALIVE - {Phase.ORDERED, Phase.PROVISIONING}


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """One connection, where it runs and how it stands."""

    connection_id: str
    account_id: str
    region: str
    circuit_id: str
    #: "" when its circuit is not on record.
    access_point: str
    tenant_uid: str
    #: "" when it is in no redundancy group.
    group_id: str
    phase: Phase
    port_id: str | None
    #: -1 when none was ever agreed.
    vlan_id: int
    spec: str
    #: What we know of the port, as a list would show it; None while there is none, and once it is gone.
    port: PortObservation | None = None

    @property
    def there(self) -> bool:
        """Whether it has a port that is, or may become, a service."""
        return self.phase in WITH_PORT

    @property
    def expect_spec(self) -> str:
        """The spec that a change has asked for and that is not in effect yet; "" when there is none."""
        expected = self.port.expect_spec if self.port is not None else ""
        return expected if expected and expected != self.spec else ""

    @property
    def mbps(self) -> int:
        """Mbit/s that it takes of its circuit: the larger spec while a change is unpaid (rule 5); 0 if unknown."""
        return max(MBPS.get(self.spec, 0), MBPS.get(self.expect_spec, 0))
