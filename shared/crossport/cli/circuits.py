"""``crossport circuits``: what lies on each circuit, and who is hit when one fails."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crossport.cli.database import now, open_views
from crossport.cli.failures import UnknownIdError
from crossport.cli.options import AsJson, Database
from crossport.cli.rendering import Column, Row, moment, phase_style, show_fields, show_json, show_line, show_table

if TYPE_CHECKING:
    from crossport.adapters.store.views import Views
    from crossport.domain.circuit import Circuit
    from crossport.domain.impact import Affected, SiblingState
    from crossport.domain.maintenance import Maintenance
    from crossport.domain.orders import Tenant

circuits_app = typer.Typer(help="Circuits: what lies on them, and who is hit when one fails.")

_STYLES = {"cut off": "red", "carried by its sibling": "green"}
_CIRCUITS = (
    Column("Circuit\nName", lambda row: [row["circuit_id"], row["name"]]),
    Column("Access point\nRegion", lambda row: [row["access_point"], row["region"]]),
    Column("Status", lambda row: [row["status"]], style=lambda row: "green" if row["status"] == "Enabled" else "red"),
    Column("Ports\nTenants", lambda row: [str(row["ports"]), str(row["tenants"])], justify="right"),
    Column("Held\nof Mbit/s", lambda row: [str(row["held_mbps"]), str(row["bandwidth_mbps"])], justify="right"),
)
_CONNECTIONS = (
    Column("Tenant\nConnection", lambda row: [row["tenant"] or row["tenant_uid"], row["connection_id"]]),
    Column("Phase\nPort", lambda row: [row["phase"], row["port_id"]], style=phase_style),
    Column("VLAN\nSpec", lambda row: [_vlan(row["vlan_id"]), row["spec"]], justify="right"),
    Column(
        "Without this circuit\nSibling",
        lambda row: [row["without_it"], *_siblings(row)],
        style=lambda row: _STYLES.get(row["without_it"], ""),
    ),
)
_TOLD = (
    Column("Who\nUID", lambda row: [row["name"], row["tenant_uid"]]),
    Column(
        "Told at\nLanguage",
        lambda row: [row["email"] or "no address", row["language"]],
        style=lambda row: "" if row["email"] else "red",
    ),
    Column("Time zone", lambda row: [row["zone"]]),
    Column("Connections\nCut off", lambda row: [str(row["connections"]), str(row["cut_off"])], justify="right"),
)


@circuits_app.command("list")
def list_circuits(db: Database = "", as_json: AsJson = False) -> None:
    """List circuits with what lies on them."""
    with open_views(db) as views:
        tenants: dict[str, list[str]] = {}
        for one in views.placements():
            if one.port is not None:
                tenants.setdefault(one.circuit_id, []).append(one.tenant_uid)
        rows = [{**_circuit(each), **_load(tenants.get(each.circuit_id, []))} for each in views.circuits()]
    if as_json:
        show_json(rows)
    else:
        show_table("Circuits", rows, _CIRCUITS, empty="No circuits are on record.")


@circuits_app.command("impact")
def show_impact(
    circuit_id: Annotated[str, typer.Argument(metavar="ID", help="The circuit.")],
    db: Database = "",
    as_json: AsJson = False,
) -> None:
    """Show who is hit when a circuit fails or is worked on, and for whom a sibling still carries."""
    from crossport.domain.impact import impact_of

    with open_views(db) as views:
        circuits = {circuit.circuit_id: circuit for circuit in views.circuits()}
        if circuit_id not in circuits:
            raise UnknownIdError(f"no circuit {circuit_id}")
        at, records = now(), views.open_maintenance()
        affected = impact_of(
            circuit_id,
            views.placements(circuit_id),
            circuits,
            {one.circuit_id: one.said for one in records if one.in_force(at)},
        )
        tenants = {uid: views.tenant(uid) for uid in {one.placement.tenant_uid for one in affected}}
        partner = _partner(views, circuits[circuit_id].account_id)
    mine = [_record(one, at) for one in records if one.circuit_id == circuit_id]
    connections = [_connection(one, tenants[one.placement.tenant_uid]) for one in affected]
    told = [*([_contact(partner, affected)] if partner else []), *_tenants(affected, tenants)]
    if as_json:
        known = {"circuit": _circuit(circuits[circuit_id]), "maintenance": mine}
        show_json({"at": at, **known, "connections": connections, "told": told})
        return
    _show_circuit(circuits[circuit_id], mine)
    show_line("")
    show_table("Connections", connections, _CONNECTIONS, empty="No connection lies on it.")
    show_line("")
    show_table("Who is told", told, _TOLD, empty="Nobody.")
    show_line(_summary(affected))


def _circuit(circuit: Circuit) -> dict[str, Any]:
    return {
        "circuit_id": circuit.circuit_id,
        "account_id": circuit.account_id,
        "region": circuit.region,
        "name": circuit.name,
        "access_point": circuit.access_point,
        "line_operator": circuit.line_operator,
        "status": circuit.status,
        "bandwidth_mbps": circuit.bandwidth_mbps,
        "held_mbps": circuit.held_mbps,
        "free_mbps": circuit.free_mbps,
    }


def _load(tenant_uids: list[str]) -> dict[str, int]:
    return {"ports": len(tenant_uids), "tenants": len(set(tenant_uids))}


def _record(record: Maintenance, at: datetime) -> Row:
    window = {"starts_at": record.starts_at, "ends_at": record.ends_at}
    named = {"record_id": record.record_id, "kind": str(record.kind), "state": record.state(at)}
    return {**named, **window, "side": str(record.side), "cause": record.cause}


def _of_record(record: Row) -> str:
    until = f" until {moment(record['ends_at'])}" if record["ends_at"] is not None else ""
    named = f"{record['kind']} {record['record_id']}, {record['state']}"
    return f"{named}: from {moment(record['starts_at'])}{until} UTC, {record['cause']}"


def _show_circuit(circuit: Circuit, records: list[Row]) -> None:
    show_fields(
        f"Circuit {circuit.circuit_id}",
        [
            ("Name", circuit.name),
            ("Access point", f"{circuit.access_point} ({circuit.region})"),
            ("Line operator", circuit.line_operator),
            ("Status", circuit.status),
            ("Held", f"{circuit.held_mbps} of {circuit.bandwidth_mbps} Mbit/s"),
            ("Maintenance", [_of_record(one) for one in records] or "none"),
        ],
        styles={"Maintenance": "red"} if any(one["state"] == "in force" for one in records) else {},
    )


def _partner(views: Views, account_id: str) -> Tenant | None:
    """Who is told on the partner's side; None when the account is configured no more."""
    from crossport.adapters.configuration import ConfiguredPolicies

    applied = views.configuration()
    policies = ConfiguredPolicies(applied[1]) if applied is not None else None
    known = policies is not None and account_id in policies.accounts()
    return policies.partner_contact(account_id) if policies is not None and known else None


def _connection(of: Affected, tenant: Tenant | None) -> Row:
    placement = of.placement
    return {
        "connection_id": placement.connection_id,
        "tenant_uid": placement.tenant_uid,
        "tenant": tenant.name if tenant is not None else None,
        "phase": str(placement.phase),
        "port_id": placement.port_id,
        "vlan_id": placement.vlan_id,
        "spec": placement.spec,
        "group_id": placement.group_id,
        "siblings": [_sibling(each) for each in of.siblings],
        "without_it": _without(of),
    }


def _without(of: Affected) -> str:
    """What becomes of its traffic without the circuit."""
    if of.carried:
        return "carried by its sibling"
    return "cut off" if of.cut_off else "not in service"


def _sibling(of: SiblingState) -> Row:
    placement = of.placement
    return {
        "connection_id": placement.connection_id,
        "circuit_id": placement.circuit_id,
        "access_point": placement.access_point,
        "phase": str(placement.phase),
        "carries": of.carries,
        "why_not": of.why_not,
    }


def _siblings(row: Row) -> list[str]:
    """One line for each sibling: where it runs, and what keeps it from carrying."""
    if not row["siblings"]:
        return ["no sibling"]
    said = ((each, each["why_not"] or "it carries") for each in row["siblings"])
    return [f"{each['connection_id']} at {each['access_point'] or '?'}: {how}" for each, how in said]


def _tenants(affected: Iterable[Affected], tenants: dict[str, Tenant | None]) -> list[Row]:
    owned: dict[str, list[Affected]] = {}
    for one in affected:
        owned.setdefault(one.placement.tenant_uid, []).append(one)
    return [_contact(tenants[uid], mine, uid=uid) for uid, mine in sorted(owned.items())]


def _contact(contact: Tenant | None, affected: Iterable[Affected], uid: str = "") -> Row:
    affected = list(affected)
    return {
        "party": "tenant" if uid else "partner",
        "tenant_uid": uid or (contact.tenant_uid if contact is not None else ""),
        "name": contact.name if contact is not None else "not on record",
        "email": contact.email if contact is not None else "",
        "language": contact.language if contact is not None else "",
        "zone": contact.zone if contact is not None else "",
        "connections": len(affected),
        "cut_off": sum(1 for one in affected if one.cut_off),
    }


def _summary(affected: Iterable[Affected]) -> str:
    affected = list(affected)
    cut_off = [one for one in affected if one.cut_off]
    carried = sum(1 for one in affected if one.carried)
    tenants = len({one.placement.tenant_uid for one in cut_off})
    of_whom = f"{tenants} {'tenant' if tenants == 1 else 'tenants'}"
    return (
        f"Without this circuit {len(cut_off)} of {len(affected)} connections are cut off ({of_whom}), "
        f"{carried} are carried by a sibling."
    )


def _vlan(vlan_id: int) -> str:
    return str(vlan_id) if vlan_id >= 0 else ""
