"""What every store promises about VLAN IDs and bandwidth: taken and given back with the circuit, never forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from crossport.application.errors import IntegrityConflictError
from crossport.application.ports import Save, SaveOutcome, Store
from crossport.domain.circuit import Circuit
from crossport.domain.orders import Hold
from tests.contract.store_examples import CIRCUIT, MINUTE, NOW, PARTNER, TENANT, connection, save, saved, stored
from tests.contract.store_insight import Stores

LOST = SaveOutcome.LOST
LATER = NOW + MINUTE


def _hold(vlan_id: int, number: int = 1, mbps: int = 200) -> Hold:
    return Hold(circuit_id=CIRCUIT.circuit_id, vlan_id=vlan_id, mbps=mbps, connection_id=f"conn-{number}")


def _circuit(store: Store) -> Circuit:
    circuit = store.circuit(CIRCUIT.circuit_id)
    assert circuit is not None
    return circuit


def _ordered(store: Store, vlan_id: int, number: int = 1, *, at: datetime = NOW) -> Save:
    """A new connection that holds its VLAN ID and 200 Mbit/s."""
    of = connection(number, vlan_id=vlan_id)
    return save(of, hold=_hold(vlan_id, number), circuit=_circuit(store).hold(vlan_id, 200), at=at)


def _moved(
    store: Store, number: int = 1, *, release: tuple[Hold, ...] = (), hold: Hold | None = None, at: datetime = LATER
) -> Save:
    """The next save of a connection, with the circuit after what it gives back and takes."""
    circuit = _circuit(store)
    for given_back in release:
        circuit = circuit.release(given_back.vlan_id, given_back.mbps)
    if hold is not None:
        circuit = circuit.hold(hold.vlan_id, hold.mbps)
    before = stored(store, f"conn-{number}")
    return save(before.connection, before, release=release, hold=hold, circuit=circuit, at=at)


def _live(store: Store, number: int = 1) -> tuple[Hold, ...]:
    return store.load_order(
        connection_id=f"conn-{number}", account_id=PARTNER, circuit_id=CIRCUIT.circuit_id, tenant_uid=TENANT
    ).holds


class TestTake:
    @pytest.mark.parametrize("vlan_id", [0, 1, 63, 64, 2_999])
    def test_a_hold_moves_the_circuit(self, stores: Stores, vlan_id: int) -> None:
        saved(stores.store, _ordered(stores.store, vlan_id))
        assert _circuit(stores.other) == replace(CIRCUIT, held_mbps=200, vlan_bitmap=1 << vlan_id, version=2)
        assert _live(stores.other) == (_hold(vlan_id),)

    def test_two_orders_on_one_reading_of_the_circuit(self, stores: Stores) -> None:
        first, second = _ordered(stores.store, 7, 1), _ordered(stores.other, 8, 2)
        saved(stores.store, first)
        assert list(stores.other.save([second])) == [LOST]
        assert stores.store.get("conn-2") is None
        assert _live(stores.store, 2) == ()
        saved(stores.other, _ordered(stores.other, 8, 2))

    def test_a_lost_connection_leaves_the_circuit_alone(self, stores: Stores) -> None:
        saved(stores.store, save(connection(1)))
        assert list(stores.store.save([_ordered(stores.store, 7, 1)])) == [LOST]
        circuit = _circuit(stores.store)
        assert (circuit.held_mbps, circuit.version) == (0, 1)
        assert _live(stores.store) == ()

    def test_holds_are_the_truth_where_the_bitmap_is_wrong(self, stores: Stores) -> None:
        saved(stores.store, _ordered(stores.store, 0, 1))
        stale = replace(_ordered(stores.store, 5, 2), hold=_hold(0, 2))
        with pytest.raises(IntegrityConflictError):
            stores.store.save([stale])

    def test_holds_are_asked_for_by_connection_and_circuit(self, stores: Stores) -> None:
        saved(stores.store, _ordered(stores.store, 7, 1))
        saved(stores.store, _ordered(stores.store, 3, 2))
        assert _live(stores.store, 1) == (_hold(7, 1),)
        assert _live(stores.store, 2) == (_hold(3, 2),)
        elsewhere = stores.store.load_order(
            connection_id="conn-1", account_id=PARTNER, circuit_id="pc-other", tenant_uid=TENANT
        )
        assert elsewhere.holds == ()


class TestChange:
    @pytest.mark.parametrize("vlan_id", [0, 9])
    def test_a_change_of_spec_gives_back_what_it_takes_again(self, stores: Stores, vlan_id: int) -> None:
        saved(stores.store, _ordered(stores.store, vlan_id))
        old, larger = _hold(vlan_id), _hold(vlan_id, mbps=500)
        saved(stores.other, _moved(stores.other, release=(old,), hold=larger))
        assert _circuit(stores.store) == replace(CIRCUIT, held_mbps=500, vlan_bitmap=1 << vlan_id, version=3)
        assert _live(stores.store) == (larger,)
        assert stores.insight.holds() == [
            (vlan_id, 200, "conn-1", NOW, LATER),
            (vlan_id, 500, "conn-1", LATER, None),
        ]

    def test_a_change_of_vlan_holds_two_until_the_old_one_is_free(self, stores: Stores) -> None:
        saved(stores.store, _ordered(stores.store, 120))
        saved(stores.store, _moved(stores.store, hold=_hold(0, mbps=0)))
        assert _live(stores.other) == (_hold(0, mbps=0), _hold(120))
        circuit = _circuit(stores.store)
        assert (circuit.held_mbps, circuit.vlan_bitmap) == (200, 1 << 120 | 1)
        settled = _moved(
            stores.other, release=(_hold(120), _hold(0, mbps=0)), hold=_hold(0), at=NOW + timedelta(hours=1)
        )
        saved(stores.other, settled)
        assert _live(stores.store) == (_hold(0),)
        circuit = _circuit(stores.store)
        assert (circuit.held_mbps, circuit.vlan_bitmap) == (200, 1)


class TestGiveBack:
    def test_two_holds_go_in_one_save(self, stores: Stores) -> None:
        saved(stores.store, _ordered(stores.store, 120))
        saved(stores.store, _moved(stores.store, hold=_hold(121, mbps=0)))
        saved(stores.store, _moved(stores.store, release=_live(stores.store), at=NOW + timedelta(hours=1)))
        assert _live(stores.other) == ()
        circuit = _circuit(stores.other)
        assert (circuit.held_mbps, circuit.vlan_bitmap, circuit.version) == (0, 0, 4)

    @pytest.mark.parametrize("vlan_id", [0, 120])
    def test_another_connection_may_have_it_next_and_the_history_stays(self, stores: Stores, vlan_id: int) -> None:
        saved(stores.store, _ordered(stores.store, vlan_id, 1))
        saved(stores.store, _moved(stores.store, release=(_hold(vlan_id),)))
        saved(stores.other, _ordered(stores.other, vlan_id, 2, at=NOW + timedelta(hours=1)))
        assert _live(stores.store, 1) == ()
        assert _live(stores.store, 2) == (_hold(vlan_id, 2),)
        assert stores.insight.holds() == [
            (vlan_id, 200, "conn-1", NOW, LATER),
            (vlan_id, 200, "conn-2", NOW + timedelta(hours=1), None),
        ]

    def test_what_is_not_held_cannot_be_given_back(self, stores: Stores) -> None:
        saved(stores.store, save(connection(1)))
        with pytest.raises(IntegrityConflictError):
            stores.store.save([save(connection(1), stored(stores.store), release=(_hold(9),))])

    def test_what_was_given_back_is_not_given_back_again(self, stores: Stores) -> None:
        saved(stores.store, _ordered(stores.store, 9))
        saved(stores.store, _moved(stores.store, release=(_hold(9),)))
        with pytest.raises(IntegrityConflictError):
            stores.store.save([save(connection(1), stored(stores.store), release=(_hold(9),))])
        assert stores.insight.holds() == [(9, 200, "conn-1", NOW, LATER)]

    def test_anothers_hold_is_not_given_back_and_nothing_else_is(self, stores: Stores) -> None:
        saved(stores.store, _ordered(stores.store, 7, 1))
        saved(stores.store, _ordered(stores.store, 8, 2))
        with pytest.raises(IntegrityConflictError) as raised:
            stores.store.save([_moved(stores.store, 1, release=(_hold(7, 1), _hold(8, 1)))])
        assert raised.value.connection_id == "conn-1"
        assert _live(stores.other, 1) == (_hold(7, 1),)
        assert _live(stores.other, 2) == (_hold(8, 2),)
        assert _circuit(stores.other).held_mbps == 400

    def test_a_lost_save_gives_nothing_back(self, stores: Stores) -> None:
        saved(stores.store, _ordered(stores.store, 7))
        late = _moved(stores.store, release=(_hold(7),))
        saved(stores.other, save(connection(1), stored(stores.other)))
        assert list(stores.store.save([late])) == [LOST]
        assert _live(stores.store) == (_hold(7),)
