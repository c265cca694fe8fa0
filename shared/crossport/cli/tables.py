"""Which columns the tables have, and what stands in them. Headings with two lines stand over stacked cells."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from crossport.cli.rendering import Column, Row, moment, moment_lines, phase_style

_VERDICT_STYLES = {"applied": "green", "duplicate": "dim", "ignored": "dim", "retry": "yellow"}
_NOTICE_STATES = {"due": "waiting", "done": "being sent"}
_NOTICE_STYLES = {"due": "yellow", "done": "yellow", "dropped": "dim", "failed": "red"}


def _phase_lines(row: Row) -> list[str]:
    codes = [violation["code"] for violation in row["violations"]] or [refusal["code"] for refusal in row["refusals"]]
    if row["suspension"] is not None:
        codes.insert(0, row["suspension"]["reason"])
    if row["attested"]:
        codes.insert(0, "attested")
    return [row["phase"], *dict.fromkeys(codes)]


def _notice_state(row: Row) -> list[str]:
    if row["receipts"]:
        lines = [f"{receipt['channel']} to {receipt['recipient']}" for receipt in row["receipts"]]
    else:
        state = _NOTICE_STATES.get(row["state"], str(row["state"]))
        lines = [f"{state}: {row['reason']}" if row["reason"] else state]
    return [*lines, *_pairs(row["payload"].get("details") or {})]


def _reason(row: Row) -> list[str]:
    # A time behind the reason is for the relay, not for people.
    return [str(row["reason"]).partition("@")[0]] if row["reason"] else []


def _of_state(row: Row) -> str:
    return _NOTICE_STYLES.get(row["state"], "")


def _again(row: Row) -> list[str]:
    return [moment(row["not_before"])] if row["state"] == "due" and row["not_before"] else []


CONNECTIONS = (
    Column("Connection\nTenant", lambda row: [row["connection_id"], row["tenant_uid"]]),
    Column("Phase", _phase_lines, style=phase_style),
    Column("Port\nVBR", lambda row: [row["port_id"], row["vbr_id"]]),
    Column("VLAN\nSpec", lambda row: [_vlan(row["vlan_id"]), row["spec"]], justify="right"),
    Column("Changed\n(UTC)", lambda row: moment_lines(row["updated_at"])),
)

LEDGER = (
    Column("Connection\nKind", lambda row: [row["connection_id"], row["kind"]]),
    Column("Purpose\nAccuracy", lambda row: [_purpose(row), row["accuracy"]]),
    Column("Biller\nPayer", lambda row: [row["biller"], row["payer"]]),
    Column("From, until\n(UTC+8)", lambda row: [_billed(row["period_start"]), _billed(row["period_end"])]),
    Column("Amount\nUnit price", lambda row: [_amount(row), _unit_price(row)], justify="right"),
)

NOTICES = (
    Column("Since\n(UTC)", lambda row: moment_lines(row["created_at"])),
    Column("Notice\nConnection", lambda row: [row["kind"], row["connection_id"]]),
    Column("Told", lambda row: [row["payload"].get("party")]),
    Column("State\nDetails", _notice_state, style=lambda row: "green" if row["receipts"] else _of_state(row)),
)

OUTBOX = (
    Column("Since\n(UTC)", lambda row: moment_lines(row["created_at"])),
    Column("What\nConnection", lambda row: [row["kind"], row["connection_id"]]),
    Column("For", lambda row: [row["target"]]),
    Column("State\nReason", lambda row: [row["state"], *_reason(row)], style=_of_state),
    Column("Tries\nAgain (UTC)", lambda row: [str(row["attempts"]), *_again(row)], justify="right"),
)

EVENTS = (
    Column("Came\n(UTC)", lambda row: moment_lines(row["at"])),
    Column("Name\nFunction", lambda row: [row["name"], row["function"]]),
    Column(
        "Verdict\nReason",
        lambda row: [row["verdict"], row["reason"] or (f"pending {row['pending']}" if row["pending"] else "")],
        style=lambda row: _VERDICT_STYLES.get(row["verdict"], "red"),
    ),
    Column("Connection\nAccount", lambda row: [row["connection_id"], row["account_id"]]),
)

VLANS = (
    Column("VLAN\nMbit/s", lambda row: [_vlan(row["vlan_id"]), str(row["mbps"])], justify="right"),
    Column("Connection\nTenant", lambda row: [row["connection_id"], _tenant(row)]),
    Column("Phase\nPort", lambda row: [row["phase"], row["port_id"]]),
    Column("Held since\n(UTC)", lambda row: moment_lines(row["held_at"])),
    Column(
        "Given back after\n(UTC)",
        lambda row: [row["release"], *([moment(row["release_after"])] if row["release_after"] else [])],
        style=lambda row: "yellow" if row["release"] else "",
    ),
)

VLAN_HISTORY = (
    Column("VLAN\nMbit/s", lambda row: [_vlan(row["vlan_id"]), str(row["mbps"])], justify="right"),
    Column("Connection\nTenant", lambda row: [row["connection_id"], _tenant(row)]),
    Column("Port", lambda row: [row["port_id"]]),
    Column("Held from\n(UTC)", lambda row: moment_lines(row["held_at"])),
    Column("Until\n(UTC)", lambda row: moment_lines(row["released_at"]) if row["released_at"] else ["held now"]),
)

FINDINGS = (
    Column("Since\n(UTC)", lambda row: moment_lines(row["at"])),
    Column("Finding\nSubject", lambda row: [row["code"], row["subject"]], style=lambda _row: "yellow"),
    Column("Connection", lambda row: [row["connection_id"]]),
    Column("Details", lambda row: _pairs(row["details"])),
)


def connection_fields(row: Row) -> list[tuple[str, Any]]:
    """One connection, for ``show_fields``: what it is, how it stands, what was agreed, what was seen."""
    fields: list[tuple[str, Any]] = [
        ("Phase", f"{row['phase']} (attested)" if row["attested"] else row["phase"]),
        *_suspension(row),
        ("Violations", [f"{v['code']} {v['subject']}: {v['evidence']}" for v in row["violations"]] or "none"),
        ("Flow, origin", f"{row['flow']}, {row['origin']}"),
        ("Account, region", f"{row['account_id']}, {row['region']}"),
        ("Circuit", row["circuit_id"]),
        ("Port", row["port_id"]),
        ("Port status", _joined(row.get("acceptance"), row.get("status"), row.get("business_status"))),
        ("VBR", row["vbr_id"] or row["vbr"]),
        ("One VBR", row["one_vbr"]),
        ("VLAN ID", _vlan(row["vlan_id"])),
        ("Spec", _spec(row)),
        ("Payer", row["order_mode"]),
        ("Tenant", _joined(row["tenant_uid"], row.get("tenant_region"))),
        ("Order", row.get("client_order_id")),
        ("Contract", row.get("contract_number")),
        *([("Redundancy group", _group(row))] if row["group_id"] else []),
        ("Enabled (UTC)", moment(row.get("enabled_time"))),
        ("Paid until (UTC)", moment(row.get("end_time"))),
    ]
    if row.get("refusals"):
        fields.append(("Refused", [f"{r['code']}: {r['message']}" for r in row["refusals"]]))
    if row.get("failure"):
        fields.append(("Failed", f"{row['failure']['code']}: {row['failure']['message']}"))
    if row.get("milestones"):
        fields.append(
            ("Milestones (UTC)", [f"{moment(m['at'])}  {m['name']}, {m['actor']}" for m in row["milestones"]])
        )
    if row["requests"]:
        fields.append(("Requests (UTC)", [_request(request) for request in row["requests"]]))
    if row["migration"] is not None:
        fields.append(("Migrated VBR", [row["migration"]["vbr_id"], _untouched(row["migration"]["untouched"])]))
    fields.append(("Changed (UTC)", moment(row["updated_at"])))
    return fields


def _group(row: Row) -> list[str]:
    """The group, and each of its other members with where it runs and how it stands."""
    siblings = [f"{s['connection_id']} {s['phase']}, {s['circuit_id']} at {s['access_point']}" for s in row["group"]]
    return [row["group_id"], *(siblings or ["waits for its sibling's order"])]


def _suspension(row: Row) -> list[tuple[str, Any]]:
    found = row["suspension"]
    if found is None:
        return []
    waits = f"waits for the {found['waiting_for']}: {found['way_back']}"
    return [("Suspended", [found["reason"], waits, f"port fee runs: {found['fee']}"])]


def _spec(row: Row) -> str:
    expected = row.get("expect_spec")
    return f"{row['spec']}, {expected} once it is paid" if expected and expected != row["spec"] else str(row["spec"])


def _request(request: Row) -> str:
    wanted = request["spec"] or ("" if request["vlan_id"] is None else f"VLAN {request['vlan_id']}")
    asked = " ".join(part for part in (request["kind"], wanted) if part)
    forced = f", forced: {request['forced']}" if request["forced"] else ""
    return f"{moment(request['at'])}  {asked}, {request['actor']} ({request['request_id']}){forced}"


def _untouched(untouched: bool | None) -> str:
    if untouched is None:
        return "not compared yet"
    return "came through unchanged" if untouched else "CHANGED on the way"


def _tenant(row: Row) -> str:
    return str(row["tenant"] or row["tenant_uid"])


def _vlan(vlan_id: int | None) -> str:
    # -1: the pool was used up, so that none was ever agreed. 0 is a VLAN ID like any other.
    return "" if vlan_id is None or vlan_id < 0 else str(vlan_id)


def _purpose(row: Row) -> str:
    return f"reversed {row['purpose']}" if row["sign"] < 0 else str(row["purpose"])


def _amount(row: Row) -> str:
    if row["amount"] is None:
        return "metered"
    sign = "-" if row["sign"] < 0 else ""
    return f"{sign}{row['amount']} {row['currency']}"


def _unit_price(row: Row) -> str:
    return f"{row['unit_price']}/{row['unit']}"


def _billed(value: str | None) -> str:
    """A period's border in the zone of Alibaba Cloud's bills, which the record's own text is in."""
    return "" if value is None else datetime.fromisoformat(value).strftime("%Y-%m-%d %H:%M")


def _pairs(details: Mapping[str, Any]) -> list[str]:
    return [f"{name}: {_one_line(value)}" for name, value in details.items()]


def _one_line(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _joined(*values: Any) -> str:
    return ", ".join(str(value) for value in _there(values))


def _there(values: Iterable[Any]) -> Iterable[Any]:
    return (value for value in values if value not in (None, ""))
