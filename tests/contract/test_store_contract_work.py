"""What every store promises workers and operators: leases, sealing, receipts, administration."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from crossport.adapters.store.chain import GENESIS, seal_hash
from crossport.application.errors import IntegrityConflictError
from crossport.application.ports import Completion, OutboxState, SaveOutcome, Store, Stored
from crossport.domain.orders import Hold
from tests.contract.store_examples import (
    CIRCUIT,
    DECLARED,
    MINUTE,
    NOW,
    SIGNED,
    TENANT,
    billing_record,
    command,
    connection,
    event,
    reversal,
    save,
    saved,
    stored,
    take,
    with_port,
)
from tests.contract.store_insight import Stores

LOST = SaveOutcome.LOST


class TestOutbox:
    def test_a_leased_row_is_whole_and_nobody_elses(self, stores: Stores) -> None:
        row = command("c1", connection_id="conn-1", not_before=NOW)
        saved(stores.store, save(connection(), outbox=(row,)))
        (leased,) = stores.store.take(now=NOW, lease_for=MINUTE, lease="a", limit=10)
        assert leased.row == row
        assert (leased.lease, leased.attempts, leased.reason, leased.created_at) == ("a", 1, "", NOW)
        assert take(stores.other, lease="b") == []

    def test_an_expired_lease_is_due_again(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), outbox=(command("c1"),)))
        take(stores.store, lease="a")
        (again,) = stores.other.take(now=NOW + MINUTE, lease_for=MINUTE, lease="b", limit=10)
        assert again.attempts == 2
        late = Completion(key="c1", lease="a", state=OutboxState.DONE)
        assert not stores.store.finish(late, at=NOW + MINUTE)
        assert stores.other.finish(replace(late, lease="b"), at=NOW + MINUTE)
        assert take(stores.store, at=NOW + 5 * MINUTE) == []

    def test_a_row_waits_for_its_time(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), outbox=(command("c1", not_before=NOW + MINUTE),)))
        assert take(stores.store) == []
        assert take(stores.store, at=NOW + MINUTE) == ["c1"]

    def test_the_oldest_come_first_and_limit_is_kept(self, stores: Stores) -> None:
        for number, age in enumerate([2, 5, 3, 5], start=1):
            saved(stores.store, save(connection(number), outbox=(command(f"c{number}"),), at=NOW - age * MINUTE))
        assert take(stores.store, limit=3) == ["c2", "c4", "c3"]
        assert take(stores.other, limit=3) == ["c1"]

    def test_rows_of_one_save_keep_their_order(self, stores: Stores) -> None:
        keys = ["zeta", "alpha", "mid"]
        saved(stores.store, save(connection(), outbox=tuple(command(key) for key in keys)))
        assert take(stores.store) == keys

    def test_a_row_put_off_says_why_and_comes_back(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), outbox=(command("c1"),)))
        take(stores.store, lease="a")
        later = Completion(
            key="c1", lease="a", state=OutboxState.DUE, reason="throttled", not_before=NOW + timedelta(seconds=5)
        )
        assert stores.store.finish(later, at=NOW)
        assert take(stores.store, at=NOW + timedelta(seconds=4)) == []
        (again,) = stores.store.take(now=NOW + timedelta(seconds=5), lease_for=MINUTE, lease="b", limit=10)
        assert (again.reason, again.attempts) == ("throttled", 2)

    @pytest.mark.parametrize(
        ("reason", "wakes", "woken"),
        [
            ("waiting:terminated", True, True),
            ("too_early:phase_is_suspended", True, True),
            ("waiting:terminated", False, False),
            ("throttled", True, False),
        ],
    )
    def test_what_waits_for_a_change_of_its_connection_is_due_when_it_comes(
        self, stores: Stores, reason: str, wakes: bool, woken: bool
    ) -> None:
        saved(stores.store, save(connection(), outbox=(command("c1", connection_id="conn-1"),)))
        take(stores.store, lease="a")
        put_off = Completion(
            key="c1", lease="a", state=OutboxState.DUE, reason=reason, not_before=NOW + 60 * MINUTE, seen=1
        )
        assert stores.store.finish(put_off, at=NOW)
        assert take(stores.store, at=NOW + MINUTE) == []
        saved(stores.other, replace(save(with_port(connection()), stored(stores.store), at=NOW + MINUTE), wakes=wakes))
        assert take(stores.store, at=NOW + MINUTE) == (["c1"] if woken else [])

    def test_a_change_that_came_during_the_turn_wakes_too(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), outbox=(command("c1", connection_id="conn-1"),)))
        take(stores.store, lease="a")
        saved(stores.other, replace(save(with_port(connection()), stored(stores.store)), wakes=True))
        judged_before = Completion(
            key="c1", lease="a", state=OutboxState.DUE, reason="waiting:x", not_before=NOW + 60 * MINUTE, seen=1
        )
        assert stores.store.finish(judged_before, at=NOW)
        assert take(stores.store, lease="b", at=NOW) == ["c1"]
        assert stores.store.finish(replace(judged_before, lease="b", seen=2), at=NOW)
        assert take(stores.store, at=NOW + MINUTE) == []

    def test_a_save_does_not_wake_the_row_whose_turn_it_ends(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), outbox=(command("c1", connection_id="conn-1"),)))
        take(stores.store, lease="a")
        waits = Completion(
            key="c1", lease="a", state=OutboxState.DUE, reason="waiting:x", not_before=NOW + 60 * MINUTE, seen=1
        )
        saved(stores.store, replace(save(with_port(connection()), stored(stores.store), completion=waits), wakes=True))
        assert take(stores.store, at=NOW + MINUTE) == []
        assert take(stores.store, at=NOW + 60 * MINUTE) == ["c1"]

    @pytest.mark.parametrize("state", [OutboxState.DONE, OutboxState.DROPPED, OutboxState.FAILED])
    def test_an_end_is_an_end(self, stores: Stores, state: OutboxState) -> None:
        saved(stores.store, save(connection(), outbox=(command("c1"),)))
        take(stores.store, lease="a")
        assert stores.store.finish(Completion(key="c1", lease="a", state=state, reason="x"), at=NOW)
        assert not stores.store.finish(Completion(key="c1", lease="a", state=OutboxState.DUE), at=NOW)
        assert take(stores.store, at=NOW + 60 * MINUTE) == []

    def test_a_completion_is_saved_with_what_it_brought(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), outbox=(command("c1"),)))
        take(stores.store, lease="a")
        done = Completion(key="c1", lease="a", state=OutboxState.DONE)
        saved(stores.store, save(with_port(connection()), stored(stores.store), completion=done))
        assert take(stores.store, at=NOW + 60 * MINUTE) == []

    def test_a_save_whose_lease_is_lost_is_lost(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), outbox=(command("c1"),)))
        take(stores.store, lease="a")
        take(stores.other, lease="b", at=NOW + MINUTE)
        done = Completion(key="c1", lease="a", state=OutboxState.DONE)
        late = save(with_port(connection()), stored(stores.store), completion=done, inputs=(event(),))
        assert list(stores.store.save([late])) == [LOST]
        assert stored(stores.store) == Stored(connection=connection(), version=1)
        assert stores.other.finish(replace(done, lease="b"), at=NOW + MINUTE)


class TestSeal:
    def seal(self, store: Store, *, holder: str = "a", at: Any = NOW, limit: int = 10) -> int:
        return store.seal(now=at, holder=holder, lease_for=MINUTE, limit=limit)

    def test_sealed_records_form_a_chain(self, stores: Stores) -> None:
        first, second = billing_record(1), billing_record(2, amount=None)
        saved(stores.store, save(connection(), records=(second, first)))
        saved(stores.store, save(connection(), stored(stores.store), records=(reversal(first),), at=NOW + MINUTE))
        assert self.seal(stores.store) == 3
        one, three, two = stores.insight.ledger()
        assert [one["seq"], two["seq"], three["seq"]] == [1, 2, 3]
        previous = GENESIS
        for row, record in ((one, first), (two, second), (three, reversal(first))):
            assert row["prev_hash"] == previous
            previous = seal_hash(
                prev_hash=previous, seq=row["seq"], key=record.key, record=record.record, reverses=record.reverses
            )
            assert row["hash"] == previous

    def test_the_chain_goes_on_in_the_next_run(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), records=(billing_record(1), billing_record(2))))
        assert [self.seal(stores.store, limit=1) for _ in range(3)] == [1, 1, 0]
        one, two = stores.insight.ledger()
        assert two["prev_hash"] == one["hash"]

    def test_a_second_sealer_waits_for_the_lease(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), records=(billing_record(1), billing_record(2))))
        assert self.seal(stores.store, holder="a", limit=1) == 1
        assert self.seal(stores.other, holder="b") == 0
        assert self.seal(stores.other, holder="b", at=NOW + MINUTE) == 1

    def test_each_sealed_record_becomes_a_message(self, stores: Stores) -> None:
        record = billing_record()
        saved(stores.store, save(connection(), records=(record, reversal(record))))
        self.seal(stores.store)
        first, second = stores.store.take(now=NOW, lease_for=MINUTE, lease="a", limit=10)
        assert first.row.target == "queue:billing-records"
        assert first.row.payload.items() >= {**record.content, "key": record.key, "seq": 1, "sign": 1}.items()
        assert (first.row.payload["reverses"], first.row.connection_id) == (None, "conn-1")
        assert (second.row.payload["sign"], second.row.payload["reverses"]) == (-1, record.key)
        assert len({first.row.payload["hash"], second.row.payload["hash"]}) == 2


class TestReceipts:
    def test_a_receipt_counts_once_for_each_channel(self, stores: Stores) -> None:
        given: dict[str, Any] = {"key": "n1", "recipient": "ops@example.com", "at": NOW, "reference": "250 ok"}
        assert not stores.store.has_receipt("n1", "mail")
        assert stores.store.receipt(channel="mail", **given)
        assert not stores.other.receipt(channel="mail", **given)
        assert stores.other.has_receipt("n1", "mail")
        assert not stores.other.has_receipt("n1", "dingtalk")
        assert stores.other.receipt(channel="dingtalk", **given)


class TestAdministration:
    AUDITED: dict[str, Any] = {"actor": "wang", "reason": "ticket 7", "at": NOW}  # noqa: RUF012

    def test_configuration_has_versions(self, stores: Stores) -> None:
        put: Any = stores.store
        assert stores.store.configuration() is None
        assert put.put_configuration({"accounts": [], "名": "值"}, **self.AUDITED) == 1
        assert put.put_configuration({"accounts": [1]}, **self.AUDITED) == 2
        assert put.put_configuration({"accounts": [1]}, **self.AUDITED) == 2, "the same document keeps its version"
        assert put.put_configuration({"accounts": [], "名": "值"}, **self.AUDITED) == 3
        assert stores.other.configuration() == (3, {"accounts": [], "名": "值"})

    def test_what_is_held_outlives_a_change_of_the_circuit(self, stores: Stores) -> None:
        put: Any = stores.store
        circuit = stores.store.circuit(CIRCUIT.circuit_id)
        assert circuit is not None
        held = Hold(circuit_id=CIRCUIT.circuit_id, vlan_id=3, mbps=200, connection_id="conn-1")
        saved(stores.store, save(connection(), hold=held, circuit=circuit.hold(3, 200)))
        assert put.put_circuit(replace(CIRCUIT, bandwidth_mbps=2_000, status="Locked"), **self.AUDITED)
        assert not put.put_circuit(replace(CIRCUIT, bandwidth_mbps=2_000, status="Locked"), **self.AUDITED)
        assert stores.other.circuit(CIRCUIT.circuit_id) == replace(
            CIRCUIT, bandwidth_mbps=2_000, status="Locked", held_mbps=200, vlan_bitmap=8, version=3
        )

    def test_an_order_decided_on_the_old_circuit_is_lost(self, stores: Stores) -> None:
        put: Any = stores.store
        circuit = stores.store.circuit(CIRCUIT.circuit_id)
        assert circuit is not None
        put.put_circuit(replace(CIRCUIT, bandwidth_mbps=100), **self.AUDITED)
        held = Hold(circuit_id=CIRCUIT.circuit_id, vlan_id=3, mbps=200, connection_id="conn-1")
        assert list(stores.store.save([save(connection(), hold=held, circuit=circuit.hold(3, 200))])) == [LOST]

    def test_a_circuit_does_not_change_hands(self, stores: Stores) -> None:
        put: Any = stores.store
        with pytest.raises(IntegrityConflictError):
            put.put_circuit(replace(CIRCUIT, account_id="3333"), **self.AUDITED)

    def test_a_tenant_and_a_contract_can_be_changed(self, stores: Stores) -> None:
        put: Any = stores.store
        tenant = DECLARED
        assert put.put_tenant(tenant, **self.AUDITED)
        assert not put.put_tenant(tenant, **self.AUDITED)
        assert put.put_tenant(replace(tenant, language="en"), **self.AUDITED)
        assert stores.other.tenant(TENANT) == replace(tenant, language="en")
        contract = SIGNED
        assert put.put_contract(contract, **self.AUDITED)
        assert not put.put_contract(contract, **self.AUDITED)
        assert put.put_contract(replace(contract, valid_until=date(2027, 1, 1)), **self.AUDITED)
