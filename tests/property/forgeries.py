"""Events that somebody made up, each with a genuine one that it must not suppress; all from one seed.

Two partner accounts in two regions have a circuit each, and a tenant a port on either; there are a neighbour that is on
record and a stranger. An event is a CloudEvent as the bus delivers it; the attributes of
the platform say the truth, all else is the forger's to write.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.partner_world import NEIGHBOUR, PARTNER, SECOND_PARTNER, STRANGER, TENANT

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
VIRGINIA, HANGZHOU = "us-east-1", "cn-hangzhou"


@dataclass(frozen=True)
class Port:
    """A port of the tenant's, and whose circuit it is on."""

    port_id: str
    account_id: str
    circuit_id: str
    region: str


PORTS = (
    Port("pc-virginia", PARTNER, "pc-circuit-virginia", VIRGINIA),
    Port("pc-hangzhou", SECOND_PARTNER, "pc-circuit-hangzhou", HANGZHOU),
)


@dataclass(frozen=True)
class Forgery:
    """A forged event, what it must end as, and the genuine one that follows.

    ``before`` is delivered first: what a replay repeats.
    """

    kind: str
    forged: bytes
    reason: str
    genuine: bytes
    before: bytes | None = None


Event = dict[str, Any]
Forge = Callable[[random.Random, Event, Port], tuple[Event | list[Any], str]]


def forgeries(seed: int, count: int) -> list[Forgery]:
    """So many forgeries, every kind among them in turn."""
    chance = random.Random(seed)
    kinds = sorted(_KINDS)
    return [_forgery(chance, kinds[number % len(kinds)], number) for number in range(count)]


def kinds() -> list[str]:
    """The names of all kinds."""
    return sorted(_KINDS)


def _forgery(chance: random.Random, kind: str, number: int) -> Forgery:
    port = chance.choice(PORTS)
    genuine = _genuine(chance, port, number)
    if kind == "replayed id, another body":
        forged = {**genuine, "data": {**genuine["data"], "requestId": f"forged-{chance.random()}"}}
        return Forgery(kind, _bytes(forged), "payload_mismatch", _bytes(genuine), before=_bytes(genuine))
    copy: Event = json.loads(json.dumps(genuine))
    forged_event, reason = _KINDS[kind](chance, copy, port)
    return Forgery(kind, _bytes(forged_event), reason, _bytes(genuine))


def _genuine(chance: random.Random, port: Port, number: int) -> Event:
    """Something that the tenant, or the partner, really did with the port."""
    partners = chance.random() < 0.5
    name, request, response = chance.choice(_CALLS)(chance, port)
    account = port.account_id if partners else TENANT
    return {
        "id": f"genuine-{number}",
        "source": chance.choice(["acs.vpc", "acs:vpc"]),
        "specversion": "1.0",
        "type": chance.choice(["vpc:ActionTrail:ApiCall", "vpc:ActionTrail:ConsoleOperation"]),
        "time": NOW.isoformat(),
        "aliyunaccountid": port.account_id if partners else PARTNER,
        "aliyunoriginalaccountid": account,
        "aliyunregionid": port.region,
        "aliyuneventbusname": "default" if partners else "crossport-tenants",
        "data": {
            "eventName": name,
            "eventRW": "Write",
            "eventTime": (NOW - timedelta(seconds=chance.randrange(3_000))).isoformat(),
            "acsRegion": port.region,
            "serviceName": "Vpc",
            "requestId": f"{number:08x}",
            "requestParameters": request,
            "responseElements": response,
        },
    }


_CALLS: tuple[Callable[[random.Random, Port], tuple[str, Event, Event]], ...] = (
    lambda _c, p: ("ConfirmPhysicalConnection", {"PhysicalConnectionId": p.port_id}, {}),
    lambda _c, p: ("DeletePhysicalConnection", {"PhysicalConnectionId": p.port_id}, {}),
    lambda c, p: ("CreateVirtualBorderRouter", {"PhysicalConnectionId": p.port_id, "VlanId": c.randrange(3_000)},
                  {"VbrId": f"vbr-{c.randrange(1 << 40)}"}),
    lambda _c, p: ("CreatePhysicalConnectionOccupancyOrder", {"PhysicalConnectionId": p.port_id}, {}),
    lambda _c, p: ("TerminatePhysicalConnection", {"PhysicalConnectionId": p.port_id}, {}),
)  # fmt: skip


def _spoken_by(event: Event, account_id: str) -> Event:
    """The same, from another account: the platform says so, whatever the event says."""
    return {**event, "aliyunoriginalaccountid": account_id, "aliyunaccountid": PARTNER}


def _other_tenant(chance: random.Random, event: Event, _port: Port) -> tuple[Event, str]:
    """A tenant on record speaks of another's port, and may name that one in the body."""
    event["data"]["userIdentity"] = {"type": "root-account", "accountId": chance.choice([TENANT, PARTNER])}
    event["data"]["requestParameters"]["VpconnAliUid"] = NEIGHBOUR
    return _spoken_by(event, NEIGHBOUR), "account_mismatch"


def _stranger(chance: random.Random, event: Event, _port: Port) -> tuple[Event, str]:
    """An account that nobody knows, about a known port or one that it has made up."""
    if chance.random() < 0.5:
        event["data"]["requestParameters"] = {"PhysicalConnectionId": f"pc-{chance.randrange(1 << 40)}"}
        return _spoken_by(event, STRANGER), "unknown_account"
    return _spoken_by(event, STRANGER), "account_mismatch"


def _other_partner(_chance: random.Random, event: Event, port: Port) -> tuple[Event, str]:
    """One partner account of ours speaks of the other's port (credentials and words never cross accounts)."""
    other = SECOND_PARTNER if port.account_id == PARTNER else PARTNER
    return {**_spoken_by(event, other), "aliyunaccountid": other}, "account_mismatch"


def _region(chance: random.Random, event: Event, port: Port) -> tuple[Event, str]:
    """The tenant names a region where its port is not, or an address of its own in place of one."""
    elsewhere = [
        HANGZHOU if port.region == VIRGINIA else VIRGINIA,
        "evil.example/#",
        "us-east-1.evil.example",
        "x" * 99,
    ]
    event["data"]["acsRegion"] = chance.choice(elsewhere)
    if chance.random() < 0.3:
        event["data"]["acsRegion"] = "moon-1"
        event["data"]["requestParameters"] = {"PhysicalConnectionId": f"pc-{chance.randrange(1 << 40)}"}
    return _spoken_by(event, TENANT), "region_mismatch"


def _source(chance: random.Random, event: Event, _port: Port) -> tuple[Event, str]:
    """An application's event in the dress of the cloud's."""
    return {
        **event,
        "source": chance.choice(["acs.ecs", "evil.app", "acs.vpc.evil", "ACS.VPC", "acs/vpc"]),
    }, "wrong_source"


def _circuit(chance: random.Random, event: Event, port: Port) -> tuple[Event, str]:
    """One partner account claims a port on the other's circuit."""
    other = SECOND_PARTNER if port.account_id == PARTNER else PARTNER
    event["data"] |= {
        "eventName": "CreateVirtualPhysicalConnection",
        "requestParameters": {
            "PhysicalConnectionId": port.circuit_id,
            "VlanId": chance.randrange(3_000),
            "Spec": "200M",
            "VpconnAliUid": NEIGHBOUR,
            "OrderMode": "PayByVirtualPhysicalConnectionOwner",
        },
        "responseElements": {"VirtualPhysicalConnection": f"pc-{chance.randrange(1 << 40)}"},
    }
    return {**_spoken_by(event, other), "aliyunaccountid": other}, "foreign_circuit"


def _nested(_chance: random.Random, event: Event, _port: Port) -> tuple[Event, str]:
    """A tenant wraps an event of the partner's, account and all, into a message of its own."""
    inside = {**event, "aliyunaccountid": PARTNER, "aliyunoriginalaccountid": PARTNER}
    outside = {"messageId": str(event["id"]), "messageBody": json.dumps([inside])}
    return {**_spoken_by(event, NEIGHBOUR), "data": outside}, "untrusted_envelope"


def _early(chance: random.Random, event: Event, port: Port) -> tuple[Event, str]:
    """The very key of the event to come, taken in advance by one that cannot be right."""
    spoiled, reason = chance.choice(
        [
            ({"eventTime": (NOW + timedelta(days=chance.randrange(1, 9_999))).isoformat()}, "time_in_future"),
            ({"eventTime": "yesterday"}, "bad_time"),
            ({"eventName": ""}, "no_event_name"),
        ]
    )
    event["data"] |= spoiled
    if reason == "bad_time":
        event["time"] = "just now"
    return event, reason


def _joined(chance: random.Random, event: Event, _port: Port) -> tuple[Event, str]:
    """An id and a source that would be another event's key if keys were joined carelessly."""
    account, event_id = event["aliyunoriginalaccountid"], event["id"]
    forged = _spoken_by(event, STRANGER)
    forged |= chance.choice(
        [
            {"id": f"x|{account}|acs.vpc|{event_id}"},
            {"id": f"{event_id}%7C{account}"},
            {"aliyunoriginalaccountid": f"{account}|acs.vpc|{event_id}"},
            {"aliyunoriginalaccountid": f"{account}%7Cacs.vpc"},
        ]
    )
    return forged, "account_mismatch"


_KINDS: dict[str, Forge] = {
    "another tenant's port": _other_tenant,
    "unknown account": _stranger,
    "another partner account": _other_partner,
    "region": _region,
    "source": _source,
    "circuit": _circuit,
    "nested in a message": _nested,
    "key taken in advance": _early,
    "keys joined": _joined,
    "replayed id, another body": _source,  # made in ``_forgery``: it needs the genuine one first
}


def _bytes(event: Event | list[Any]) -> bytes:
    return json.dumps(event).encode()
