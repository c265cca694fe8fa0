"""Connections in every state that a notice speaks of, made by the domain itself, and a sample of every notice."""

from __future__ import annotations

import ast
import inspect
import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from crossport.application.send_notices import NoticeContext, NoticeRequest
from crossport.domain import deadlines, effects
from crossport.domain.adoption import decide_adoption
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection, Milestone, Refusal, Request, expiry_id
from crossport.domain.deadlines import Calendar, due_notices
from crossport.domain.decide import Finding, decide
from crossport.domain.effects import Notice, effects_of, notices
from crossport.domain.impact import impact_of
from crossport.domain.maintenance import (
    KINDS_OF_RECORDS,
    Maintenance,
    MaintenanceKind,
    Side,
    notices_of_record,
)
from crossport.domain.observation import Observation, PortObservation, VbrObservation
from crossport.domain.orders import Contract, Hold, Order, Tenant, decide_order
from crossport.domain.placement import Placement
from crossport.domain.places import zone_named
from crossport.domain.policy import Policy
from crossport.domain.prices import PriceList
from crossport.domain.requests import decide_request
from crossport.domain.vocabulary import (
    BEFORE_PUSH,
    MilestoneName,
    OrderMode,
    Party,
    Phase,
    Presence,
    RequestKind,
    Source,
)

PARTNER_ID = "1290000000000001"
TENANT_ID = "1290555577770011"
STRANGER_ID = "1666000000000099"
CIRCUIT = Circuit(
    circuit_id="pc-circuit1",
    account_id=PARTNER_ID,
    region="us-east-1",
    name="DC11-A",
    access_point="Virginia DC11",
    line_operator="Equinix",
    bandwidth_mbps=10_000,
)
START = datetime(2026, 3, 2, 15, 4, 5, tzinfo=UTC)
CONTRACT = Contract(
    number="EQX-2026-17",
    account_id=PARTNER_ID,
    tenant_uid=TENANT_ID,
    signed_on=date(2026, 1, 10),
    valid_from=date(2026, 1, 15),
)
OWN_PRICES = PriceList(
    name="equinix", version="2026-1", currency="EUR", port_month={"outside": {"200M": Decimal(90)}}, outbound_gb={}
)
POLICY = Policy(account_id=PARTNER_ID, order_modes=frozenset(OrderMode), partner_price_list=OWN_PRICES)
NAMES = {"en": ("Equinix", "Northwind Trading"), "zh-CN": ("中国联通", "北风贸易有限公司")}


#: Eastern time for the partner, Beijing's for the tenant; no holidays.
CALENDAR = Calendar(
    zones={Party.PARTNER: zone_named("America/New_York"), Party.TENANT: zone_named("Asia/Shanghai")},
    access_point=zone_named("America/New_York"),
    is_working_day=lambda day: day.weekday() < 5,
)
HALF = Finding(
    code="half_provisioned",
    subject="HA-7",
    details={
        "missing": ["conn-2 failed"],
        "since": START.isoformat(),
        "deadline": (START + timedelta(days=7)).isoformat(),
    },
)


def partner(language: str = "en") -> Tenant:
    """The partner's contact."""
    return Tenant(
        tenant_uid=PARTNER_ID,
        name=NAMES[language][0],
        language=language,
        email="noc@partner.example",
        zone="America/New_York",
    )


def tenant(language: str = "en", **changes: Any) -> Tenant:
    """The tenant on record."""
    record = Tenant(
        tenant_uid=TENANT_ID,
        name=NAMES[language][1],
        language=language,
        email="net@tenant.example",
        zone="Asia/Shanghai",
    )
    return replace(record, **changes)


def ordered(mode: str = OrderMode.TENANT_PAYS, **changes: Any) -> Connection:
    """A connection after its order; refused when the changes break a rule."""
    order = Order(
        **{
            "client_order_id": "SO-1001",
            "account_id": PARTNER_ID,
            "circuit_id": CIRCUIT.circuit_id,
            "tenant_uid": TENANT_ID,
            "spec": "200M",
            "order_mode": mode,
            "received_at": START,
            "vlan_id": 120,
            "tenant_region": "cn-beijing",
            "milestones": tuple(Milestone(name=name, at=START, actor="sales") for name in sorted(BEFORE_PUSH)),
            **changes,
        }
    )
    return decide_order(order, CIRCUIT, tenant(), (CONTRACT,), POLICY).decision.connection


def saw_port(hours: float = 1, **said: Any) -> PortObservation:
    """A read of the port."""
    return PortObservation(at=START + timedelta(hours=hours), source=Source.READ, port_id="pc-port1", **said)


def saw_vbr(hours: float = 5, vbr_id: str = "vbr-1", **said: Any) -> VbrObservation:
    """A read of a VBR; by default the right one."""
    values = {"port_id": "pc-port1", "owner_uid": TENANT_ID, "vlan_id": 120, "status": "active", **said}
    return VbrObservation(at=START + timedelta(hours=hours), source=Source.READ, vbr_id=vbr_id, **values)


ACCEPTED = saw_port(2, acceptance="Confirmed")
ENABLED = saw_port(
    3,
    status="Enabled",
    business_status="Normal",
    enabled_time=START + timedelta(hours=3),
    end_time=datetime(2026, 4, 2, 16, 0, tzinfo=UTC),
)


def after(connection: Connection, *seen: Observation) -> Connection:
    """The connection with these observations folded in."""
    return decide(connection, seen, POLICY).connection


def offered(mode: str = OrderMode.TENANT_PAYS, **changes: Any) -> Connection:
    """A pushed port that the tenant has not accepted."""
    first = saw_port(
        acceptance="UnConfirmed",
        status="Initial",
        vlan_id=changes.get("vlan_id", 120),
        spec=changes.get("spec", "200M"),
        tenant_uid=TENANT_ID,
        order_mode=mode,
        circuit_id=CIRCUIT.circuit_id,
    )
    return after(ordered(mode, **changes), first)


def active(mode: str = OrderMode.TENANT_PAYS) -> Connection:
    """Accepted, enabled, with the tenant's VBR."""
    return after(offered(mode), ACCEPTED, ENABLED, saw_vbr())


def adopted(*, confirmed: bool = False, contracts: tuple[Contract, ...] = (CONTRACT,)) -> Connection:
    """A port found in the cloud."""
    port = saw_port(
        acceptance="Confirmed" if confirmed else "UnConfirmed",
        vlan_id=130,
        spec="1G",
        tenant_uid=TENANT_ID,
        order_mode=str(OrderMode.TENANT_PAYS),
        circuit_id=CIRCUIT.circuit_id,
    )
    return decide_adoption(port, CIRCUIT, tenant(), contracts, POLICY).decision.connection


def asked(connection: Connection, kind: RequestKind, request_id: str = "CR-1", **said: Any) -> Connection:
    """The connection after an accepted request."""
    request = Request(request_id=request_id, kind=kind, at=START + timedelta(hours=20), actor="noc", **said)
    vlan_id = connection.vlan_id
    held = Hold(circuit_id=CIRCUIT.circuit_id, vlan_id=vlan_id, mbps=200, connection_id=connection.connection_id)
    circuit = CIRCUIT if vlan_id < 0 else CIRCUIT.hold(vlan_id, 200)
    decided = decide_request(request, connection, circuit, held, POLICY)
    assert decided.decision is not None, decided.refusals
    return decided.decision.connection


def expired() -> Connection:
    """An order that has waited too long for its milestones."""
    waiting = ordered(milestones=())
    return asked(waiting, RequestKind.CANCEL, expiry_id(waiting.connection_id))


def states() -> dict[str, Connection]:
    """Connections that between them call for every notice there is."""
    running, ours = active(), active(OrderMode.PARTNER_PAYS)
    locked, closed = saw_port(9, business_status="FinancialLocked"), saw_port(9, business_status="SecurityLocked")
    failed = replace(
        ordered(),
        failure=Refusal(code="cloud_refused", message="The quota of ports is used up.", subject="QuotaExceeded.VPCONN"),
    )
    missed = [saw_port(12 + number, presence=Presence.NOT_LISTED) for number in (0, 1)]
    return {
        "refused": ordered(vlan_id=3_000, spec="7M", tenant_uid="12a", order_mode="nobody"),
        "failed": failed,
        "offered": offered(),
        "offered, partner pays": offered(OrderMode.PARTNER_PAYS),
        "offered, whole circuit": offered(vlan_id=0, tenant_region=""),
        "adopted": adopted(),
        "adopted, accepted": adopted(confirmed=True),
        "adopted without contract": adopted(contracts=()),
        "accepted": after(offered(), ACCEPTED),
        "accepted, partner pays": after(offered(OrderMode.PARTNER_PAYS), ACCEPTED),
        "paid before accepted": after(offered(), ENABLED),
        "enabled": after(offered(), ACCEPTED, ENABLED),
        "active": running,
        "locked": after(running, locked),
        "locked, partner pays": after(ours, locked),
        "locked for security": after(running, closed),
        "disabled by tenant": after(running, saw_port(9, status="Terminated")),
        "disabled by partner": after(running, replace(saw_port(9, status="Terminated"), source=Source.OWN_ANSWER)),
        "subscription ended": after(running, saw_port(24 * 40, business_status="FinancialLocked")),
        "subscription ended, partner pays": after(ours, saw_port(24 * 40, business_status="FinancialLocked")),
        "VBR disabled": after(running, saw_vbr(9, status="terminated")),
        "VBR back": after(running, saw_vbr(9, status="terminated"), saw_vbr(11)),
        "missed twice and gone": after(running, locked, *missed, saw_port(14, presence=Presence.NOT_FOUND)),
        "back": after(running, locked, saw_port(11, business_status="Normal")),
        "declined": after(offered(), saw_port(9, acceptance="Deleted")),
        "withdrawn": replace(after(offered(), saw_port(9, acceptance="Deleted")), withdrawn_at=START),
        "gone": after(running, saw_port(9, acceptance="Deleted")),
        "lost in arrears": after(running, locked, saw_port(12, acceptance="Deleted")),
        "expired": expired(),
        "new spec": asked(running, RequestKind.CHANGE_SPEC, spec="500M"),
        "new spec, partner pays": asked(ours, RequestKind.CHANGE_SPEC, spec="100M", forced="agreed by phone"),
        "new VLAN ID": asked(after(offered(), ACCEPTED), RequestKind.CHANGE_VLAN, vlan_id=130),
        "new VLAN ID by force": asked(running, RequestKind.CHANGE_VLAN, vlan_id=300, forced="renumbering"),
        "ceased": asked(running, RequestKind.CEASE),
        "ceased, partner pays": asked(ours, RequestKind.CEASE),
        "second VBR": after(running, saw_vbr(6, "vbr-2", owner_uid=STRANGER_ID, vlan_id=0)),
        "wrong port": after(
            offered(),
            saw_port(9, vlan_id=0, tenant_uid=STRANGER_ID, circuit_id="pc-other", order_mode="Nobody", status="Frozen"),
        ),
    }


def context_of(
    notice: Notice, connection: Connection, language: str = "en", *, known: Tenant | None = None, **changes: Any
) -> NoticeContext:
    """The context in which a notice of this connection is rendered."""
    record = known or tenant(language)
    values: dict[str, Any] = {
        "request": NoticeRequest(
            key=notice.key,
            kind=notice.kind,
            connection_id=notice.connection_id,
            party=notice.party,
            details=notice.details,
        ),
        "connection": connection,
        "policy": POLICY,
        "circuit": CIRCUIT,
        "tenant": record,
        "partner": partner(language),
        "at": START,
        "recipient": record if notice.party is Party.TENANT else partner(language),
        **changes,
    }
    return NoticeContext(**values)


def notice_of(connection: Connection, kind: str, party: Party) -> Notice:
    """The last notice of this kind that the connection calls for."""
    found = [e for e in effects_of(connection, POLICY) if isinstance(e, Notice) and (e.kind, e.party) == (kind, party)]
    return found[-1]


def render_samples(language: str) -> Iterator[tuple[str, NoticeContext]]:
    """The context of every notice of every state that is not moot, with a name."""
    for name, connection in states().items():
        for effect in effects_of(connection, POLICY):
            if isinstance(effect, Notice) and effects.moot(effect, connection, POLICY) is None:
                yield f"{name}: {effect.key}", context_of(effect, connection, language)
    yield from calendar_samples(language)
    for name, connection in recoveries().items():
        notice = recovery_of(connection)
        assert effects.moot(notice, connection, POLICY) is None
        yield f"{name}: {notice.key}", context_of(notice, connection, language)
    yield from works(language)


def works(language: str) -> Iterator[tuple[str, NoticeContext]]:
    """Every notice of planned work and of an outage: told, cleared and called off, with and without a sibling."""
    running, causes = active(), {"en": "a line card is replaced", "zh-CN": "更换线卡"}
    placed = Placement(
        connection_id=running.connection_id,
        account_id=PARTNER_ID,
        region=CIRCUIT.region,
        circuit_id=CIRCUIT.circuit_id,
        access_point=CIRCUIT.access_point,
        tenant_uid=TENANT_ID,
        group_id="HA",
        phase=Phase.ACTIVE,
        port_id=running.port_id,
        vlan_id=120,
        spec="200M",
    )
    sibling = replace(placed, connection_id="conn-sibling", circuit_id="pc-other", access_point="other")
    for kind, side, with_sibling in itertools.product(MaintenanceKind, Side, (True, False)):
        affected = impact_of(CIRCUIT.circuit_id, [placed, *([sibling] if with_sibling else [])], {})
        told = Maintenance(
            record_id="mnt-1",
            kind=kind,
            account_id=PARTNER_ID,
            circuit_id=CIRCUIT.circuit_id,
            starts_at=START,
            ends_at=START + timedelta(hours=4) if kind is MaintenanceKind.PLANNED or with_sibling else None,
            zone="UTC",
            side=side,
            cause=causes[language],
            actor="noc",
            recorded_at=START,
        )
        over = replace(told, cleared_at=START + timedelta(hours=3), outcome=causes[language])
        for record in (told, over, replace(over, cleared_at=START - timedelta(hours=1), outcome="")):
            for notice in notices_of_record(record, affected):
                yield f"{kind} {side} {notice.key}", context_of(notice, running, language)


def calendar_samples(language: str) -> Iterator[tuple[str, NoticeContext]]:
    """The context of every notice that the calendar calls for on some day in the life of every state."""
    for name, connection in {**states(), **waiting_states()}.items():
        told = set()
        for day in range(-1, 60):
            now = START + timedelta(days=day, hours=14)
            for notice in due_notices(connection, POLICY, now, CALENDAR, HALF if connection.group_id else None):
                if notice.key not in told and effects.moot(notice, connection, POLICY) is None:
                    told.add(notice.key)
                    yield f"{name}: {notice.key}", context_of(notice, connection, language, at=now)


def waiting_states() -> dict[str, Connection]:
    """Connections of which only the calendar has something to say."""
    taken_back = replace(offered(), withdrawn_at=START + timedelta(days=14))
    return {
        "waiting": ordered(milestones=()),
        "quoted": ordered(milestones=(Milestone(name=MilestoneName.QUOTE_ACCEPTED, at=START, actor="sales"),)),
        "withdrawal refused": taken_back,
        "half of a group": replace(active(), group_id="HA-7"),
        "paid, not accepted": after(offered(), ENABLED),
    }


def recoveries() -> dict[str, Connection]:
    """Connections that the tenant alone may bring back."""
    running = active()
    known = {name: states()[name] for name in ("locked", "subscription ended", "locked for security")}
    return {**known, "disabled by tenant": after(running, saw_port(9, status="Terminated"))}


def recovery_of(connection: Connection) -> Notice:
    """What the tenant is told when we were asked to recover the connection and may not."""
    request = Request(request_id="CR-1", kind=RequestKind.RECOVER, at=START, actor="noc")
    (notice,) = notices.recovery_notices(connection, request, POLICY)
    return notice


def declared_notices() -> set[tuple[str, Party]]:
    """(kind, party) of every notice that the domain can call for, read off its source, so that none can be missed."""
    found: set[tuple[str, Party]] = set()
    for node in ast.walk(ast.parse(inspect.getsource(deadlines))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Series":
            said = {word.arg: ast.unparse(word.value) for word in node.keywords}
            names = [n for n in Party.__members__ if n in said["parties"]]
            either = "_BOTH" in said["parties"] or "payer" in said["parties"]
            found |= {
                (ast.literal_eval(said["kind"]), Party[name]) for name in (Party.__members__ if either else names)
            }
    for node in ast.walk(ast.parse(inspect.getsource(notices))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_tell":
            kind, parties = ast.literal_eval(node.args[1]), ast.unparse(node.args[2])
            names = ["TENANT", "PARTNER"] if parties == "_BOTH" else [n for n in Party.__members__ if n in parties]
            found |= {(kind, Party[name]) for name in names}
    return found | {(kind, party) for kind in KINDS_OF_RECORDS for party in Party}
