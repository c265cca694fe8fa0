"""What every store promises (application.ports.Store); runs on the fake and on each engine."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from crossport.application.errors import IntegrityConflictError
from crossport.application.ports import SaveOutcome, Stored, Unrouted
from crossport.domain.decide import Finding
from crossport.domain.observation import PortObservation
from crossport.domain.vocabulary import Origin, Source, Verdict
from tests.contract.store_examples import (
    CIRCUIT,
    DECLARED,
    MINUTE,
    NOW,
    PARTNER,
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
    with_vbr,
)
from tests.contract.store_insight import Stores

SAVED, LOST, DUPLICATE = SaveOutcome.SAVED, SaveOutcome.LOST, SaveOutcome.DUPLICATE


class TestSave:
    def test_a_new_connection_is_kept_whole(self, stores: Stores) -> None:
        of = with_vbr(with_port(connection(), vlan_id=0, status="Enabled"), vlan_id=0)
        saved(stores.store, save(of))
        assert stores.other.get("conn-1") == Stored(connection=of, version=1)

    def test_an_unknown_connection_is_none(self, stores: Stores) -> None:
        assert stores.store.get("conn-1") is None

    def test_the_version_moves_with_every_save(self, stores: Stores) -> None:
        saved(stores.store, save(connection()))
        saved(stores.store, save(with_port(connection()), stored(stores.store)))
        assert stored(stores.store).version == 2
        assert stored(stores.store).connection.port_id == "pc-port"

    def test_inserting_what_is_there_is_lost(self, stores: Stores) -> None:
        saved(stores.store, save(connection()))
        assert list(stores.other.save([save(with_port(connection()))])) == [LOST]
        assert stored(stores.store).connection == connection()

    def test_a_stale_version_is_lost_and_writes_nothing(self, stores: Stores) -> None:
        saved(stores.store, save(connection()))
        seen_by_both = stored(stores.store)
        saved(stores.store, save(with_port(connection()), seen_by_both))
        late = save(
            with_vbr(connection()),
            seen_by_both,
            inputs=(event("late"),),
            outbox=(command("late"),),
            records=(billing_record(),),
            findings=(Finding(code="late", subject="x", details={}),),
        )
        assert list(stores.other.save([late])) == [LOST]
        assert stores.store.load(keys=["late"], routes=["vbr:vbr-1"]).inbox == {}
        assert stores.store.load(routes=["vbr:vbr-1"]).connections == {}
        assert take(stores.store) == []
        assert stores.insight.audit() == []
        assert stores.insight.ledger() == []
        assert stores.insight.findings() == []

    def test_updating_what_was_never_saved_is_lost(self, stores: Stores) -> None:
        assert list(stores.store.save([save(connection(), Stored(connection=connection(), version=1))])) == [LOST]

    def test_a_second_arrival_is_a_duplicate_and_writes_nothing(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), inputs=(event("e1"),)))
        again = save(with_port(connection()), stored(stores.store), inputs=(event("e0"), event("e1")))
        assert list(stores.other.save([again])) == [DUPLICATE]
        assert stored(stores.store) == Stored(connection=connection(), version=1)
        assert stores.store.load(keys=["e0", "e1"]).inbox == {"e1": "digest of e1"}
        assert [row["event_key"] for row in stores.insight.audit()] == ["e1"]

    def test_an_input_that_claims_nothing_is_only_audited(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), inputs=(event("e1", claims=False),)))
        assert stores.store.load(keys=["e1"]).inbox == {}
        assert stores.insight.audit() == [{"event_key": "e1", "verdict": "applied", "connection_id": "conn-1"}]

    def test_a_further_key_of_an_input_is_claimed_without_a_row_of_its_own(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), inputs=(event("e1"), event("e1/order", shown=False))))
        assert set(stores.store.load(keys=["e1", "e1/order"]).inbox) == {"e1", "e1/order"}
        assert [row["event_key"] for row in stores.insight.audit()] == ["e1"]

    def test_a_batch_goes_on_past_a_losing_save(self, stores: Stores) -> None:
        saved(stores.store, save(connection(1)), save(connection(2), inputs=(event("known"),)))
        batch = [
            save(connection(3), inputs=(event("e3"),)),
            save(connection(1), inputs=(event("e1"),)),
            save(with_port(connection(2)), stored(stores.store, "conn-2"), inputs=(event("known"),)),
            save(connection(4), inputs=(event("e4"),)),
        ]
        assert list(stores.other.save(batch)) == [SAVED, LOST, DUPLICATE, SAVED]
        assert set(stores.store.load(keys=["e1", "e3", "e4"]).inbox) == {"e3", "e4"}
        assert stores.store.get("conn-4") is not None

    def test_one_key_in_two_saves_of_a_batch_is_taken_once(self, stores: Stores) -> None:
        batch = [save(connection(n), inputs=(event("same"),)) for n in (1, 2)]
        assert list(stores.store.save(batch)) == [SAVED, DUPLICATE]
        assert stores.store.get("conn-2") is None

    def test_outbox_keys_are_inserted_once(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), outbox=(command("c1"),)))
        saved(stores.store, save(connection(), stored(stores.store), outbox=(command("c1"), command("c2"))))
        assert sorted(take(stores.store)) == ["c1", "c2"]

    def test_findings_are_kept_once(self, stores: Stores) -> None:
        finding = Finding(code="price_missing", subject="usd", details={"spec": "200M"})
        saved(stores.store, save(connection(), findings=(finding,)))
        saved(stores.store, save(connection(), stored(stores.store), findings=(finding,)))
        assert stores.insight.findings() == ["conn-1:price_missing:usd"]


class TestConflicts:
    def test_one_port_is_one_connections(self, stores: Stores) -> None:
        saved(stores.store, save(with_port(connection(1))))
        with pytest.raises(IntegrityConflictError) as raised:
            stores.store.save([save(connection(3)), save(with_port(connection(2)), inputs=(event(),))])
        assert raised.value.connection_id == "conn-2"
        assert stores.store.get("conn-3") is None, "a conflict takes back the whole call"
        assert stores.store.load(keys=["e1"]).inbox == {}

    def test_a_billing_record_is_written_once(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), records=(billing_record(),)))
        with pytest.raises(IntegrityConflictError):
            stores.store.save([save(with_port(connection()), stored(stores.store), records=(billing_record(),))])
        assert stored(stores.store).version == 1

    def test_a_billing_record_is_reversed_once(self, stores: Stores) -> None:
        record = billing_record()
        saved(stores.store, save(connection(), records=(record, reversal(record))))
        again = replace(reversal(record), key="another key")
        with pytest.raises(IntegrityConflictError):
            stores.store.save([save(connection(), stored(stores.store), records=(again,))])

    def test_what_was_never_written_cannot_be_reversed(self, stores: Stores) -> None:
        with pytest.raises(IntegrityConflictError):
            stores.store.save([save(connection(), records=(reversal(billing_record()),))])

    def test_the_store_works_on_after_a_conflict(self, stores: Stores) -> None:
        saved(stores.store, save(with_port(connection(1))))
        with pytest.raises(IntegrityConflictError):
            stores.store.save([save(with_port(connection(2)))])
        saved(stores.store, save(connection(2)))
        saved(stores.other, save(connection(3)))


class TestRouting:
    def test_every_route_leads_to_the_connection(self, stores: Stores) -> None:
        of = with_vbr(with_vbr(with_port(connection())), "vbr-2")
        saved(stores.store, save(of))
        routes = ["token:crossport-conn-1", "port:pc-port", "vbr:vbr-1", "vbr:vbr-2"]
        found = stores.store.load(routes=[*routes, "port:unknown"]).connections
        assert found == {route: Stored(connection=of, version=1) for route in routes}

    def test_an_adopted_port_has_no_token(self, stores: Stores) -> None:
        saved(stores.store, save(with_port(connection(origin=Origin.CONSOLE))))
        assert set(stores.store.load(routes=["token:crossport-conn-1", "port:pc-port"]).connections) == {"port:pc-port"}

    def test_the_first_to_claim_a_route_keeps_it(self, stores: Stores) -> None:
        saved(stores.store, save(with_vbr(with_port(connection(1), "pc-1"))))
        saved(stores.store, save(with_vbr(with_port(connection(2), "pc-2"))))
        assert stores.store.load(routes=["vbr:vbr-1"]).connections["vbr:vbr-1"].connection.connection_id == "conn-1"

    def test_an_observation_waits_until_it_is_folded_in(self, stores: Stores) -> None:
        early = PortObservation(
            at=NOW, source=Source.EVENT, port_id="pc-port", vlan_id=0, end_time=NOW + timedelta(days=31)
        )
        waiting = Unrouted(key="e1#0", route="port:pc-port", observation=early, at=NOW)
        stores.store.record([event("e1")], unrouted=[waiting])
        stores.store.record([event("e2")], unrouted=[waiting, replace(waiting, key="e2#0", at=NOW - MINUTE)])
        assert [u.key for u in stores.other.load(routes=["port:pc-port"]).unrouted] == ["e2#0", "e1#0"]
        assert stores.other.load(routes=["port:pc-port"]).unrouted[1] == waiting
        assert stores.other.load(routes=["port:other"]).unrouted == ()
        saved(stores.other, save(with_port(connection()), folded=("e1#0", "gone before")))
        assert [u.key for u in stores.store.load(routes=["port:pc-port"]).unrouted] == ["e2#0"]

    def test_a_lost_save_folds_nothing(self, stores: Stores) -> None:
        saved(stores.store, save(connection()))
        seen = PortObservation(at=NOW, source=Source.EVENT, port_id="pc-port")
        stores.store.record([], unrouted=[Unrouted(key="u1", route="port:pc-port", observation=seen, at=NOW)])
        assert list(stores.store.save([save(with_port(connection()), folded=("u1",))])) == [LOST]
        assert len(stores.store.load(routes=["port:pc-port"]).unrouted) == 1

    def test_everything_in_one_go(self, stores: Stores) -> None:
        saved(stores.store, save(with_port(connection()), inputs=(event("e1"),)))
        loaded = stores.other.load(
            routes={"port:pc-port", "vbr:none"}, keys={"e1", "e2"}, circuits={CIRCUIT.circuit_id, "pc-none"}
        )
        assert set(loaded.connections) == {"port:pc-port"}
        assert loaded.inbox == {"e1": "digest of e1"}
        assert loaded.circuits == {CIRCUIT.circuit_id: replace(CIRCUIT, version=1)}

    def test_nothing_asked_nothing_found(self, stores: Stores) -> None:
        loaded = stores.store.load()
        assert not loaded.connections
        assert not loaded.inbox
        assert not loaded.circuits
        assert not loaded.unrouted


class TestOrderContext:
    def test_everything_that_an_order_is_decided_on(self, stores: Stores) -> None:
        put: Any = stores.store
        audited: dict[str, Any] = {"actor": "wang", "reason": "signed", "at": NOW}
        earlier = replace(SIGNED, number="C-1", valid_from=date(2025, 2, 1), signed_on=None)
        assert put.put_tenant(DECLARED, **audited)
        assert put.put_contract(SIGNED, **audited)
        assert put.put_contract(earlier, **audited)
        assert put.put_contract(replace(SIGNED, number="C-3", tenant_uid="3"), **audited)
        saved(stores.store, save(connection(), inputs=(event("e1"),)))
        context = stores.other.load_order(
            connection_id="conn-1",
            account_id=PARTNER,
            circuit_id=CIRCUIT.circuit_id,
            tenant_uid=TENANT,
            keys=["e1", "e2"],
        )
        assert context.circuit == replace(CIRCUIT, version=1)
        assert context.tenant == DECLARED
        assert context.contracts == (earlier, SIGNED)
        assert context.connection == Stored(connection=connection(), version=1)
        assert context.inbox == {"e1": "digest of e1"}

    def test_what_is_unknown_is_none(self, stores: Stores) -> None:
        context = stores.store.load_order(connection_id="x", account_id="x", circuit_id="x", tenant_uid="x")
        assert (context.circuit, context.tenant, context.contracts, context.connection) == (None, None, (), None)
        assert stores.store.tenant("x") is None
        assert stores.store.circuit("x") is None


class TestRecord:
    def test_recording_twice_is_recording_once(self, stores: Stores) -> None:
        row = event("e1", verdict=Verdict.IGNORED, reason="foreign_circuit")
        for worker in (stores.store, stores.other):
            worker.record([row], outbox=[command("c1")])
        assert stores.store.load(keys=["e1"]).inbox == {"e1": "digest of e1"}
        assert stores.insight.audit() == [{"event_key": "e1", "verdict": "ignored", "connection_id": None}]
        assert take(stores.store) == ["c1"]

    def test_a_refused_input_is_audited_every_time_and_claims_nothing(self, stores: Stores) -> None:
        forged = event("e1", verdict=Verdict.REJECTED, claims=False, digest="forged")
        stores.store.record([forged])
        stores.store.record([forged])
        saved(stores.store, save(connection(), inputs=(event("e1"),)))
        assert [row["verdict"] for row in stores.insight.audit()] == ["rejected", "rejected", "applied"]

    def test_a_command_without_an_input_is_due_at_once(self, stores: Stores) -> None:
        stores.store.record([], outbox=[command("c1")])
        assert take(stores.store) == ["c1"]


class TestRedundancyGroups:
    """Siblings come with what an order is decided on."""

    def _siblings(self, stores: Stores, group_id: str, connection_id: str = "conn-1", account_id: str = PARTNER) -> Any:
        return stores.other.load_order(
            connection_id=connection_id,
            account_id=account_id,
            circuit_id=CIRCUIT.circuit_id,
            tenant_uid=TENANT,
            group_id=group_id,
        ).siblings

    def test_the_others_of_the_group_with_their_access_points(self, stores: Stores) -> None:
        members = [replace(connection(number), group_id=group) for number, group in ((3, "G"), (2, "G"), (4, "H"))]
        saved(stores.store, *map(save, (*members, replace(connection(1), group_id="G"), connection(5))))
        found = self._siblings(stores, "G")
        assert [sibling.connection for sibling in found] == [members[1], members[0]]
        assert {sibling.access_point for sibling in found} == {CIRCUIT.access_point}
        assert len(self._siblings(stores, "G", connection_id="")) == 3

    def test_no_group_has_no_siblings(self, stores: Stores) -> None:
        saved(stores.store, save(connection(1)), save(connection(2)))
        assert self._siblings(stores, "") == ()
        assert self._siblings(stores, "G") == ()

    def test_the_same_name_at_another_account_is_another_group(self, stores: Stores) -> None:
        saved(stores.store, save(replace(connection(2), group_id="G")))
        assert self._siblings(stores, "G", account_id="9999999999999999") == ()

    def test_a_circuit_that_is_not_on_record_has_no_access_point(self, stores: Stores) -> None:
        saved(stores.store, save(replace(connection(2), group_id="G", circuit_id="pc-elsewhere")))
        (found,) = self._siblings(stores, "G")
        assert found.access_point == ""


class TestFindingsThatClose:
    """A finding can be settled by a later decision, and come again."""

    def test_it_closes_and_opens_again(self, stores: Stores) -> None:
        found = Finding(code="half_provisioned", subject="G", details={"deadline": "soon"})
        saved(stores.store, save(connection(), findings=(found,)))
        assert stores.insight.findings() == ["conn-1:half_provisioned:G"]
        saved(stores.store, save(connection(), stored(stores.store), cleared=(("half_provisioned", "G"),)))
        assert stores.insight.findings() == []
        saved(stores.store, save(connection(), stored(stores.store), findings=(found,)))
        assert stores.insight.findings() == ["conn-1:half_provisioned:G"]

    def test_closing_what_is_not_open_does_nothing(self, stores: Stores) -> None:
        saved(stores.store, save(connection(), cleared=(("half_provisioned", "G"),)))
        assert stores.insight.findings() == []
