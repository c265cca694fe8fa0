"""What every store promises reconciliation: what is known of a circuit's ports, and what a run leaves behind."""

from __future__ import annotations

from dataclasses import replace

from crossport.application.ports import CircuitRun, Save
from crossport.domain.decide import Finding
from crossport.domain.differences import known_of
from crossport.domain.sweep import SweptCircuit
from crossport.domain.visibility import VbrVisibility
from tests.contract.store_examples import CIRCUIT, MINUTE, NOW, PARTNER, connection, save, saved, stored, with_port
from tests.contract.store_insight import Stores
from tests.unit.domain.examples import WINDOW

CLASH = Finding(code="vlan_clash", subject="120", details={"port_ids": ["pc-1", "pc-2"]})


def with_known(one: Save) -> Save:
    """The save with what lists should show of its port."""
    return replace(one, known=known_of(one.connection, WINDOW))


def run(*breaches: Finding, complete: bool = True, minute: int = 0) -> CircuitRun:
    """A run that found one difference."""
    return CircuitRun(
        circuit_id=CIRCUIT.circuit_id,
        account_id=PARTNER,
        at=NOW + minute * MINUTE,
        complete=complete,
        why="" if complete else "throttled",
        listed=2,
        differences=({"kind": "changed", "port_id": "pc-1"},),
        breaches=breaches,
    )


def test_ports_are_known_in_order_of_their_ids(stores: Stores) -> None:
    for number, port_id in ((1, "pc-b"), (2, "pc-a"), (3, "pc-B")):
        saved(stores.store, with_known(save(with_port(connection(number, vlan_id=number), port_id))))
    saved(stores.store, save(connection(4, vlan_id=4)))
    known = list(stores.other.known_ports(CIRCUIT.circuit_id))
    assert [one.port_id for one in known] == ["pc-B", "pc-a", "pc-b"]
    assert known[1] == known_of(stored(stores.store, "conn-2").connection, WINDOW)
    assert list(stores.store.known_ports("pc-elsewhere")) == []


def test_what_is_known_moves_with_the_connection(stores: Stores) -> None:
    saved(stores.store, with_known(save(with_port(connection()))))
    before = stored(stores.store)
    gone = with_port(before.connection, acceptance="Deleted", at=NOW + MINUTE)
    saved(stores.store, with_known(save(gone, before)))
    (known,) = stores.store.known_ports(CIRCUIT.circuit_id)
    assert known == known_of(gone, WINDOW)
    assert known.over


def test_findings_of_a_circuit_open_and_clear_with_its_runs(stores: Stores) -> None:
    store = stores.store
    store.reconciled(run(CLASH))
    assert stores.insight.findings() == [f"{CIRCUIT.circuit_id}:vlan_clash:120"]
    store.reconciled(run(complete=False, minute=1))
    assert stores.insight.findings() == [f"{CIRCUIT.circuit_id}:vlan_clash:120"]
    store.reconciled(run(minute=2))
    assert stores.insight.findings() == []
    store.reconciled(run(CLASH, minute=3))
    assert stores.insight.findings() == [f"{CIRCUIT.circuit_id}:vlan_clash:120"]


def test_the_latest_complete_run_of_every_circuit_is_known(stores: Stores) -> None:
    (before,) = stores.store.swept_circuits()
    assert before == SweptCircuit(circuit_id=CIRCUIT.circuit_id, account_id=PARTNER, region=CIRCUIT.region)
    stores.store.reconciled(replace(run(complete=False), listed=7))
    assert stores.other.swept_circuits() == (before,)
    stores.store.reconciled(run(minute=1))
    after = replace(before, listed=2, completed_at=NOW + MINUTE)
    assert stores.other.swept_circuits() == (after,)
    stores.store.reconciled(replace(run(complete=False, minute=2), listed=1))
    assert stores.other.swept_circuits() == (after,)


def test_where_an_account_sees_vbrs_is_kept_and_corrected(stores: Stores) -> None:
    assert stores.store.vbr_visibility(PARTNER) is None
    stores.store.put_vbr_visibility(PARTNER, VbrVisibility.NONE, evidence="nothing was ever shown", at=NOW)
    assert stores.other.vbr_visibility(PARTNER) is VbrVisibility.NONE
    stores.other.put_vbr_visibility(PARTNER, VbrVisibility.PORT, evidence="a port showed one", at=NOW + MINUTE)
    assert stores.store.vbr_visibility(PARTNER) is VbrVisibility.PORT
    assert stores.store.vbr_visibility("9") is None
