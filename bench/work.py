"""The unit of work that everything in the benchmark does: one event of one connection, durably.

CloudEvent bytes in; parsed; is it known already; load the connection; is the step legal, are circuit, VLAN ID and
tenant the ordered ones, has the port no VBR yet; then the new state, an inbox row, an audit row, outbox rows and a
route in ONE durable transaction. Three events a connection, interleaved over all connections; every tenth event comes
twice.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

ACCOUNT = "1180000000000001"
TENANT = "1290000000000011"
CIRCUIT = "pc-dc11equinix0000001"
REGION = "us-east-1"
BEGAN = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
STEPS = ("created", "accepted", "vbr")
#: Share of events that are delivered a second time.
REPEATED = 0.10
_SEED = 20_261_124


@dataclass(frozen=True, slots=True)
class Subject:
    """One connection of the workload."""

    number: int

    @property
    def connection_id(self) -> str:
        return f"conn-{self.number:016x}"

    @property
    def port_id(self) -> str:
        return f"pc-bench{self.number:012d}"

    @property
    def vbr_id(self) -> str:
        return f"vbr-bench{self.number:012d}"

    @property
    def circuit_id(self) -> str:
        """2,999 VLAN IDs a circuit."""
        return f"pc-circuit{self.number // 2_999:08d}"

    @property
    def vlan_id(self) -> int:
        return self.number % 2_999 + 1


def events(connections: int, first: int = 0) -> list[bytes]:
    """Every event of so many connections, in the order in which they are delivered; duplicates included.

    Step by step over all connections, and a duplicate some events after its first delivery.
    """
    chance = random.Random(_SEED)
    delivered: list[bytes] = []
    for step in STEPS:
        waiting: list[bytes] = []
        for number in range(first, first + connections):
            body = event(Subject(number), step)
            delivered.append(body)
            if chance.random() < REPEATED:
                waiting.append(body)
            if len(waiting) > 5:
                delivered.append(waiting.pop(0))
        delivered += waiting
    return delivered


def batches(deliveries: list[bytes], size: int) -> list[bytes]:
    """The deliveries as event streaming hands them over: arrays of so many, the last one shorter."""
    groups = (deliveries[start : start + size] for start in range(0, len(deliveries), size))
    return [b"[" + b",".join(group) + b"]" for group in groups]


def poisoned(deliveries: list[bytes], size: int, spare: int) -> list[bytes]:
    """As ``batches``, with one event in each that no store can take: two connections' creations of one port.

    Of every batch the last two are of connections of their own, numbered from ``spare``; the second is the poison.
    """
    groups = [deliveries[start : start + size - 2] for start in range(0, len(deliveries), size - 2)]
    for number, group in enumerate(groups):
        sound, other = Subject(spare + 2 * number), Subject(spare + 2 * number + 1)
        made_twice = event(other, "created").replace(other.port_id.encode(), sound.port_id.encode())
        group += [event(sound, "created"), made_twice]
    return [b"[" + b",".join(group) + b"]" for group in groups]


def distinct(connections: int) -> int:
    """How many different events ``events`` delivers."""
    return connections * len(STEPS)


def event(subject: Subject, step: str) -> bytes:
    """The CloudEvent of one step, as EventBridge hands it over."""
    name, request, response = _calls(subject)[step]
    at = (BEGAN + timedelta(minutes=STEPS.index(step))).strftime("%Y-%m-%dT%H:%M:%SZ")
    event_id = f"e{STEPS.index(step)}{subject.number:07d}-0000-4000-8000-000000000000"
    return json.dumps(
        {
            "id": event_id,
            "source": "acs.vpc",
            "specversion": "1.0",
            "type": "vpc:ActionTrail:ApiCall",
            "subject": f"acs.vpc:{REGION}:{ACCOUNT}:{subject.port_id}",
            "time": at,
            "datacontenttype": "application/json;charset=utf-8",
            "aliyunaccountid": ACCOUNT,
            "aliyunpublishtime": at,
            "aliyuneventbusname": "default",
            "aliyunregionid": REGION,
            "data": {
                "eventId": event_id,
                "eventName": name,
                "eventRW": "Write",
                "eventType": "ApiCall",
                "eventVersion": 1,
                "eventTime": at,
                "serviceName": "Vpc",
                "acsRegion": REGION,
                "apiVersion": "2016-04-28",
                "recipientAccountId": ACCOUNT,
                "requestId": event_id,
                "requestParameters": {"RegionId": REGION, **request},
                "responseElements": {"RequestId": event_id, **response},
                "sourceIpAddress": "198.51.100.7",
                "userAgent": "AlibabaCloud (Linux; x86_64) Python/3.12 Core/0.4.6 TeaDSL/1",
                "userIdentity": {"type": "root-account", "accountId": ACCOUNT, "userName": "root"},
            },
        }
    ).encode()


def _calls(subject: Subject) -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
    return {
        "created": (
            "CreateVirtualPhysicalConnection",
            {
                "PhysicalConnectionId": subject.circuit_id,
                "VpconnAliUid": TENANT,
                "Spec": "50M",
                "VlanId": subject.vlan_id,
                "OrderMode": "PayByVirtualPhysicalConnectionOwner",
                "Token": f"crossport-{subject.connection_id}",
            },
            {"VirtualPhysicalConnection": subject.port_id},
        ),
        "accepted": ("ConfirmPhysicalConnection", {"PhysicalConnectionId": subject.port_id}, {}),
        "vbr": (
            "CreateVirtualBorderRouter",
            {"PhysicalConnectionId": subject.port_id, "VbrOwnerId": TENANT, "VlanId": subject.vlan_id},
            {"VbrId": subject.vbr_id},
        ),
    }


def subjects(connections: int, first: int = 0) -> Iterator[Subject]:
    """The connections of the workload."""
    return (Subject(number) for number in range(first, first + connections))
