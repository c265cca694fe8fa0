"""The VPC API as far as the partner's side needs it, and what its calls answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from crossport.domain.observation import PortObservation, VbrObservation


@dataclass(frozen=True, kw_only=True, slots=True)
class CreatePort:
    """The parameters of CreateVirtualPhysicalConnection. ``token`` is the same for every try of one intent."""

    account_id: str
    region: str
    circuit_id: str
    tenant_uid: str
    vlan_id: int
    spec: str
    order_mode: str
    name: str
    token: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer to a call of ours: its value and the cloud's Date."""

    value: str
    date: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """What a read showed. Observations are stamped with the answer's Date; the consistency window is not taken off."""

    date: datetime
    port: PortObservation | None
    vbrs: tuple[VbrObservation, ...] = ()
    #: The port's Name, which tells a port that our create call made from one made by hand; None when it was not said.
    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VbrRead:
    """One VBR: what was observed, and its configuration as canonical JSON for the before and after of a migration.

    The configuration leaves out what a migration itself changes: what the VBR hangs on, its cap, what it costs, and the
    times of its activation, termination and recovery.
    """

    date: datetime
    vbr: VbrObservation | None
    configuration: str = ""
    #: The bandwidth cap in Mbit/s; None when the VBR has none.
    bandwidth_mbps: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PortPage:
    """One page of the ports of a circuit. The ports are stamped with this page's own Date, window not taken off."""

    #: The Date of the *first* page: what a complete listing does not hold was not there then.
    started: datetime
    ports: tuple[PortObservation, ...]
    #: How many ports the cloud says that the whole listing has.
    total: int


class CloudFailure(StrEnum):
    """What kind of failure a cloud call met, which decides what happens next."""

    #: Throttled, 5xx, or not reached at all: try again later. A 5xx may come after the effect of a write.
    RETRYABLE = "retryable"
    #: Time-out or a broken connection after sending: it may have happened.
    UNKNOWN = "unknown"
    #: The cloud said no, for good.
    PERMANENT = "permanent"
    #: The create privilege is not there (its window has closed): ask again for it, then go on (ruling 6).
    PRIVILEGE = "privilege"


class Calls(Protocol):
    """The cloud's quota of calls by account, region and API (the operation's documented name), shared by everybody."""

    def take(self, account_id: str, region: str, api: str) -> None:
        """Take one call. Raises ``CloudCallError`` when none is left: nothing was sent."""
        ...

    def throttled(self, account_id: str, region: str, api: str) -> None:
        """The cloud has refused a call for too many of them."""
        ...


class Cloud(Protocol):
    """The VPC API, as far as the partner's side needs it. Methods raise ``CloudCallError``."""

    def create_port(self, request: CreatePort, *, dry_run: bool) -> Answer:
        """CreateVirtualPhysicalConnection; the value is the port's id ("" for a dry run)."""
        ...

    def pay_port(
        self, *, account_id: str, region: str, port_id: str, months: int, auto_renew: bool, token: str
    ) -> Answer:
        """CreatePhysicalConnectionOccupancyOrder with AutoPay; the value is the order id."""
        ...

    def update_port(
        self, *, account_id: str, region: str, port_id: str, vlan_id: int, expect_spec: str, token: str
    ) -> Answer:
        """UpdateVirtualPhysicalConnection; ``expect_spec`` "" changes the VLAN ID alone; the value is empty."""
        ...

    def terminate_port(self, *, account_id: str, region: str, port_id: str, token: str) -> Answer:
        """TerminatePhysicalConnection: asynchronous; a read must see Terminated."""
        ...

    def delete_port(self, *, account_id: str, region: str, port_id: str, token: str) -> Answer:
        """DeletePhysicalConnection. A port that is gone already counts as deleted."""
        ...

    def recover_port(self, *, account_id: str, region: str, port_id: str, token: str) -> Answer:
        """RecoverPhysicalConnection: asynchronous; a read must see Enabled."""
        ...

    def recover_vbr(self, *, account_id: str, region: str, vbr_id: str, token: str) -> Answer:
        """RecoverVirtualBorderRouter: only the circuit's owner may, on an Enabled port; a read must see active."""
        ...

    def terminate_vbr(self, *, account_id: str, region: str, vbr_id: str, token: str) -> Answer:
        """TerminateVirtualBorderRouter: only the circuit's owner may."""
        ...

    def delete_vbr(self, *, account_id: str, region: str, vbr_id: str, token: str) -> Answer:
        """DeleteVirtualBorderRouter. A VBR that is gone already counts as deleted."""
        ...

    def set_vbr_bandwidth(
        self, *, account_id: str, region: str, vbr_id: str, bandwidth_mbps: int, token: str
    ) -> Answer:
        """UpdateVirtualBorderBandwidth: the cap that a migration needs (ruling 16); the value is empty."""
        ...

    def create_from_vbr(self, *, account_id: str, region: str, vbr_id: str, order_mode: str, token: str) -> Answer:
        """CreateVpconnFromVbr; the value is the port's id."""
        ...

    def attach_vbr(self, *, account_id: str, region: str, vbr_id: str, port_id: str, token: str) -> Answer:
        """AttachVbrToVpconn. A VBR that is attached to this port already counts as attached (ruling 16)."""
        ...

    def read_vbr(self, *, account_id: str, region: str, vbr_id: str) -> VbrRead:
        """One VBR with its configuration, cross-account ones included; ``vbr`` is None when none is shown."""
        ...

    def read_port(self, *, account_id: str, region: str, port_id: str) -> Read:
        """The port by its id and the VBRs on it; ``port`` is None when a complete answer does not hold it."""
        ...

    def find_port(self, *, account_id: str, region: str, circuit_id: str, vlan_id: int, tenant_uid: str) -> Read:
        """The live port on this circuit with this VLAN ID and tenant, if there is one: did our create call happen?

        It may have been made by hand: its ``name`` tells.
        """
        ...

    def list_ports(self, *, account_id: str, region: str, circuit_id: str) -> Iterator[PortPage]:
        """Every port of a circuit, a page at a time and in no promised order, so that memory stays constant.

        The listing is complete when the iterator has ended by itself. A page that fails or is missing raises
        ``CloudCallError`` from the iterator: what was listed until then is true, and of all else nothing is known,
        least of all that it is gone (rule 20). A port may come twice when the list moves under the reader.
        """
        ...

    def list_vbrs(self, *, account_id: str, region: str, circuit_id: str) -> tuple[VbrObservation, ...]:
        """Every VBR of a circuit and of its ports that the circuit's owner is shown, of all accounts; complete.

        ``circuit_id`` may be a port's id instead: the VBRs on that port.

        The list does not say on which port a VBR hangs: ``port_id`` is None. Whether VBRs on shared ports are shown at
        all is not documented (ruling 8, [INF]).
        """
        ...
