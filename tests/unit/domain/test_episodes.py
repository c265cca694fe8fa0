"""How many separate times something was so: the numbers in the keys of notices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crossport.domain.connection import Connection, Migration, Request
from crossport.domain.decide import decide
from crossport.domain.effects.episodes import payment_episodes, port_episodes, return_episodes, violation_episodes
from crossport.domain.facts import PortFacts
from crossport.domain.observation import Observation
from crossport.domain.vocabulary import Flow, OrderMode, RequestKind
from tests.unit.domain.examples import (
    NOW,
    POLICY,
    STRANGER,
    VLAN,
    connection,
    port_read,
    vbr_read,
)

HOUR = timedelta(hours=1)
MOVING = {"flow": Flow.MIGRATION, "migration": Migration(vbr_id="vbr-1", bandwidth_mbps=100)}
PARTNER_PAYS = str(OrderMode.PARTNER_PAYS)
CHANGE = Request(request_id="CR-1", kind=RequestKind.CHANGE_VLAN, at=NOW, actor="noc", vlan_id=0)


def after(*seen: Observation, **changes: Any) -> Connection:
    return decide(connection(**changes), seen, POLICY).connection


def port(name: str, *values: Any) -> list[Observation]:
    """Reads of the port, an hour apart, in which a field takes these values one after the other."""
    return [port_read(NOW + n * HOUR, **{name: value}) for n, value in enumerate(values)]


def vbr(name: str, *values: Any, vbr_id: str = "vbr-1") -> list[Observation]:
    """The same of a VBR."""
    return [vbr_read(NOW + n * HOUR, vbr_id=vbr_id, **{name: value}) for n, value in enumerate(values)]


def facts(*seen: Observation) -> PortFacts:
    found = after(*seen).port
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "values", "times"),
    [
        ("business_status", ("Normal", "Normal"), {"FinancialLocked": (0, 0), "Normal": (1, 0)}),
        (
            "business_status",
            ("FinancialLocked", "Normal", "SecurityLocked", "Odd", "Normal", "FinancialLocked"),
            {"FinancialLocked": (2, None), "SecurityLocked": (1, None), "Normal": (2, 2)},
        ),
        ("status", ("Enabled", "Terminated", "Enabled", "Terminated"), {"Terminated": (2, None), "Enabled": (None, 1)}),
        ("status", ("Enabled", "Allocated", "Enabled"), {"Terminated": (0, None), "Enabled": (None, 0)}),
    ],
)
def test_locks_terminations_and_returns_are_counted(
    name: str, values: tuple[str, ...], times: dict[str, tuple[int | None, int | None]]
) -> None:
    known = facts(*port(name, *values))
    for value, (episodes, returns) in times.items():
        if episodes is not None:
            assert port_episodes(known, value) == episodes
        if returns is not None:
            assert return_episodes(known, value) == returns


def test_payments_are_counted_by_their_end() -> None:
    one, other = NOW + 24 * HOUR, NOW + 48 * HOUR
    known = facts(*port("end_time", one, one, other, one))
    assert (payment_episodes(known, one), payment_episodes(known, other)) == (2, 1)
    assert payment_episodes(known, NOW) == 0


@pytest.mark.parametrize(
    ("known", "episodes"),
    [
        (connection(), {}),
        (after(port_read(), vbr_read()), {}),
        (after(*port("tenant_uid", STRANGER)), {"wrong_port_owner:pc-1": 1}),
        (after(*port("tenant_uid", STRANGER, None, STRANGER, "4")), {"wrong_port_owner:pc-1": 2}),
        (after(*port("vlan_id", VLAN, 0, VLAN, 0)), {"wrong_port_vlan:pc-1": 4}),
        # An accepted change that the port shows: its old VLAN ID is the one that differs.
        (after(*port("vlan_id", VLAN, 0), requests=(CHANGE,)), {"wrong_port_vlan:pc-1": 2}),
        (after(*port("vlan_id", 0), requests=(CHANGE,)), {}),
        (after(*port("circuit_id", "pc-other")), {"wrong_port_circuit:pc-1": 1}),
        (after(*port("order_mode", PARTNER_PAYS)), {"wrong_order_mode:pc-1": 1}),
        (after(*port("spec", "200M", "300M")), {}),
        (after(*port("spec", "100M"), **MOVING), {}),
        (after(*port("spec", "100M", "200M"), **MOVING), {"wrong_port_spec:pc-1": 2}),
    ],
)
def test_a_port_unlike_its_order_is_counted_by_the_runs_of_the_field(
    known: Connection, episodes: dict[str, int]
) -> None:
    assert violation_episodes(known) == episodes


@pytest.mark.parametrize(
    ("seen", "episodes"),
    [
        (vbr("owner_uid", STRANGER), {"wrong_vbr_owner:vbr-1": 1}),
        (vbr("owner_uid", STRANGER, "4", STRANGER), {"wrong_vbr_owner:vbr-1": 3}),
        ([vbr_read(owner_uid=STRANGER, port_id="pc-other")], {"wrong_vbr_owner:vbr-1": 1}),
        (
            [
                vbr_read(NOW + n * HOUR, owner_uid=STRANGER, port_id=port_id)
                for n, port_id in enumerate(("pc-1", "pc-other", "pc-1"))
            ],
            {"wrong_vbr_owner:vbr-1": 2},
        ),
        (vbr("vlan_id", 0), {"wrong_vlan:vbr-1": 1}),
        (vbr("vlan_id", 0, VLAN, 0), {"wrong_vlan:vbr-1": 3}),
        (vbr("vlan_id", None), {}),
        (
            [
                vbr_read(NOW + n * HOUR, vlan_id=0, port_id=port_id)
                for n, port_id in enumerate(("pc-1", "pc-other", "pc-1"))
            ],
            {"wrong_vlan:vbr-1": 2},
        ),
        ([vbr_read(vlan_id=0, port_id=None)], {"wrong_vlan:vbr-1": 1}),
        ([vbr_read(), vbr_read(vbr_id="vbr-2")], {"second_vbr:vbr-1": 1, "second_vbr:vbr-2": 1}),
        (
            [vbr_read(port_id="pc-other"), vbr_read(vbr_id="vbr-2", port_id="pc-other")],
            {"second_vbr:vbr-1": 1, "second_vbr:vbr-2": 1},
        ),
        (
            [vbr_read(vbr_id=f"vbr-{n}", port_id="pc-other") for n in (1, 2, 3)],
            {"second_vbr:vbr-1": 2, "second_vbr:vbr-2": 2, "second_vbr:vbr-3": 2},
        ),
        (
            [vbr_read(vbr_id="vbr-2"), *vbr("port_id", "pc-1", "pc-other", "pc-1", "pc-other", "pc-1")],
            {"second_vbr:vbr-1": 3, "second_vbr:vbr-2": 3},
        ),
    ],
)
def test_vbrs_that_should_not_be_are_counted_by_their_comings(
    seen: list[Observation], episodes: dict[str, int]
) -> None:
    assert violation_episodes(after(port_read(), *seen)) == episodes


def test_a_vbr_counts_with_every_vlan_that_the_port_had_or_was_to_have() -> None:
    ordered_then_changed = after(port_read(), vbr_read(), requests=(CHANGE,))
    assert violation_episodes(ordered_then_changed) == {"wrong_port_vlan:pc-1": 1, "wrong_vlan:vbr-1": 1}
    moved = after(*port("vlan_id", VLAN, 0, VLAN), vbr_read())
    assert violation_episodes(moved) == {"wrong_port_vlan:pc-1": 3, "wrong_vlan:vbr-1": 3}


def test_strange_words_are_counted_by_what_they_were_said_of() -> None:
    seen = [
        *port("status", "Melted", "Enabled", "Melted"),
        *port("business_status", "Odd"),
        *port("acceptance", "Maybe", "Maybe"),
        *vbr("status", "melting", "active", "boiling"),
    ]
    assert violation_episodes(after(*seen)) == {"unknown_status:pc-1": 4, "unknown_status:vbr-1": 2}
    everywhere = [*port("status", "Odd"), *port("business_status", "Odd"), *port("acceptance", "Odd")]
    everywhere += vbr("status", "Odd")
    assert violation_episodes(after(*everywhere)) == {"unknown_status:pc-1": 3, "unknown_status:vbr-1": 1}
