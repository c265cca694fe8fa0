"""The ends of a port: cancelled, terminated and recovered, deleted.

Who may: the tenant its own port; the partner when it is the payer (partner guide, "More operations"), and, as [INF]
behind the switch ``withdraw_allowed``, a tenant-paid port that was never accepted.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from localcloud.vpc.call import Answer, Call, Operation, write
from localcloud.vpc.errors import VpcError, incorrect_status, not_owner, not_payer
from localcloud.vpc.names import Acceptance, Status
from localcloud.vpc.resources import Port
from localcloud.vpc.state import State

_DELETABLE = frozenset(
    {
        Status.ALLOCATED,
        Status.CONFIRMED,
        Status.REJECTED,
        Status.CANCELED,
        Status.ALLOCATION_FAILED,
        Status.TERMINATED,
    }
)
_CANCELABLE = frozenset({Status.INITIAL, Status.APPROVED, Status.ALLOCATED, Status.CONFIRMED})


def terminate_physical_connection(state: State, call: Call) -> Answer:
    """TerminatePhysicalConnection: Enabled to Terminating to Terminated; the VBR must be gone. The fee runs on."""
    port = _port(state, call, call.parameters.required("PhysicalConnectionId"))
    if call.account_id not in {port.tenant_id, port.payer_id}:
        raise not_payer("Only the owner or the payer of the hosted connection can terminate it.")
    if port.status != Status.ENABLED:
        raise incorrect_status("Only a hosted connection in the Enabled state can be terminated.")
    _refuse_with_vbr(state, port)
    state.save_port(replace(port, status=Status.TERMINATING))
    _progress(state, port.port_id, Status.TERMINATING, Status.TERMINATED)
    return {}


def recover_physical_connection(state: State, call: Call) -> Answer:
    """RecoverPhysicalConnection: a Terminated port becomes Enabled again.

    The circuit's owner alone may: the tenant guide sends a tenant who stopped its port to the partner.
    """
    port = _port(state, call, call.parameters.required("InstanceId"))
    if call.account_id != port.partner_id:
        raise not_owner("Only the owner of the Express Connect circuit can recover a hosted connection.")
    if port.status != Status.TERMINATED:
        raise incorrect_status("Only a hosted connection in the Terminated state can be recovered.")
    if call.dry_run:
        return {}
    state.save_port(replace(port, status=Status.RECOVERING))
    _progress(state, port.port_id, Status.RECOVERING, Status.ENABLED)
    return {}


def cancel_physical_connection(state: State, call: Call) -> Answer:
    """CancelPhysicalConnection: gives up a port that was never Enabled."""
    port = _port(state, call, call.parameters.required("PhysicalConnectionId"))
    _check_may_end(state, call, port)
    if port.status not in _CANCELABLE:
        raise incorrect_status(f"A hosted connection in the {port.status} state cannot be canceled.")
    state.save_port(replace(port, status=Status.CANCELED))
    return {}


def delete_physical_connection(state: State, call: Call) -> Answer:
    """DeletePhysicalConnection: the port is gone; its VLAN ID and bandwidth are free."""
    port = _port(state, call, call.parameters.required("PhysicalConnectionId"))
    _check_may_end(state, call, port)
    if port.status not in _DELETABLE:
        raise incorrect_status(f"A hosted connection in the {port.status} state cannot be deleted.")
    _refuse_with_vbr(state, port)
    state.save_port(replace(port, acceptance=Acceptance.DELETED))
    return {}


def _port(state: State, call: Call, connection_id: str) -> Port:
    circuit = state.circuits.get(connection_id)
    if circuit is not None and circuit.account_id == call.account_id:
        raise VpcError(
            "OperationUnsupported.PhysicalConnection",
            "The local cloud does not end dedicated Express Connect circuits.",
        )
    return state.seen_port(call, connection_id)


def _check_may_end(state: State, call: Call, port: Port) -> None:
    if call.account_id in {port.tenant_id, port.payer_id}:
        return
    never_accepted = port.acceptance == Acceptance.UNCONFIRMED
    if not (never_accepted and state.switches.withdraw_allowed):
        raise not_payer("The owner of the circuit can end a hosted connection only as its payer.")


def _refuse_with_vbr(state: State, port: Port) -> None:
    if state.vbrs_on(port.port_id):
        raise VpcError(
            "DependencyViolation.VirtualBorderRouter", "The VBR associated with the hosted connection must be deleted."
        )


def _progress(state: State, port_id: str, during: Status, after: Status) -> None:
    def finish(at: datetime) -> None:  # noqa: ARG001  # these changes leave no time behind
        port = state.live_port(port_id)
        if port is not None and port.status == during:
            state.save_port(replace(port, status=after))

    state.changes.begin(state.switches.progression, port_id, state.clock.now(), finish)


OPERATIONS: dict[str, Operation] = {
    "TerminatePhysicalConnection": write(terminate_physical_connection),
    "RecoverPhysicalConnection": write(recover_physical_connection, "Token"),
    "CancelPhysicalConnection": write(cancel_physical_connection),
    "DeletePhysicalConnection": write(delete_physical_connection),
}
