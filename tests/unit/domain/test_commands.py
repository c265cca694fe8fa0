"""Which commands follow from a connection, and which of them are paid for by whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crossport.domain.connection import Connection, Migration, Request, Terms
from crossport.domain.decide import decide
from crossport.domain.effects import Command, effects_of, moot
from crossport.domain.observation import Observation
from crossport.domain.vocabulary import Flow, OrderMode, Origin, Presence, RequestKind
from tests.unit.domain.examples import NOW, POLICY, VLAN, connection, port_read, port_seen

PARTNER_PAYS = Terms(spec="100M", vlan_id=VLAN, order_mode=OrderMode.PARTNER_PAYS)
MIGRATION = Migration(vbr_id="vbr-1", bandwidth_mbps=100)
MOVING = connection(flow=Flow.MIGRATION, migration=MIGRATION)
CHANGE = Request(request_id="CR-1", kind=RequestKind.CHANGE_SPEC, at=NOW, actor="noc", spec="200M")
CEASE = Request(request_id="CR-2", kind=RequestKind.CEASE, at=NOW, actor="noc")


def after(*observations: Observation, **changes: Any) -> Connection:
    return decide(connection(**changes), observations, POLICY).connection


def at(hours: float) -> Any:
    return NOW + timedelta(hours=hours)


def running(hours: float = 0, **fields: Any) -> Observation:
    return port_read(at(hours), **{"acceptance": "Confirmed", "status": "Enabled", **fields})


def partner_paid(hours: float = 0, **fields: Any) -> Observation:
    mode = str(OrderMode.PARTNER_PAYS)
    return port_read(at(hours), **{"acceptance": "Confirmed", "order_mode": mode, **fields})


COMMANDS_OF: list[tuple[Connection, dict[str, dict[str, Any]]]] = [
    (connection(intended_at=None), {}),
    (connection(), {"create_port": {}}),
    (MOVING, {"convert_vbr": {}}),
    (after(port_read()), {"create_port": {}, "read_port:created": {"port_id": "pc-1", "cause": "created"}}),
    (after(port_read(), intended_at=None), {}),
    (after(port_read(), intended_at=None, flow=Flow.MIGRATION, migration=MIGRATION), {}),
    (after(running(), intended_at=None, flow=Flow.MIGRATION, migration=MIGRATION), {"attach_vbr": {}}),
    (
        after(running(), intended_at=None, requests=(CHANGE, CEASE)),
        {"update_port:CR-1": {"cause": "CR-1"}, "settle_hold:CR-1": {"cause": "CR-1"}},
    ),
    (connection(withdrawn_at=NOW, intended_at=None), {}),
    (connection(withdrawn_at=NOW), {"create_port": {}, "withdraw_port": {}, "release_hold": {}}),
    (after(port_read(), withdrawn_at=NOW, intended_at=None), {"withdraw_port": {}}),
    (after(running(), cease_recorded_at=NOW, intended_at=None), {}),
    (
        after(partner_paid(), cease_recorded_at=NOW, intended_at=None, origin=Origin.CONSOLE),
        {"end_port": {}},
    ),
    (
        after(running(), cease_recorded_at=NOW),
        {
            "create_port": {},
            "read_port:created": {"port_id": "pc-1", "cause": "created"},
            "release_hold": {},
        },
    ),
    (after(port_read(), port_seen(at(1), acceptance="Deleted"), intended_at=None), {"release_hold": {}}),
    (after(port_read(), port_seen(at(1), presence=Presence.NOT_FOUND), intended_at=None), {"release_hold": {}}),
    (after(port_read(), port_seen(at(1), presence=Presence.NOT_LISTED), intended_at=None), {}),
]


@pytest.mark.parametrize(("known", "commands"), COMMANDS_OF)
def test_what_is_to_be_done(known: Connection, commands: dict[str, dict[str, Any]]) -> None:
    found = [one for one in effects_of(known, POLICY) if isinstance(one, Command)]
    assert {one.key.removeprefix("conn-1:"): one.details for one in found} == commands
    assert all(one.connection_id == "conn-1" and one.kind in one.key for one in found)


@pytest.mark.parametrize(
    ("pays_at", "terms", "origin", "accepted", "paid"),
    [
        ("accepted", PARTNER_PAYS, Origin.ORDER, False, False),
        ("accepted", PARTNER_PAYS, Origin.ORDER, True, True),
        ("created", PARTNER_PAYS, Origin.ORDER, False, True),
        ("created", PARTNER_PAYS, Origin.CONSOLE, True, False),
        ("created", connection().terms, Origin.ORDER, True, False),
    ],
)
def test_the_partner_pays_for_what_was_ordered_of_him_when_policy_says_so(
    pays_at: str, terms: Terms, origin: Origin, accepted: bool, paid: bool
) -> None:
    """Ruling 1."""
    policy = replace(POLICY, partner_pays_at=pays_at)
    seen = port_read(order_mode=str(terms.order_mode), acceptance="Confirmed" if accepted else "UnConfirmed")
    known = after(seen, terms=terms, origin=origin)
    found = [one for one in effects_of(known, policy) if one.kind == "pay_port"]
    assert bool(found) is paid
    assert all(isinstance(one, Command) and moot(one, known, policy) is None for one in found)
    enabled = decide(known, [running(1, order_mode=str(terms.order_mode))], policy).connection
    assert all(moot(one, enabled, policy) == "already_paid" for one in found)
