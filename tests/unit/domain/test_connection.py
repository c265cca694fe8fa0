"""The aggregate's answers: what holds now, what was agreed, and whose VBR is the port's own."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from crossport.domain.connection import (
    Connection,
    Milestone,
    Request,
    connection_id_for,
    expiry_id,
    token_of,
)
from crossport.domain.decide import decide
from crossport.domain.errors import NaiveTimeError
from crossport.domain.observation import Observation
from crossport.domain.phase import phase_of
from crossport.domain.vocabulary import MilestoneName, OrderMode, Phase, Presence, RequestKind, Source
from tests.unit.domain.examples import (
    CIRCUIT,
    NOW,
    POLICY,
    PORT,
    STRANGER,
    VLAN,
    WINDOW,
    connection,
    milestone,
    port_read,
    port_seen,
    vbr_read,
    vbr_seen,
)

HOUR = timedelta(hours=1)
NOWHERE = datetime(2022, 1, 1)  # noqa: DTZ001


def after(*seen: Observation, **changes: Any) -> Connection:
    return decide(connection(**changes), seen, POLICY).connection


def request(request_id: str, kind: RequestKind, **changes: Any) -> Request:
    return Request(request_id=request_id, kind=kind, at=NOW, actor="noc", **changes)


def test_what_the_cloud_said_last_comes_before_what_was_ordered() -> None:
    assert (connection().port_id, connection().spec, connection().vlan_id) == (None, "100M", VLAN)
    assert connection().order_mode == str(OrderMode.TENANT_PAYS)
    unsaid = after(port_seen())
    assert (unsaid.port_id, unsaid.spec, unsaid.vlan_id) == (PORT, "100M", VLAN)
    assert unsaid.order_mode == str(OrderMode.TENANT_PAYS)
    said = after(port_read(spec="200M", vlan_id=0, order_mode=str(OrderMode.PARTNER_PAYS)))
    assert (said.spec, said.vlan_id, said.order_mode) == ("200M", 0, str(OrderMode.PARTNER_PAYS))


def test_the_vlan_agreed_last_counts_and_zero_is_one() -> None:
    changes = (
        request("CR-1", RequestKind.CHANGE_VLAN, vlan_id=7),
        request("CR-2", RequestKind.CHANGE_VLAN, vlan_id=0),
        request("CR-3", RequestKind.CHANGE_SPEC, spec="200M"),
    )
    assert connection().agreed_vlan_id == VLAN
    assert connection(requests=changes[:1]).agreed_vlan_id == 7
    assert connection(requests=changes).agreed_vlan_id == 0


def test_the_latest_request_of_a_kind_is_found() -> None:
    first, second = (request(f"CR-{n}", RequestKind.CHANGE_SPEC, spec="200M") for n in (1, 2))
    known = connection(requests=(first, second, request("CR-3", RequestKind.CEASE)))
    assert known.request(RequestKind.CHANGE_SPEC) == second
    assert known.request(RequestKind.CANCEL) is None


def test_a_milestone_is_found_by_its_name() -> None:
    reached = milestone(MilestoneName.QUOTED)
    known = connection(milestones=(milestone(MilestoneName.UID_CONFIRMED), reached))
    assert known.milestone(MilestoneName.QUOTED) == reached
    assert known.milestone(MilestoneName.LAST_MILE_READY) is None


def test_an_order_has_expired_when_we_took_it_back_ourselves() -> None:
    assert expiry_id("conn-1") == "hold-expired:conn-1"
    assert connection(requests=(request("hold-expired:conn-1", RequestKind.CANCEL),)).expired
    assert not connection(requests=(request("hold-expired:conn-2", RequestKind.CANCEL),)).expired
    assert not connection().expired


def test_ids_follow_from_what_opened_the_connection() -> None:
    digest = hashlib.sha256(b"1\norder\nA-1").hexdigest()
    assert connection_id_for("1", "order", "A-1") == f"conn-{digest[:16]}"
    assert token_of("conn-1") == connection().token == "crossport-conn-1"


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: Milestone(name=MilestoneName.QUOTED, at=NOWHERE, actor="noc"), "a milestone's time"),
        (lambda: Request(request_id="1", kind=RequestKind.CEASE, at=NOWHERE, actor="noc"), "a request's time"),
    ],
)
def test_our_own_acts_have_a_time_with_a_zone(build: Any, name: str) -> None:
    with pytest.raises(NaiveTimeError, match=f"^{name} has no time zone$"):
        build()


# --- Whose VBR ------------------------------------------------------------------------------------------------------

MISSING = [vbr_seen(NOW + n * HOUR, presence=Presence.NOT_LISTED) for n in (1, 2)]


@pytest.mark.parametrize(
    ("seen", "lives"),
    [
        ([vbr_read()], True),
        ([vbr_read(port_id=None)], True),
        ([vbr_read(status="terminated")], True),
        ([vbr_read(owner_uid=STRANGER)], True),
        ([vbr_read(), *MISSING[:1]], True),
        ([vbr_read(), *MISSING], False),
        ([vbr_read(), vbr_seen(NOW, Source.EVENT, deleted=True)], False),
        ([vbr_read(), vbr_read(NOW + HOUR, port_id="pc-other")], False),
        ([vbr_read(), vbr_read(NOW + HOUR, status="deleting")], False),
    ],
)
def test_a_vbr_hangs_on_the_port_until_it_is_gone_or_elsewhere(seen: list[Observation], lives: bool) -> None:
    known = after(port_read(), *seen)
    assert bool(known.live_vbrs(WINDOW)) is lives
    assert (known.accepted_vbr(WINDOW) is not None) is (lives and known.conforms(known.vbrs[0]))


@pytest.mark.parametrize(
    ("vbr", "conforms", "ever"),
    [
        ([{}], True, True),
        ([{"owner_uid": None}], True, False),
        ([{"owner_uid": STRANGER}], False, False),
        ([{"vlan_id": 0}], False, False),
        ([{"vlan_id": None}], False, False),
        ([{"port_id": None}], False, False),
        ([{"port_id": "pc-other"}], False, False),
        ([{}, {"owner_uid": STRANGER}], False, True),
        ([{}, {"vlan_id": 0}], False, True),
        ([{}, {"port_id": "pc-other"}], False, True),
    ],
)
def test_a_vbr_conforms_by_owner_port_and_vlan(vbr: list[dict[str, Any]], conforms: bool, ever: bool) -> None:
    known = after(port_read(), *(vbr_read(NOW + n * HOUR, **fields) for n, fields in enumerate(vbr)))
    (facts,) = known.vbrs
    assert (known.conforms(facts), known.ever_conformed(facts)) == (conforms, ever)
    assert not replace(known, port=None).ever_conformed(facts)


def test_an_attested_vbr_serves_where_none_was_ever_seen() -> None:
    """Ruling 8; one that hangs there, or hung there, shows that we can see them."""
    port = port_read(acceptance="Confirmed", status="Enabled")
    assert phase_of(after(port, attested_at=NOW), WINDOW) is Phase.ACTIVE
    assert phase_of(after(port, vbr_read(port_id=CIRCUIT), attested_at=NOW), WINDOW) is Phase.ACTIVE
    seen = after(port, vbr_read(vlan_id=0), attested_at=NOW)
    assert phase_of(seen, WINDOW) is Phase.ENABLED
    assert phase_of(decide(seen, MISSING, POLICY).connection, WINDOW) is Phase.ENABLED


def test_the_earliest_conforming_vbr_is_the_ports_own() -> None:
    later, earlier = vbr_read(NOW + HOUR, vbr_id="vbr-0"), vbr_read(NOW, vbr_id="vbr-2")
    same = vbr_read(NOW, vbr_id="vbr-3")
    wrong = vbr_read(NOW - HOUR, vbr_id="vbr-1", vlan_id=0)
    accepted = after(port_read(), later, same, earlier, wrong).accepted_vbr(WINDOW)
    assert accepted is not None
    assert accepted.vbr_id == "vbr-2"
    assert after(port_read(), wrong).accepted_vbr(WINDOW) is None
