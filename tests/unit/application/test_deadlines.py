"""The walk over the open connections: each notice once, in constant memory, and on from where the last run stopped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossport.application import deadlines as module
from crossport.application.deadlines import BOOKMARK, calendar_of
from crossport.application.errors import IntegrityConflictError, StoreUnavailableError
from crossport.application.ports import OpenConnection
from crossport.domain.orders import Tenant
from crossport.domain.vocabulary import MilestoneName, Party, Phase
from tests.fakes.partner_world import NEIGHBOUR, POLICY, TENANT, VLAN, FixedPolicies, PartnerWorld, raising

DAY = timedelta(days=1)


def waiting(world: PartnerWorld, number: int) -> list[str]:
    """So many orders that wait for their milestones, and the ids of their connections in order."""
    for n in range(number):
        world.place(world.order(f"order-{n}", vlan_id=200 + n, spec="50M", milestones=()))
    return sorted(world.connection(f"order-{n}").connection_id for n in range(number))


def told(world: PartnerWorld) -> list[tuple[str, str]]:
    """Kind and party of every calendar notice in the outbox, oldest first."""
    rows = [entry.row for entry in world.memory.state.outbox.values() if entry.row.target == "queue:notices"]
    return [(row.kind, row.payload["party"]) for row in rows if "day" in row.payload["details"]]


def test_a_second_run_writes_nothing(world: PartnerWorld) -> None:
    waiting(world, 3)
    world.clock.advance(POLICY.hold_lifetime - 2 * DAY)
    assert len(world.keep_deadlines().told) == 3
    before = world.memory.state.copy()
    report = world.keep_deadlines()
    assert (report.looked, report.told, report.complete) == (3, [], True)
    assert world.memory.state.connections == before.connections
    assert world.memory.state.outbox == before.outbox
    assert world.memory.state.bookmarks == {}


def test_a_reminder_that_is_late_by_a_day_is_told_once_all_the_same(world: PartnerWorld) -> None:
    world.provisioned()
    for hours in (30, 6, 12, 60, 1):
        world.clock.advance(timedelta(hours=hours))
        world.keep_deadlines()
    assert told(world) == [("offer_reminder", "tenant")] * 2


def test_of_many_that_were_missed_the_newest_is_told(world: PartnerWorld) -> None:
    world.provisioned()
    world.clock.advance(10 * DAY)
    (key,) = world.keep_deadlines().told
    assert key.endswith(":offer_reminder:day+7:tenant")


def test_an_offer_that_was_accepted_is_not_reminded_of_any_more(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    world.clock.advance(DAY)
    world.keep_deadlines()
    world.clock.advance(DAY)
    world.cloud.accept(port_id)
    world.read(port_id, "accepted")
    world.settled()
    world.clock.advance(30 * DAY)
    assert world.keep_deadlines().told == []
    assert told(world) == [("offer_reminder", "tenant")]


def test_a_reminder_whose_reason_is_gone_is_dropped_when_its_turn_comes(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    world.clock.advance(DAY)
    world.keep_deadlines()
    world.cloud.accept(port_id)
    world.observe(world.accepted(port_id))
    world.settled()
    (entry,) = world.outbox("offer_reminder")
    # The relay takes the oldest row first, and this one was written before the read that shows the acceptance.
    assert entry.state == "done" or (entry.state, entry.reason) == ("dropped", "already_accepted")
    world.clock.advance(2 * DAY)
    assert world.keep_deadlines().told == []


def test_page_by_page_every_connection_is_seen_and_one_page_is_held(
    world: PartnerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    ids = waiting(world, 5)
    pages: list[int] = []
    plain = world.memory.open_connections

    def counted(*, after: str, limit: int) -> Sequence[OpenConnection]:
        page = plain(after=after, limit=limit)
        pages.append(len(page))
        return page

    monkeypatch.setattr(world.memory, "open_connections", counted)
    world.clock.advance(POLICY.hold_lifetime - 2 * DAY)
    report = world.keep_deadlines()
    assert pages == [2, 2, 1]
    assert [key.split(":")[0] for key in report.told] == ids


class Hurried:
    """A clock that has used its time up after so many looks."""

    def __init__(self, world: PartnerWorld, looks: int) -> None:
        self.world, self.looks = world, looks

    def now(self) -> datetime:
        self.looks -= 1
        return self.world.clock.now() + (DAY if self.looks < 0 else timedelta(0))


def test_a_run_that_is_out_of_time_goes_on_in_the_next(world: PartnerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    ids = waiting(world, 5)
    world.clock.advance(POLICY.hold_lifetime - 2 * DAY)
    seen: list[str] = []
    for _ in range(3):
        report = module.keep_deadlines(
            store=world.memory,
            policies=world.policies,
            # Two looks a page: has time, and what time it is.
            clock=Hurried(world, 2),
            working_days=world.working_days,
            until=world.clock.now() + timedelta(minutes=1),
        )
        seen += [key.split(":")[0] for key in report.told]
        assert report.complete is (len(seen) == 5)
        assert world.memory.bookmark(BOOKMARK) == ("" if report.complete else ids[len(seen) - 1])
    assert seen == ids


def test_without_time_nothing_is_done(world: PartnerWorld) -> None:
    waiting(world, 1)
    world.clock.advance(POLICY.hold_lifetime - 2 * DAY)
    report = world.keep_deadlines(until=world.clock.now())
    assert (report.looked, report.told, report.complete) == (0, [], False)


def test_a_connection_that_moves_on_meanwhile_is_told_what_it_calls_for_then(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    world.clock.advance(DAY)

    def accepted() -> None:
        world.cloud.accept(port_id)
        world.read(port_id, "accepted")
        world.relay(store=world.memory.another())

    world.store.before_get.append(accepted)
    assert world.keep_deadlines().told == []
    assert (world.phase(), told(world)) == (Phase.ACCEPTED, [])


def test_a_lost_save_is_tried_again(world: PartnerWorld) -> None:
    waiting(world, 1)
    world.clock.advance(POLICY.hold_lifetime - 2 * DAY)
    world.store.lose = 2
    assert len(world.keep_deadlines().told) == 1
    world.clock.advance(timedelta(days=1))
    world.store.lose = 99
    report = world.keep_deadlines()
    assert report.told == []
    assert [reason for _, reason in report.failed] == ["contended"]


def test_what_goes_wrong_with_one_does_not_keep_the_others_from_being_told(world: PartnerWorld) -> None:
    ids = waiting(world, 3)
    world.clock.advance(POLICY.hold_lifetime - 2 * DAY)
    world.store.before_save += [raising(IntegrityConflictError("x")), lambda: None, raising(RuntimeError("a bug"))]
    report = world.keep_deadlines()
    assert [key.split(":")[0] for key in report.told] == ids[1:2]
    assert report.failed == [(ids[0], "integrity_conflict"), (ids[2], "internal_error:RuntimeError")]
    assert len(world.keep_deadlines().told) == 2


def test_without_the_store_the_run_ends_and_the_next_finds_the_rest(world: PartnerWorld) -> None:
    waiting(world, 2)
    world.clock.advance(POLICY.hold_lifetime - 2 * DAY)
    world.store.before_save += [lambda: None, raising(StoreUnavailableError("gone"))]
    with pytest.raises(StoreUnavailableError):
        world.keep_deadlines()
    assert len(world.keep_deadlines().told) == 1


def test_connections_of_accounts_that_are_not_ours_are_left_alone(world: PartnerWorld) -> None:
    waiting(world, 1)
    world.clock.advance(POLICY.hold_lifetime - 2 * DAY)
    world.policies = FixedPolicies()
    assert world.keep_deadlines().looked == 0


def test_holidays_are_asked_for_only_where_a_delivery_runs_and_by_the_access_points_country(
    world: PartnerWorld,
) -> None:
    waiting(world, 1)
    world.keep_deadlines()
    assert world.working_days.asked == set()
    quoted = world.milestones(MilestoneName.QUOTE_ACCEPTED)
    world.place(world.order("quoted", vlan_id=300, milestones=quoted))
    world.keep_deadlines()
    assert world.working_days.asked == {("US", "VA")}


def test_a_holiday_moves_the_warning_of_a_late_delivery() -> None:
    days: dict[bool, date] = {}
    for holiday in (False, True):
        world = PartnerWorld()
        if holiday:
            world.working_days.holidays = frozenset({date(2026, 3, 31)})
        world.place(world.order(milestones=world.milestones(MilestoneName.QUOTE_ACCEPTED)))
        # Due on Wednesday 1 April.
        while not any(":1wd:" in key for key in world.keep_deadlines().told):
            world.clock.advance(timedelta(hours=1))
        days[holiday] = world.clock.now().date()
    assert days == {False: date(2026, 3, 31), True: date(2026, 3, 30)}


def test_the_zones_are_those_of_the_people_and_of_the_access_point(world: PartnerWorld) -> None:
    tenant = Tenant(tenant_uid=TENANT, name="T", zone="Asia/Tokyo")
    world.memory.put_tenant(tenant, actor="test", reason="example", at=world.clock.now())
    waiting(world, 1)
    (one,) = world.memory.open_connections(after="", limit=9)
    calendar = calendar_of(one, world.policies, world.working_days)
    assert {party: str(zone) for party, zone in calendar.zones.items()} == {
        Party.TENANT: "Asia/Tokyo",
        Party.PARTNER: "UTC",
    }
    assert str(calendar.access_point) == "America/New_York"
    unknown = calendar_of(replace(one, tenant=None), world.policies, world.working_days)
    assert str(unknown.zones[Party.TENANT]) == "UTC"


def test_a_half_provisioned_group_that_is_not_mended_in_time_is_a_finding_and_a_notice(world: PartnerWorld) -> None:
    world.add_circuit("pc-second", access_point="ap-us-east-1-DC2")
    world.place(
        world.order("first", group_id="G"), world.order("second", group_id="G", circuit_id="pc-second", vlan_id=VLAN)
    )
    world.settled()
    second = world.connection("second").port_id
    assert second is not None
    world.cloud.change_port(second, acceptance="Deleted")
    world.read(second, "gone")
    world.settled()
    for day in range(1, 10):
        world.clock.advance(DAY)
        world.keep_deadlines()
        assert day > 6 or "group_overdue" not in world.findings()
    assert [party for kind, party in told(world) if kind == "group_deadline"] == ["partner"] * 3
    (finding,) = [each for each in world.memory.state.findings.values() if each.code == "group_overdue"]
    assert (finding.subject, finding.details["missing"][0].split()[1]) == ("G", "declined")
    # Mended by a replacement, both findings close.
    world.place(world.order("third", group_id="G", circuit_id="pc-second", vlan_id=VLAN + 1))
    world.settled()
    assert not {"half_provisioned", "group_overdue"} & world.findings()


#: What befalls a connection between two runs.
ACTS: dict[str, Any] = {
    "accept": lambda world, port_id: world.cloud.accept(port_id),
    "pay": lambda world, port_id: world.cloud.change_port(
        port_id, status="Enabled", enabled_time=world.clock.now(), end_time=world.clock.now() + 30 * DAY
    ),
    "lock": lambda world, port_id: world.cloud.change_port(port_id, business_status="FinancialLocked"),
    "unlock": lambda world, port_id: world.cloud.change_port(port_id, business_status="Normal"),
    "nothing": lambda world, port_id: None,
}
steps = st.lists(st.tuples(st.sampled_from(sorted(ACTS)), st.integers(1, 100)), min_size=1, max_size=8)


def lived(world: PartnerWorld, steps: Iterable[tuple[str, int]], runs: int) -> set[str]:
    """Live through the steps, so many hours between them, with so many runs after each; keys of what was told."""
    port_id = world.provisioned()
    done: set[str] = set()
    for act, hours in steps:
        if act not in done or act in ("lock", "unlock"):
            done.add(act)
            ACTS[act](world, port_id)
            world.read(port_id, f"{act} {hours} {world.clock.now()}")
            world.settled()
        world.clock.advance(timedelta(hours=hours))
        for _ in range(runs):
            world.keep_deadlines()
    return {key for key, entry in world.memory.state.outbox.items() if entry.row.target == "queue:notices"}


@settings(max_examples=60)
@given(steps=steps)
def test_however_often_the_walk_is_made_the_same_is_told(steps: list[tuple[str, int]]) -> None:
    assert lived(PartnerWorld(), steps, 1) == lived(PartnerWorld(), steps, 3)


def test_two_tenants_are_told_each_in_its_own_morning(world: PartnerWorld) -> None:
    world.sign(NEIGHBOUR)
    for uid, zone in ((TENANT, "Asia/Shanghai"), (NEIGHBOUR, "America/New_York")):
        tenant = Tenant(tenant_uid=uid, name=uid, zone=zone)
        world.memory.put_tenant(tenant, actor="test", reason="example", at=world.clock.now())
    world.provisioned("order-1")
    world.provisioned("order-2", tenant_uid=NEIGHBOUR, vlan_id=121)
    hours: dict[str, int] = {}
    world.clock.advance(timedelta(minutes=60 - world.clock.now().minute))
    for _ in range(30):
        for key in world.keep_deadlines().told:
            hours[world.by_id(key.split(":")[0]).tenant_uid] = world.clock.now().hour
        world.clock.advance(timedelta(hours=1))
    assert hours == {TENANT: 1, NEIGHBOUR: 14}
