"""What lists show and what we know, compared: nothing is missed, nothing is told twice, whatever was known before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossport.domain import glance
from crossport.domain.connection import Connection
from crossport.domain.decide import decide
from crossport.domain.differences import Difference, Kind, Known, Listed, UnorderedError, differences, known_of
from crossport.domain.observation import Observation, PortObservation, VbrObservation
from crossport.domain.vocabulary import Acceptance, OrderMode
from tests.property.lives import life
from tests.unit.domain.examples import (
    NOW,
    POLICY,
    PORT,
    STRANGER,
    TENANT,
    VLAN,
    WINDOW,
    connection,
    port_read,
    vbr_read,
)

LATER = NOW + timedelta(days=36)
LIVES = st.lists(st.sampled_from(life(str(OrderMode.TENANT_PAYS), VLAN)), max_size=12)
ENABLED = NOW + timedelta(days=2)


@st.composite
def listings(draw: st.DrawFn) -> tuple[PortObservation, list[VbrObservation]]:
    """A port with its VBRs, as lists show them."""
    port = port_read(
        LATER,
        acceptance=draw(st.sampled_from(("UnConfirmed", "Confirmed", "Deleted", "Melted"))),
        status=draw(st.sampled_from(("Allocated", "Enabled", "Terminated", "Melted"))),
        business_status=draw(st.sampled_from(("Normal", "FinancialLocked"))),
        vlan_id=draw(st.sampled_from((0, VLAN))),
        tenant_uid=draw(st.sampled_from((TENANT, STRANGER))),
        enabled_time=draw(st.sampled_from((None, ENABLED))),
        expect_spec=draw(st.sampled_from(("", "500M"))),
    )
    ids = draw(st.lists(st.sampled_from(("vbr-0", "vbr-1", "vbr-2")), unique=True))
    return port, [vbr_read(LATER, vbr_id=vbr_id, vlan_id=draw(st.sampled_from((0, VLAN)))) for vbr_id in ids]


def known(told: Connection) -> Known:
    """What the store would say of the connection's port."""
    one = known_of(told, WINDOW)
    assert one is not None
    return one


def shown(port: PortObservation, vbrs: list[VbrObservation]) -> Listed:
    """What the spool would say of a listing."""
    return Listed(PORT, glance.of_listed(port), glance.of_listed_vbrs(vbrs))


def compare(listed: list[Listed], ours: list[Known], **rest: Any) -> list[Difference]:
    """All differences of a complete listing."""
    return list(differences(listed, ours, **{"at": LATER, "complete": True, **rest}))


def changed(seen: PortObservation) -> set[str]:
    """The fields that an observation says something of."""
    return {name for name in glance.PORT_FIELDS if getattr(seen, name) is not None}


@given(told=LIVES, listing=listings())
def test_what_a_list_says_is_known_after_one_pass_and_is_no_difference_in_a_second(
    told: list[Observation], listing: tuple[PortObservation, list[VbrObservation]]
) -> None:
    before = decide(connection(), (port_read(), *told), POLICY).connection
    port, vbrs = listing
    found = compare([shown(port, vbrs)], [known(before)])
    after = decide(before, [one for difference in found for one in difference.seen], POLICY).connection
    assert after.port is not None
    for name in ("status", "business_status", "vlan_id", "tenant_uid", "expect_spec"):
        assert getattr(after.port, name).current == getattr(port, name), name
    listed = {vbr.vbr_id: vbr.vlan_id for vbr in vbrs}
    ids = set(glance.vbr_ids(known(after).vbrs))
    assert {v.vbr_id for v in after.vbrs if v.vbr_id in ids and v.vlan_id.current != listed.get(v.vbr_id)} <= (
        ids - listed.keys()
    )
    again = compare([shown(port, vbrs)], [known(after)])
    # An acceptance that is not taken back, or that nobody knows, is said again to no effect.
    assert {name for one in again for name in one.fields} <= {"acceptance"}
    assert decide(after, [one for difference in again for one in difference.seen], POLICY).connection == after
    assert any(one.read for one in again) == (ids != set(listed))


def test_only_what_differs_is_said() -> None:
    before = decide(connection(), [port_read(), vbr_read()], POLICY).connection
    listing = port_read(LATER, status="Enabled", enabled_time=ENABLED)
    (difference,) = compare([shown(listing, [vbr_read(LATER)])], [known(before)])
    assert (difference.kind, difference.fields) == (Kind.CHANGED, ("status", "enabled_time"))
    (seen,) = difference.seen
    assert seen == PortObservation(at=LATER, source=seen.source, port_id=PORT, status="Enabled", enabled_time=ENABLED)


def test_vbrs_that_came_or_went_call_for_a_read_unless_nobody_can_see_them() -> None:
    before = decide(connection(), [port_read(), vbr_read()], POLICY).connection
    assert compare([shown(port_read(LATER), [])._replace(vbrs=None)], [known(before)]) == []
    for vbrs in ([], [vbr_read(LATER), vbr_read(LATER, vbr_id="vbr-2")]):
        (difference,) = compare([shown(port_read(LATER), vbrs)], [known(before)])
        assert (difference.seen, difference.read) == ((), True)


IDS = st.lists(st.sampled_from([f"pc-{number:02d}" for number in range(12)]), unique=True).map(sorted)


@given(theirs=IDS, ours=IDS, changed=IDS, over=IDS, complete=st.booleans())
def test_two_streams_are_compared_as_two_dictionaries_would_be(
    theirs: list[str], ours: list[str], changed: list[str], over: list[str], complete: bool
) -> None:
    def text(port_id: str, *, theirs: bool) -> str:
        status = "Enabled" if theirs and port_id in changed else "Allocated"
        return glance.of_listed(port_read(port_id=port_id, status=status))

    found = differences(
        (Listed(port_id, text(port_id, theirs=True), "") for port_id in theirs),
        (Known(port_id, f"conn-{port_id}", text(port_id, theirs=False), "", port_id in over) for port_id in ours),
        at=LATER,
        complete=complete,
    )
    expected = dict.fromkeys(set(theirs) - set(ours), Kind.UNKNOWN)
    expected |= dict.fromkeys(set(theirs) & set(ours) & set(changed), Kind.CHANGED)
    expected |= {port_id: Kind.ABSENT for port_id in set(ours) - set(theirs) - set(over) if complete}
    assert [(one.port_id, one.kind) for one in found] == sorted(expected.items())


def test_a_deleted_port_that_we_never_knew_is_none_of_our_business() -> None:
    assert compare([shown(port_read(acceptance=str(Acceptance.DELETED)), [])], []) == []


@pytest.mark.parametrize("ids", [("pc-2", "pc-1"), ("pc-1", "pc-1")])
def test_a_stream_out_of_order_is_an_error(ids: tuple[str, ...]) -> None:
    listed = [Listed(port_id, glance.of_listed(port_read(port_id=port_id)), "") for port_id in ids]
    with pytest.raises(UnorderedError):
        compare(listed, [])
