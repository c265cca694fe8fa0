"""Which commands follow from a connection.

A command is derived as soon as something calls for it. Whether its time has come (the port is known, the tenant has
paid, no VBR is left) is for whoever carries it out to see: it waits, looks again, and goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crossport.domain.connection import Connection
from crossport.domain.effects.kinds import Command, key_of
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Flow, MilestoneName, OrderMode, Origin, Presence, RequestKind

_CHANGES = frozenset({RequestKind.CHANGE_SPEC, RequestKind.CHANGE_VLAN})
#: What gates the push, made once: every decision asks.
_WITHOUT_UID = {name: frozenset({name}) for name in MilestoneName}
_WITH_UID = {name: frozenset({name, MilestoneName.UID_CONFIRMED}) for name in MilestoneName}


def commands_of(connection: Connection, policy: Policy) -> Iterator[Command]:
    """Every command that the facts and accepted requests call for."""
    yield from _provisioning(connection, policy)
    yield from _changes(connection)
    yield from _endings(connection)
    if connection.group_id and not connection.refusals:
        yield from _of_group(connection)


def _provisioning(connection: Connection, policy: Policy) -> Iterator[Command]:
    port = connection.port
    if connection.intended_at is not None:
        yield _command(connection, "create_port" if connection.flow is Flow.NEW else "convert_vbr")
    if connection.intended_at is not None and port is not None:
        # The create call answers with an id alone; the port's own words follow from a read.
        yield _command(connection, "read_port", port_id=port.port_id, cause="created")
    ours_to_pay = connection.origin is Origin.ORDER and connection.terms.order_mode == OrderMode.PARTNER_PAYS
    if (
        port is not None
        and ours_to_pay
        and not connection.refusals
        and (policy.partner_pays_at == "created" or port.confirmed)
    ):
        yield _command(connection, "pay_port")
    if attach_due(connection):
        yield _command(connection, "attach_vbr")
    if connection.came_late:
        yield _command(connection, "hold_port")


def attach_due(connection: Connection) -> bool:
    """Rule 16: the VBR is attached by the partner, after its port was made from it and the tenant has confirmed it."""
    return connection.migration is not None and connection.port is not None and connection.port.confirmed


def _changes(connection: Connection) -> Iterator[Command]:
    for request in connection.requests:
        if request.kind in _CHANGES:
            yield _command(connection, "update_port", cause=request.request_id)
            yield _command(connection, "settle_hold", cause=request.request_id)
        elif request.kind is RequestKind.RECOVER:
            yield _command(connection, "recover", cause=request.request_id)


def _endings(connection: Connection) -> Iterator[Command]:
    """Taking back an offer is tried whoever pays ([INF], ruling 4); ending a service only where we are the payer."""
    if connection.withdrawn_at is not None and (connection.port is not None or connection.intended_at is not None):
        yield _command(connection, "withdraw_port")
    if connection.cease_recorded_at is not None and connection.order_mode == OrderMode.PARTNER_PAYS:
        yield _command(connection, "end_port")
    ended = connection.withdrawn_at is not None or connection.cease_recorded_at is not None
    if (connection.intended_at is not None and ended) or _missed(connection):
        yield _command(connection, "release_hold")
    if connection.came_late and connection.hold_released_at is not None:
        # The commands of the withdrawal were done before there was a port.
        yield _command(connection, "withdraw_port", cause="late")
        if _missed(connection):
            yield _command(connection, "release_hold", cause="late")


def _of_group(connection: Connection) -> Iterator[Command]:
    """The group is joined once, and looked at whenever a member of it comes or goes (ruling 17)."""
    yield _command(connection, "join_group")
    if connection.port is not None:
        yield _command(connection, "check_group", cause="port")
    if connection.cease_recorded_at is not None:
        yield _command(connection, "check_group", cause="ceased")
    if connection.failure is not None or connection.withdrawn_at is not None or _missed(connection):
        yield _command(connection, "check_group", cause="ended")


def _missed(connection: Connection) -> bool:
    port = connection.port
    return port is not None and (port.deleted or Presence.NOT_FOUND in port.presence.values())


def gates(policy: Policy) -> frozenset[MilestoneName]:
    """The milestones that must be reached before the create call may be intended (rulings 5 and 11)."""
    return _WITH_UID[policy.push_after] if policy.confirm_uid else _WITHOUT_UID[policy.push_after]


def ready_to_push(connection: Connection, policy: Policy) -> bool:
    """Whether the create call may be intended now: every milestone that gates it is reached, and the sibling is there.

    Of a redundancy group both orders are valid before either port is made (ruling 17).
    """
    if connection.group_id and connection.group_ready_at is None:
        return False
    return all(connection.milestone(name) is not None for name in gates(policy))


def _command(connection: Connection, kind: str, **details: Any) -> Command:
    key = key_of(connection, kind, details.get("cause", ""))
    return Command(key=key, kind=kind, connection_id=connection.connection_id, details=details)
