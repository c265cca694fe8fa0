"""What the orderer's own systems are told on the reply queue, and when a request counts as fulfilled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crossport.domain.connection import Connection, Refusal, Request
from crossport.domain.decide import decide
from crossport.domain.effects.kinds import Reply
from crossport.domain.effects.replies import (
    ever_active,
    fulfilled,
    refusal_without_connection,
    replies_of,
    reply,
)
from crossport.domain.observation import Observation
from crossport.domain.vocabulary import MilestoneName, Origin, RequestKind
from tests.unit.domain.examples import (
    NOW,
    PARTNER,
    POLICY,
    STRANGER,
    connection,
    milestone,
    port_read,
    port_seen,
    vbr_read,
)

HOUR = timedelta(hours=1)
RUNNING: dict[str, Any] = {"acceptance": "Confirmed", "status": "Enabled"}
REASON = Refusal(code="no", message="not so", subject="it")
REASONS = [{"code": "no", "message": "not so", "subject": "it"}]
ARRIVED = tuple(milestone(name) for name in MilestoneName)
SPEC, VLAN_CHANGE, CEASE, CANCEL, RECOVER = RequestKind


def after(*seen: Observation, **changes: Any) -> Connection:
    known = connection(client_order_id="order-1", **{"milestones": ARRIVED, **changes})
    return decide(known, seen, POLICY).connection


def request(kind: RequestKind, request_id: str = "CR-1", at: timedelta = HOUR, **changes: Any) -> Request:
    said = {"spec": "200M"} if kind is SPEC else {"vlan_id": 0} if kind is VLAN_CHANGE else {}
    return Request(**{"request_id": request_id, "kind": kind, "at": NOW + at, "actor": "noc", **said, **changes})


def message(request_id: str, state: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "order.reply",
        "version": 1,
        "client_order_id": request_id,
        "connection_id": "conn-1",
        "account_id": PARTNER,
        "state": state,
        "reasons": [],
        **more,
    }


def said(known: Connection) -> list[dict[str, Any]]:
    found = list(replies_of(known, POLICY))
    for one in found:
        answered = f"{one.details['client_order_id']}:{one.details['state']}"
        assert (one.key, one.kind, one.connection_id) == (f"conn-1:reply:{answered}", "order_reply", "conn-1")
    return [one.details for one in found]


ACCEPTED = message("order-1", "accepted")


@pytest.mark.parametrize(
    ("known", "messages"),
    [
        (after(), [ACCEPTED]),
        (after(refusals=(REASON,), milestones=()), [message("order-1", "rejected", reasons=REASONS)]),
        (
            after(milestones=()),
            [ACCEPTED, message("order-1", "waiting", waiting_for=["last_mile_ready", "uid_confirmed"])],
        ),
        (
            after(milestones=(milestone(MilestoneName.LAST_MILE_READY),)),
            [ACCEPTED, message("order-1", "waiting", waiting_for=["uid_confirmed"])],
        ),
        (after(failure=REASON), [ACCEPTED, message("order-1", "rejected", reasons=REASONS)]),
        (
            after(requests=(request(CANCEL, "hold-expired:conn-1"),)),
            [
                ACCEPTED,
                message(
                    "order-1",
                    "rejected",
                    reasons=[
                        {
                            "code": "hold_expired",
                            "message": "the order waited too long; its VLAN ID and bandwidth are free",
                            "subject": "",
                        }
                    ],
                ),
            ],
        ),
        (after(port_read(**RUNNING), vbr_read()), [ACCEPTED, message("order-1", "completed")]),
        (
            after(port_read(**RUNNING), requests=(request(SPEC), request(CEASE, "CR-2"))),
            [ACCEPTED, message("CR-1", "accepted"), message("CR-2", "accepted")],
        ),
        (
            after(port_read(**RUNNING), port_read(NOW + HOUR, **RUNNING, spec="200M"), requests=(request(SPEC),)),
            [ACCEPTED, message("CR-1", "accepted"), message("CR-1", "completed")],
        ),
        # Nobody ordered an adopted port; only requests on it are answered.
        (after(port_read(**RUNNING), vbr_read(), origin=Origin.CONSOLE), []),
        (
            after(port_read(**RUNNING), origin=Origin.IMPORT, requests=(request(CEASE),)),
            [message("CR-1", "accepted")],
        ),
    ],
)
def test_what_is_answered(known: Connection, messages: list[dict[str, Any]]) -> None:
    assert said(known) == messages


def test_a_reply_carries_what_else_there_is_to_say() -> None:
    assert reply(connection(), "CR-1", "rejected", reasons=(REASON,), attempt=2) == Reply(
        key="conn-1:reply:CR-1:rejected",
        kind="order_reply",
        connection_id="conn-1",
        details=message("CR-1", "rejected", reasons=REASONS, attempt=2),
    )


def test_a_refusal_before_there_is_a_connection_is_told_at_each_try() -> None:
    assert refusal_without_connection(PARTNER, "order-1", (REASON,), attempt="m-7") == Reply(
        key=f"{PARTNER}:reply:order-1:rejected:m-7",
        kind="order_reply",
        connection_id="",
        details=message("order-1", "rejected", connection_id="", reasons=REASONS),
    )


@pytest.mark.parametrize(
    ("seen", "active"),
    [
        ([], False),
        ([port_read(**RUNNING)], False),
        ([port_read(**RUNNING), vbr_read()], True),
        ([port_read(status="Enabled"), vbr_read()], False),
        ([port_read(acceptance="Confirmed"), vbr_read()], False),
        ([port_read(**RUNNING), vbr_read(status="unconfirmed")], False),
        ([port_read(**RUNNING), vbr_read(owner_uid=STRANGER)], False),
        ([port_read(**RUNNING), vbr_read(status="terminated"), vbr_read(vbr_id="vbr-2")], True),
        # Once it was so, it stays so.
        ([port_read(**RUNNING), vbr_read(), port_read(NOW + HOUR), vbr_read(NOW + HOUR, status="terminated")], True),
    ],
)
def test_an_order_is_completed_once_all_of_an_active_connection_was_seen(seen: list[Observation], active: bool) -> None:
    assert ever_active(after(*seen)) is active


@pytest.mark.parametrize(
    ("asked", "seen", "done"),
    [
        (request(SPEC), [port_read()], False),
        (request(SPEC), [port_read(NOW + HOUR, spec="200M")], True),
        (request(SPEC), [port_read(NOW + HOUR, spec="300M")], False),
        (request(SPEC), [port_read(spec="200M")], False),
        (request(SPEC), [port_read(spec="200M"), port_read(NOW + 2 * HOUR, spec="200M")], True),
        (request(VLAN_CHANGE), [port_read()], False),
        (request(VLAN_CHANGE), [port_read(NOW + HOUR, vlan_id=0)], True),
        (request(VLAN_CHANGE), [port_read(NOW + HOUR, vlan_id=7)], False),
        (request(VLAN_CHANGE), [port_read(vlan_id=0)], False),
        (request(CEASE), [port_read(**RUNNING)], False),
        (request(CEASE), [port_read(**RUNNING), port_seen(NOW + HOUR, acceptance="Deleted")], True),
        (request(CANCEL), [port_read()], False),
        (request(CANCEL), [port_read(), port_seen(NOW + HOUR, acceptance="Deleted")], True),
    ],
)
def test_a_request_is_fulfilled_by_what_was_seen_after_it(asked: Request, seen: list[Observation], done: bool) -> None:
    assert fulfilled(after(*seen), asked) is done


def test_a_cancelled_order_that_nothing_came_of_has_ended_at_once() -> None:
    waiting = replace(connection(), intended_at=None)
    assert fulfilled(waiting, request(CANCEL))
    assert not fulfilled(connection(), request(CANCEL))
    assert not any(fulfilled(waiting, request(kind)) for kind in (SPEC, VLAN_CHANGE, CEASE))


def test_our_own_request_is_not_answered_but_those_beside_it_are() -> None:
    known = after(requests=(request(CANCEL, "hold-expired:conn-1"), request(CEASE, "CR-2")))
    assert [one["client_order_id"] for one in said(known)] == ["order-1", "order-1", "CR-2"]
