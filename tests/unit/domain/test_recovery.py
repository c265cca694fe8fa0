"""Who may recover what (ruling 4), what is refused, who is told, and when a VLAN ID is at risk (ruling 15)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from crossport.domain.connection import Connection, Request, Terms
from crossport.domain.cool_down import vlan_at_risk_from
from crossport.domain.decide import decide
from crossport.domain.effects import Command, Effect, Reply
from crossport.domain.observation import Observation
from crossport.domain.requests import RequestDecision, decide_request
from crossport.domain.vocabulary import OrderMode, Party, RequestKind
from tests.unit.domain.examples import NOW, POLICY, VLAN, circuit, connection, port_read, vbr_read

LATER = NOW + timedelta(hours=2)
OURS, THEIRS = OrderMode.PARTNER_PAYS, OrderMode.TENANT_PAYS


def known(mode: OrderMode, *observations: Observation, **changes: Any) -> Connection:
    """An active connection after these observations."""
    terms = Terms(spec="100M", vlan_id=VLAN, order_mode=mode)
    running = (port(mode), vbr_read())
    return decide(connection(terms=terms, **changes), (*running, *observations), POLICY).connection


def port(mode: OrderMode, at: datetime = NOW, **fields: Any) -> Observation:
    return port_read(at, **{"acceptance": "Confirmed", "status": "Enabled", "order_mode": str(mode), **fields})


def asked(of: Connection, *, at: datetime = LATER, forced: str = "") -> RequestDecision:
    request = Request(request_id="R-1", kind=RequestKind.RECOVER, at=at, actor="noc", forced=forced)
    return decide_request(request, of, circuit(), None, POLICY)


def effects_of(decided: RequestDecision) -> tuple[Effect, ...]:
    assert decided.decision is not None
    return decided.decision.effects


HOUR = NOW + timedelta(hours=1)
OFF = {"status": "Terminated"}
VBR_GONE_OFF = vbr_read(HOUR, status="terminated")


@pytest.mark.parametrize("forced", ["", "agreed by phone"])
@pytest.mark.parametrize(
    ("of", "refused", "by_force"),
    [
        (known(OURS, port(OURS, HOUR, **OFF)), [], []),
        (known(THEIRS, port(THEIRS, HOUR, **OFF)), ["recovery_is_the_tenants"], []),
        (known(OURS, VBR_GONE_OFF), [], []),
        (known(THEIRS, VBR_GONE_OFF), [], []),
        (known(OURS), ["nothing_to_recover"], ["nothing_to_recover"]),
        (
            known(OURS, port(OURS, HOUR, business_status="FinancialLocked")),
            ["locked_not_terminated"],
            ["locked_not_terminated"],
        ),
        (
            known(THEIRS, port(THEIRS, HOUR, business_status="FinancialLocked", end_time=NOW)),
            ["locked_not_terminated"],
            ["locked_not_terminated"],
        ),
        (
            known(THEIRS, port(THEIRS, HOUR, business_status="SecurityLocked")),
            ["locked_not_terminated"],
            ["locked_not_terminated"],
        ),
        (
            known(OURS, port(OURS, HOUR, **OFF), cease_recorded_at=NOW),
            ["nothing_to_recover"],
            ["nothing_to_recover"],
        ),
    ],
)
def test_what_may_be_recovered_follows_from_payer_and_state(
    of: Connection, refused: list[str], by_force: list[str], forced: str
) -> None:
    decided = asked(of, forced=forced)
    assert [refusal.code for refusal in decided.refusals] == (by_force if forced else refused)
    commands = [e.key for e in effects_of(decided) if isinstance(e, Command)] if not decided.refusals else []
    assert commands == ([] if decided.refusals else ["conn-1:recover:R-1"])


@pytest.mark.parametrize(
    ("of", "told"),
    [
        (known(THEIRS, port(THEIRS, HOUR, **OFF)), True),
        (known(THEIRS, port(THEIRS, HOUR, business_status="FinancialLocked")), True),
        (known(OURS, port(OURS, HOUR, business_status="FinancialLocked")), False),
        (known(OURS, port(OURS, HOUR, business_status="SecurityLocked")), True),
        (known(THEIRS), False),
    ],
)
def test_a_refusal_that_leaves_the_tenant_to_act_tells_the_tenant(of: Connection, told: bool) -> None:
    notices = asked(of).notices
    assert [(one.kind, one.party, one.key) for one in notices] == (
        [("recovery", Party.TENANT, "conn-1:recovery:R-1:tenant")] if told else []
    )


def test_it_is_completed_when_what_was_off_was_seen_up_after_it_was_asked_for() -> None:
    """Whatever is seen first: the port, its VBR, or what was so before."""

    def states(*seen: Observation) -> set[str]:
        decided = asked(known(OURS, port(OURS, HOUR, **OFF), VBR_GONE_OFF)).decision
        assert decided is not None
        found = [*decided.effects, *decide(decided.connection, seen, POLICY).effects]
        return {e.details["state"] for e in found if isinstance(e, Reply) and e.details["client_order_id"] == "R-1"}

    after = LATER + timedelta(minutes=1)
    up, vbr_up = port(OURS, after), vbr_read(after)
    assert states() == {"accepted"}
    assert states(port(OURS, HOUR + timedelta(minutes=1)), vbr_up) == {"accepted"}
    assert states(up) == {"accepted"}
    assert states(up, vbr_up) == states(vbr_up, up) == {"accepted", "completed"}


@pytest.mark.parametrize(("days", "warned"), [(0, False), (4.99, False), (5, True), (8, True)])
def test_from_the_fifth_day_the_reply_warns_that_the_vlan_id_may_be_lost(days: float, warned: bool) -> None:
    decided = asked(known(OURS, VBR_GONE_OFF), at=HOUR + timedelta(days=days))
    (reply,) = [e for e in effects_of(decided) if isinstance(e, Reply)]
    assert [w["code"] for w in reply.details.get("warnings", [])] == (["vlan_at_risk"] if warned else [])


def test_the_risk_begins_five_days_after_the_latest_termination() -> None:
    assert vlan_at_risk_from(known(OURS)) is None
    assert vlan_at_risk_from(known(OURS, port(OURS, HOUR, **OFF))) is None
    again = [
        VBR_GONE_OFF,
        vbr_read(HOUR + timedelta(hours=1)),
        vbr_read(HOUR + timedelta(hours=2), status="terminated"),
    ]
    assert vlan_at_risk_from(known(OURS, *again)) == HOUR + timedelta(hours=2, days=5)
    assert vlan_at_risk_from(known(OURS, *again[::-1])) == HOUR + timedelta(hours=2, days=5)
    assert vlan_at_risk_from(known(OURS, *again, vbr_read(HOUR + timedelta(hours=3)))) is None
