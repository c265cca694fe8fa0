"""The ends of a VBR: terminated and recovered, deleted.

The API reference lets only a circuit's owner terminate and recover; the partner guide lets a partner disable and
delete a tenant's VBR on a port only as the payer. Both are kept.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from localcloud.vpc.call import Answer, Call, Operation, write
from localcloud.vpc.errors import incorrect_vbr_status, not_owner, not_payer
from localcloud.vpc.names import VbrStatus
from localcloud.vpc.resources import Vbr
from localcloud.vpc.rules import check_vlan
from localcloud.vpc.state import State

_DELETABLE = frozenset({VbrStatus.UNCONFIRMED, VbrStatus.ACTIVE, VbrStatus.TERMINATED})


def terminate_virtual_border_router(state: State, call: Call) -> Answer:
    """TerminateVirtualBorderRouter: active to terminating to terminated; the VLAN ID stays held for seven days."""
    vbr = _vbr_of_circuit_owner(state, call)
    if vbr.status != VbrStatus.ACTIVE:
        raise incorrect_vbr_status("Only an active VBR can be terminated.")
    state.save_vbr(replace(vbr, status=VbrStatus.TERMINATING))

    def finish(at: datetime) -> None:
        present = state.vbrs.get(vbr.vbr_id)
        if present is not None and present.status == VbrStatus.TERMINATING:
            state.save_vbr(replace(present, status=VbrStatus.TERMINATED, terminated_at=at))

    state.changes.begin(state.switches.progression, vbr.vbr_id, state.clock.now(), finish)
    return {}


def recover_virtual_border_router(state: State, call: Call) -> Answer:
    """RecoverVirtualBorderRouter: terminated to recovering to active, if nothing else has taken the VLAN ID."""
    vbr = _vbr_of_circuit_owner(state, call)
    if vbr.status != VbrStatus.TERMINATED:
        raise incorrect_vbr_status("Only a terminated VBR can be recovered.")
    check_vlan(state, vbr.circuit_id, vbr.vlan_id, exempt_port=vbr.port_id, exempt_vbr=vbr.vbr_id)
    state.save_vbr(replace(vbr, status=VbrStatus.RECOVERING))

    def finish(at: datetime) -> None:
        present = state.vbrs.get(vbr.vbr_id)
        if present is not None and present.status == VbrStatus.RECOVERING:
            state.save_vbr(replace(present, status=VbrStatus.ACTIVE, recovered_at=at, terminated_at=None))

    state.changes.begin(state.switches.progression, vbr.vbr_id, state.clock.now(), finish)
    return {}


def delete_virtual_border_router(state: State, call: Call) -> Answer:
    """DeleteVirtualBorderRouter: by its owner, or by the circuit's owner within limits; the VLAN ID is free.

    The circuit's owner may delete another account's VBR while it is unconfirmed (API reference), or, as the payer of
    its port, after terminating it (partner guide). Router interfaces and BGP peers are not modelled.
    """
    vbr = state.seen_vbr(call, call.parameters.required("VbrId"))
    if call.account_id != vbr.owner_id:
        port = state.live_port(vbr.port_id)
        as_payer = port is not None and port.payer_id == call.account_id and vbr.status == VbrStatus.TERMINATED
        if vbr.status != VbrStatus.UNCONFIRMED and not as_payer:
            raise not_owner("The owner of the circuit can delete the VBR of another account only if unconfirmed.")
    if vbr.status not in _DELETABLE:
        raise incorrect_vbr_status(f"A VBR in the {vbr.status} state cannot be deleted.")
    state.save_vbr(replace(vbr, status=VbrStatus.DELETING))

    def finish(at: datetime) -> None:  # noqa: ARG001  # nothing of the VBR is left to bear the time
        state.remove_vbr(vbr.vbr_id)

    state.changes.begin(state.switches.progression, vbr.vbr_id, state.clock.now(), finish)
    return {}


def _vbr_of_circuit_owner(state: State, call: Call) -> Vbr:
    vbr = state.seen_vbr(call, call.parameters.required("VbrId"))
    if call.account_id != state.circuit_owner_id(vbr):
        raise not_owner("Only the owner of the Express Connect circuit can terminate or recover a VBR.")
    port = state.live_port(vbr.port_id)
    if port is not None and port.payer_id != call.account_id:
        raise not_payer("The owner of the circuit can stop a tenant's VBR only as the payer of its port.")
    return vbr


OPERATIONS: dict[str, Operation] = {
    "TerminateVirtualBorderRouter": write(terminate_virtual_border_router),
    "RecoverVirtualBorderRouter": write(recover_virtual_border_router),
    "DeleteVirtualBorderRouter": write(delete_virtual_border_router),
}
