"""Ports found on our circuits without an order of ours (ruling 2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crossport.domain.adoption import Adoption, decide_adoption
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Terms, connection_id_for
from crossport.domain.decide import Finding
from crossport.domain.orders import Hold
from crossport.domain.vocabulary import Flow, OrderMode, Origin, Phase
from tests.unit.domain.examples import (
    CIRCUIT,
    NOW,
    PARTNER,
    POLICY,
    PORT,
    REGION,
    TENANT,
    circuit,
    contract,
    port_read,
    tenant,
)

HOUR = timedelta(hours=1)


def adopted(on: Circuit | None = None, **seen: Any) -> Adoption:
    return decide_adoption(port_read(NOW - HOUR, **seen), on or circuit(), tenant(), (contract(),), POLICY)


def findings(adoption: Adoption) -> set[str]:
    return {finding.code for finding in adoption.decision.findings}


def test_a_port_from_the_console_is_adopted_as_it_is() -> None:
    found = adopted()
    connection = found.decision.connection
    assert (connection.origin, connection.port_id, connection.tenant_uid) == (Origin.CONSOLE, PORT, TENANT)
    assert (connection.contract_number, found.decision.phase) == ("C-1", Phase.OFFERED)
    assert found.hold == Hold(circuit_id=CIRCUIT, vlan_id=120, mbps=100, connection_id=connection.connection_id)
    assert found.circuit == circuit().hold(120, 100)
    assert findings(found) == set()
    # The create call was not ours: nothing is created, read again or paid for.
    assert {effect.kind for effect in found.decision.effects} == {"port_adopted"}


def test_an_adopted_port_is_opened_as_it_was_read() -> None:
    found = adopted().decision.connection
    assert found.connection_id == connection_id_for(PARTNER, "port", PORT)
    assert (found.account_id, found.region, found.circuit_id) == (PARTNER, REGION, CIRCUIT)
    assert (found.flow, found.created_at, found.client_order_id) == (Flow.NEW, NOW - HOUR, "")
    assert found.terms == Terms(spec="100M", vlan_id=120, order_mode=str(OrderMode.TENANT_PAYS))
    imported = decide_adoption(
        port_read(NOW), circuit(), tenant(), (contract(number="C-0", signed_on=None),), POLICY, origin=Origin.IMPORT
    )
    assert (imported.decision.connection.origin, imported.decision.connection.contract_number) == (Origin.IMPORT, "")
    # Historic ports are taken in without a word to anybody.
    assert imported.decision.effects == ()


def test_a_finding_of_an_adopted_port_says_where_it_is() -> None:
    (finding,) = adopted(circuit().hold(0, 50), vlan_id=7).decision.findings
    assert finding == Finding(code="vlan_clash", subject=PORT, details={"circuit_id": CIRCUIT, "vlan_id": 7})


def test_findings_of_the_decision_come_first() -> None:
    nothing_for_sale = replace(POLICY, price_list=replace(POLICY.price_list, port_month={}))
    found = decide_adoption(
        port_read(NOW, enabled_time=NOW, spec="9G"), circuit(), tenant(), (contract(),), nothing_for_sale
    )
    assert [each.code for each in found.decision.findings] == ["price_missing", "spec_unknown"]


def test_a_spec_that_no_one_knows_takes_no_bandwidth() -> None:
    found = adopted(spec="9G")
    assert found.hold is not None
    assert (found.hold.mbps, found.circuit.held_mbps) == (0, 0)


def test_a_port_without_tenant_or_contract_is_a_finding() -> None:
    for known in (tenant(), None):
        found = decide_adoption(port_read(NOW), circuit(), known, (), POLICY)
        assert findings(found) == {"port_without_contract"}
        assert found.hold is not None


@pytest.mark.parametrize(
    ("seen", "on", "codes"),
    [
        ({"vlan_id": 7}, circuit().hold(0, 50), {"vlan_clash"}),
        ({"vlan_id": 0}, circuit().hold(7, 50), {"vlan_clash"}),
        ({"spec": "2G"}, circuit(bandwidth_mbps=10_000), {"spec_not_offered"}),
        ({"spec": "9G"}, circuit(), {"spec_unknown"}),
        ({"order_mode": "PayByNobody"}, circuit(), {"order_mode_unknown"}),
        ({"spec": "200M"}, circuit(held_mbps=801), {"over_capacity"}),
        ({"spec": "200M"}, circuit(held_mbps=800), set()),
    ],
)
def test_a_breach_is_a_finding_and_the_port_is_held_all_the_same(
    seen: dict[str, Any], on: Circuit, codes: set[str]
) -> None:
    found = adopted(on, **seen)
    assert findings(found) == codes
    assert found.hold is not None
    assert found.circuit == on.hold(found.hold.vlan_id, found.hold.mbps)


@pytest.mark.parametrize("vlan_id", [0, 120])
def test_a_vlan_that_is_held_already_is_not_held_twice(vlan_id: int) -> None:
    line = circuit().hold(vlan_id, 100)
    found = adopted(line, vlan_id=vlan_id)
    assert "vlan_clash" in findings(found)
    assert (found.hold, found.circuit) == (None, line)
    assert found.decision.connection.vlan_id == vlan_id


def test_a_vlan_out_of_range_is_recorded_but_not_held() -> None:
    found = adopted(vlan_id=4_000)
    assert [finding.code for finding in found.decision.findings] == ["vlan_out_of_range"]
    assert findings(adopted(circuit().hold(0, 50), vlan_id=4_000)) == {"vlan_out_of_range"}
    assert (found.hold, found.circuit) == (None, circuit())
    assert found.decision.connection.vlan_id == 4_000


@pytest.mark.parametrize("missing", ["tenant_uid", "spec", "vlan_id", "order_mode"])
def test_an_incomplete_read_is_not_adopted(missing: str) -> None:
    with pytest.raises(ValueError, match=f"^the read of {PORT} is not complete enough to adopt it$"):
        adopted(**{missing: None})


def test_the_same_port_opens_the_same_connection() -> None:
    assert adopted().decision.connection.connection_id == adopted(spec="200M").decision.connection.connection_id
