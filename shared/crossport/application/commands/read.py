"""Read a port: what a forwarded event only hinted at becomes an observation; an unknown port of ours is adopted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crossport.application.adopt import Adopter, AdoptionOutcome
from crossport.application.commands.desk import LONGEST_LOOK, TICK, Desk, Done, completion, shifted
from crossport.application.commit import find_vbr
from crossport.application.ports import Completion, LeasedRow, OutboxRow, OutboxState, Read, Stored
from crossport.application.routing import port_route
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Acceptance, Origin


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
        seen = (*shifted(read, policy), *desk.absences(read, known.connection, policy))
        return desk.observed(leased, known.connection, seen, ending, outbox=_elsewhere(leased, read, ending))
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
    missed = desk.missed(read, known.connection, policy) if known else ()
    if missed and leased.attempts < policy.max_attempts:
        return completion(leased, OutboxState.DUE, "vbr_not_listed", desk.clock.now() + wait)
    return completion(leased, OutboxState.DONE)


def _elsewhere(leased: LeasedRow, read: Read, ending: Completion) -> tuple[OutboxRow, ...]:
    """The commands to find VBRs that were supposed to hang on this port and do not."""
    if ending.state is OutboxState.DUE:
        return ()
    payload, listed = leased.row.payload, {vbr.vbr_id for vbr in read.vbrs}
    return tuple(
        find_vbr(
            vbr_id,
            account_id=str(payload["account_id"]),
            region=str(payload["region"]),
            circuit_id=str(payload["circuit_id"]),
        )
        for vbr_id in payload.get("vbr_ids", ())
        if vbr_id not in listed
    )


def _adopt(desk: Desk, leased: LeasedRow, read: Read, policy: Policy, ending: Completion) -> Done:
    """A port without a connection: ours to adopt when it is on one of our circuits (ruling 2).

    While another connection holds its VLAN ID it waits its turn, then is adopted without a hold.
    """
    adopter = Adopter(
        store=desk.store,
        clock=desk.clock,
        policy=policy,
        origin=Origin(str(leased.row.payload.get("origin", Origin.CONSOLE))),
        force=leased.attempts >= policy.max_attempts,
    )
    found = adopter.adopt(read, completion=replace(ending, reason=ending.reason or "adopted"))
    match found.outcome:
        case AdoptionOutcome.ADOPTED:
            return ending, True
        case AdoptionOutcome.NOT_OURS:
            return desk.dropped(leased, "not_our_port")
        case AdoptionOutcome.VLAN_HELD:
            pause = LONGEST_LOOK * leased.attempts
            return completion(leased, OutboxState.DUE, "vlan_held", desk.clock.now() + pause), False
    if found.stored is not None:
        return desk.observed(leased, found.stored.connection, shifted(read, policy), ending)
    return completion(leased, OutboxState.DUE, "contended", desk.clock.now() + TICK), False
