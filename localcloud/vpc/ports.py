"""Shared ports: pushed and changed by the partner, accepted by the tenant."""

from __future__ import annotations

from dataclasses import replace

from localcloud.vpc.call import Answer, Call, Operation, write
from localcloud.vpc.errors import (
    VpcError,
    cross_site,
    illegal,
    incorrect_status,
    not_owner,
    outbound_billing_disabled,
    privilege_expired,
    spec_not_approved,
)
from localcloud.vpc.names import LARGE_SPECS, SPECS, VLAN_IDS, Acceptance, OrderMode, Status
from localcloud.vpc.payments import enable_if_due
from localcloud.vpc.resources import Circuit, Port
from localcloud.vpc.rules import check_bandwidth, check_not_locked, check_port_quota, check_vlan
from localcloud.vpc.state import State


def create_virtual_physical_connection(state: State, call: Call) -> Answer:
    """CreateVirtualPhysicalConnection: the partner pushes a port to a tenant."""
    given = call.parameters
    circuit = _usable_circuit(state, call)
    tenant_id = str(given.required_bounded("VpconnAliUid", 0, 10**19))
    vlan_id = given.required_bounded("VlanId", VLAN_IDS.start, VLAN_IDS.stop - 1)
    spec = _spec(state, call, given.required("Spec"), "Spec")
    order_mode = given.required("OrderMode")
    if order_mode not in set(OrderMode):
        raise illegal("OrderMode", f"not one of {', '.join(OrderMode)}")
    name, description, tags = given.name(), given.description(), given.tags("Tag")
    check_tenant(state, call, tenant_id)
    check_port_quota(state, circuit.circuit_id)
    check_vlan(state, circuit.circuit_id, vlan_id)
    check_bandwidth(state, circuit, SPECS[spec])
    if call.dry_run:
        raise VpcError("DRYRUN.SUCCESS", "The dry run passed; nothing was created.")
    port = Port(
        port_id=state.fresh_port_id(),
        circuit_id=circuit.circuit_id,
        partner_id=call.account_id,
        tenant_id=tenant_id,
        region=circuit.region,
        vlan_id=vlan_id,
        spec=spec,
        order_mode=order_mode,
        created_at=call.now,
        status=state.switches.fresh_port_status,
        name=name,
        description=description,
        resource_group_id=given.text("ResourceGroupId"),
        tags=tags,
    )
    state.save_port(port)
    return {"VirtualPhysicalConnection": port.port_id}


def update_virtual_physical_connection(state: State, call: Call) -> Answer:
    """UpdateVirtualPhysicalConnection: the partner changes the VLAN ID or begins a change of spec.

    ``ExpectSpec`` takes effect once it is paid. Whether an existing VBR follows a VLAN change is not documented:
    switch ``vlan_change_moves_vbr``.
    """
    given = call.parameters
    port = state.seen_port(call, given.required("InstanceId"))
    if call.account_id != port.partner_id:
        raise not_owner("Only the owner of the Express Connect circuit can change a hosted connection.")
    vlan_id = given.required_bounded("VlanId", VLAN_IDS.start, VLAN_IDS.stop - 1)
    expect_spec = given.text("ExpectSpec")
    if port.status in {Status.TERMINATING, Status.TERMINATED, Status.CANCELED, Status.REJECTED}:
        raise incorrect_status(f"The hosted connection is {port.status}.")
    check_not_locked(port)
    if vlan_id != port.vlan_id:
        check_vlan(state, port.circuit_id, vlan_id, exempt_port=port.port_id, exempt_vbr=port.source_vbr_id)
    if expect_spec:
        _spec(state, call, expect_spec, "ExpectSpec")
        circuit = state.own_circuit(call, port.circuit_id)
        check_bandwidth(state, circuit, max(SPECS[port.spec], SPECS[expect_spec]), exempt_port=port.port_id)
    if call.dry_run:
        return {}
    pending = port.expect_spec if not expect_spec else ("" if expect_spec == port.spec else expect_spec)
    state.save_port(replace(port, vlan_id=vlan_id, expect_spec=pending))
    if state.switches.vlan_change_moves_vbr:
        for vbr in state.vbrs_on(port.port_id):
            state.save_vbr(replace(vbr, vlan_id=vlan_id))
    return {"Success": "true"}


def confirm_physical_connection(state: State, call: Call) -> Answer:
    """ConfirmPhysicalConnection: the tenant accepts a port. The circuit's owner cannot do it for the tenant."""
    connection_id = call.parameters.required("PhysicalConnectionId")
    circuit = state.circuits.get(connection_id)
    if circuit is not None and circuit.account_id == call.account_id:
        raise incorrect_status("The specified PhysicalConnectionId is not in Allocated state.")
    port = state.seen_port(call, connection_id)
    if call.account_id != port.tenant_id:
        raise not_owner("Only the owner of the hosted connection can accept it.")
    if state.switches.outbound_billing_required and (call.account_id, call.region) not in state.outbound_billing:
        raise outbound_billing_disabled()
    if port.acceptance != Acceptance.UNCONFIRMED:
        raise incorrect_status("The hosted connection is already accepted.")
    if port.status not in {Status.INITIAL, Status.APPROVED, Status.ALLOCATED, Status.CONFIRMED, Status.ENABLED}:
        raise incorrect_status(f"The hosted connection is {port.status}.")
    # [INF] An unpaid port moves on the axis of ConfirmPhysicalConnection as a circuit does: Allocated to Confirmed.
    status = port.status if port.status == Status.ENABLED else Status.CONFIRMED
    state.save_port(replace(port, acceptance=Acceptance.CONFIRMED, status=status))
    enable_if_due(state, port.port_id)
    return {}


def check_tenant(state: State, call: Call, tenant_id: str) -> None:
    """Refuse a tenant that is not a main account of the partner's site, or is the partner."""
    tenant = state.main_account(tenant_id)
    if tenant is None or tenant_id == call.account_id:
        raise illegal("VpconnAliUid", "RAM users or partner accounts are not supported")
    if tenant.site != call.account.site:
        raise cross_site()


def _usable_circuit(state: State, call: Call) -> Circuit:
    circuit = state.own_circuit(call, call.parameters.required("PhysicalConnectionId"))
    if circuit.status != Status.ENABLED:
        raise incorrect_status("The Express Connect circuit is not in the Enabled state.")
    if circuit.qos_id:
        raise incorrect_status("The Express Connect circuit is associated with a QoS policy.")
    check_not_locked(circuit)
    return circuit


def _spec(state: State, call: Call, spec: str, parameter: str) -> str:
    if spec not in SPECS:
        raise illegal(parameter, f"not one of {', '.join(SPECS)}")
    if call.privilege_expired or call.account_id in state.without_privilege:
        raise privilege_expired()
    if spec in LARGE_SPECS and call.account_id not in state.with_large_specs:
        raise spec_not_approved()
    return spec


OPERATIONS: dict[str, Operation] = {
    "CreateVirtualPhysicalConnection": write(create_virtual_physical_connection, "Token"),
    "UpdateVirtualPhysicalConnection": write(update_virtual_physical_connection, "Token"),
    "ConfirmPhysicalConnection": write(confirm_physical_connection),
}
