"""Find the port that a VBR hangs on: a circuit's list of VBRs does not say, and its VLAN ID may be another port's."""

from __future__ import annotations

from dataclasses import replace

from crossport.application.commands.desk import TICK, Desk, Done, completion
from crossport.application.commit import read_port
from crossport.application.ports import LeasedRow, OutboxState
from crossport.application.routing import port_route


def find_vbr(desk: Desk, leased: LeasedRow) -> Done:
    """Ask for the row's VBR by its id and feed the answer to the connection of its port.

    A VBR of the older way hangs on the circuit itself and is none of ours. Raises CloudCallError.
    """
    payload = leased.row.payload
    account_id, region, vbr_id = str(payload["account_id"]), str(payload["region"]), str(payload["vbr_id"])
    if account_id not in set(desk.policies.accounts()):
        return desk.failed(leased, "unknown_account")
    policy = desk.policies.of(account_id)
    read = desk.cloud().read_vbr(account_id=account_id, region=region, vbr_id=vbr_id)
    place = read.vbr.port_id if read.vbr is not None else None
    if read.vbr is None or place is None:
        if leased.attempts < policy.max_attempts:
            again = desk.clock.now() + policy.consistency_window + TICK
            return completion(leased, OutboxState.DUE, "vbr_not_shown", again), False
        return desk.dropped(leased, "vbr_not_shown")
    if place == payload["circuit_id"]:
        return desk.dropped(leased, "not_on_a_port")
    known = desk.store.load(routes=[port_route(place)]).connections.get(port_route(place))
    if known is not None:
        seen = replace(read.vbr, at=read.date - policy.consistency_window)
        return desk.observed(leased, known.connection, (seen,), completion(leased, OutboxState.DONE))
    # Its port is not known yet, or not ours: reading it tells, and brings its VBRs.
    row = read_port(place, cause=f"vbr:{vbr_id}", account_id=account_id, region=region, after=None, connection_id=None)
    desk.store.record([], outbox=(row,))
    return desk.done(leased, "port_unknown")
