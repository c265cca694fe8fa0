"""Read a port: what a forwarded event only hinted at becomes an observation; an unknown port of ours is adopted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crossport.application.commands.desk import LONGEST_LOOK, TICK, Desk, Done, absent, completion, shifted
from crossport.application.commit import MAX_ROUNDS, save_of
from crossport.application.ports import Completion, LeasedRow, OutboxState, Read, SaveOutcome, Stored
from crossport.application.routing import port_route
from crossport.domain.adoption import decide_adoption
from crossport.domain.decide import decide
from crossport.domain.observation import PortObservation
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Acceptance


def read_port(desk: Desk, leased: LeasedRow) -> Done:
    """Read the row's port and feed the answer back. It may be a port that no connection has yet."""
    payload, port_id = leased.row.payload, str(leased.row.payload["port_id"])
    known = desk.store.load(routes=[port_route(port_id)]).connections.get(port_route(port_id))
    account_id = known.connection.account_id if known else str(payload.get("account_id") or "")
    region = known.connection.region if known else str(payload.get("region") or "")
    if account_id not in set(desk.policies.accounts()):
        return desk.failed(leased, "unknown_account")
    policy = desk.policies.of(account_id)
    read = desk.cloud().read_port(account_id=account_id, region=region, port_id=port_id)
    ending = _settled(desk, leased, read, known, policy)
    if known is not None:
        seen = (*shifted(read, policy), *absent(read, known.connection, policy))
        return desk.observed(leased, known.connection, seen, ending)
    if read.port is None:
        return (ending, False) if ending.state is OutboxState.DUE else desk.dropped(leased, "not_our_port")
    if read.port.acceptance == Acceptance.DELETED:
        # Nothing to hold, to tell or to follow any more; it may even be a port of an order that never found it.
        return desk.dropped(leased, "gone_already")
    return _adopt(desk, leased, read, policy, ending)


def _settled(desk: Desk, leased: LeasedRow, read: Read, known: Stored | None, policy: Policy) -> Completion:
    """Done, or due again: a read that may lag behind what caused it, or shows a VBR newly gone, is repeated."""
    stamped = read.date - policy.consistency_window
    after = leased.row.payload.get("after")
    wait = policy.consistency_window + TICK
    if after is not None and stamped < datetime.fromisoformat(after).replace(microsecond=0):
        return completion(leased, OutboxState.DUE, "within_window", datetime.fromisoformat(after) + wait)
    listed = {vbr.vbr_id for vbr in read.vbrs}
    live = known.connection.live_vbrs(policy.consistency_window) if known else ()
    if any(vbr.vbr_id not in listed for vbr in live) and leased.attempts < policy.max_attempts:
        return completion(leased, OutboxState.DUE, "vbr_not_listed", desk.clock.now() + wait)
    return completion(leased, OutboxState.DONE)


def _adopt(desk: Desk, leased: LeasedRow, read: Read, policy: Policy, ending: Completion) -> Done:
    """A port without a connection: ours to adopt when it is on one of our circuits (ruling 2)."""
    port = shifted(read, policy)[0]
    if not isinstance(port, PortObservation):
        raise TypeError("the first observation of a read is the port's")
    for _ in range(MAX_ROUNDS):
        circuit = desk.store.circuit(port.circuit_id or "")
        if circuit is None or circuit.account_id != policy.account_id:
            return desk.dropped(leased, "not_our_port")
        loaded = desk.store.load(routes=[port_route(port.port_id)])
        if loaded.connections:
            (stored,) = loaded.connections.values()
            return desk.observed(leased, stored.connection, shifted(read, policy), ending)
        context = desk.store.load_order(
            connection_id="",
            account_id=circuit.account_id,
            circuit_id=circuit.circuit_id,
            tenant_uid=port.tenant_uid or "",
        )
        adoption = decide_adoption(port, circuit, context.tenant, context.contracts, policy)
        if adoption.hold is None and leased.attempts < policy.max_attempts:
            # Another connection holds its VLAN ID. It may be that connection's own port, whose create call lost its
            # answer: that one must find it first, or one port would get two connections.
            pause = LONGEST_LOOK * leased.attempts
            return completion(leased, OutboxState.DUE, "vlan_held", desk.clock.now() + pause), False
        rest = (*(u.observation for u in loaded.unrouted), *shifted(read, policy)[1:])
        save = save_of(
            [adoption.decision, decide(adoption.decision.connection, rest, policy)],
            version=None,
            at=desk.clock.now(),
            hold=adoption.hold,
            circuit=adoption.circuit if adoption.hold else None,
            folded=tuple(u.key for u in loaded.unrouted),
            completion=replace(ending, reason=ending.reason or "adopted"),
        )
        if desk.store.save([save])[0] is SaveOutcome.SAVED:
            return ending, True
    return completion(leased, OutboxState.DUE, "contended", desk.clock.now() + TICK), False
