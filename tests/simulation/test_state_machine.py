"""Random histories of the whole system: orders, parties, faults, lost and forged events, time; and what must hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crossport.application.errors import CloudCallError
from crossport.application.ports import CloudFailure
from crossport.domain.vocabulary import MilestoneName, OrderMode, RequestKind, Verdict
from tests.fakes.memory_cloud import LOST_ANSWER, LOST_REQUEST, NO_PRIVILEGE, THROTTLED, UNAVAILABLE, Fault
from tests.simulation.cloud_model import LAG, ModelPort, ModelVbr
from tests.simulation.world import CIRCUITS, PARTNER, STRANGER, TENANTS, World, forged

ANSWER_LOST_IN_5XX = Fault(failure=CloudFailure.RETRYABLE, cloud_code="ServiceUnavailable", after_effect=True)
FAULTS = st.lists(
    st.sampled_from((THROTTLED, UNAVAILABLE, ANSWER_LOST_IN_5XX, LOST_REQUEST, LOST_ANSWER, NO_PRIVILEGE)), max_size=3
)
VLANS = st.sampled_from((0, 100, 101, 102))
SPECS = st.sampled_from(("100M", "200M", "500M"))
MODES = st.sampled_from([str(mode) for mode in OrderMode])
CIRCUIT = st.sampled_from(sorted(CIRCUITS))
PICK = st.integers(0, 30)
JUMPS = st.sampled_from([timedelta(seconds=s) for s in (1, 40, 300, 3_600, 6 * 3_600, 24 * 3_600, 48 * 3_600)])
ORDERS = st.sampled_from([f"order-{number}" for number in range(6)])


class Life(RuleBasedStateMachine):
    """One history. Rules that have nothing to act on do nothing."""

    @initialize(
        payment_enables=st.booleans(),
        remembers_tokens=st.booleans(),
        withdrawable=st.booleans(),
        lag=st.sampled_from((timedelta(0), LAG)),
    )
    def begin(self, **switches: Any) -> None:
        """A world with the undocumented switches set one way."""
        self.world = World(**switches)
        self.requests = 0

    def living(self, *statuses: str) -> list[ModelPort]:
        """The cloud's living ports, those in one of these statuses when any are named."""
        ports = self.world.cloud.ports.values()
        return [port for port in ports if not port.deleted and (not statuses or port.status in statuses)]

    def port(self, pick: int, *statuses: str) -> ModelPort:
        """One of them."""
        living = self.living(*statuses)
        return living[pick % len(living)]

    def pushed(self) -> list[ModelVbr]:
        """The living VBRs that hang on a circuit."""
        return [v for v in self.world.cloud.vbrs.values() if v.port_id in CIRCUITS and not v.deleted]

    # Whole stretches of a life, so that most histories get beyond the first offer.

    @rule(name=ORDERS, circuit_id=CIRCUIT, tenant_uid=st.sampled_from(TENANTS[:2]), order_mode=MODES)
    def offer_comes_about(self, name: str, **terms: Any) -> None:
        self.order_ready_to_push(name, **terms)
        self.world.run_relay()

    @precondition(lambda self: self.living("Allocated"))
    @rule(pick=PICK, forwarded=st.booleans())
    def service_begins(self, pick: int, forwarded: bool) -> None:
        port, cloud = self.port(pick, "Allocated"), self.world.cloud
        cloud.accept(port)
        if port.order_mode == OrderMode.TENANT_PAYS:
            cloud.pay(port)
        self.world.advance(timedelta(hours=1))
        if forwarded:
            self.world.deliver(cloud.events[-2:])
        self.world.run_relay()
        if not cloud.vbrs_on(port):
            cloud.make_vbr(port, port.tenant_uid, port.vlan_id)

    @precondition(lambda self: self.living("Enabled", "Terminated"))
    @rule(pick=PICK)
    def tenant_ends_the_service(self, pick: int) -> None:
        port, cloud = self.port(pick, "Enabled", "Terminated"), self.world.cloud
        for vbr in cloud.vbrs_on(port):
            cloud.drop_vbr(vbr, vbr.owner_uid)
        if port.status == "Enabled":
            cloud.terminate(port, port.tenant_uid)
        self.world.advance(timedelta(minutes=2))
        cloud.delete(port, port.tenant_uid)

    # Migrations.

    @precondition(lambda self: len(self.living()) < 4)
    @rule(circuit_id=CIRCUIT, owner_uid=st.sampled_from(TENANTS[:2]), vlan_id=VLANS)
    def partner_pushes_a_vbr(self, circuit_id: str, owner_uid: str, vlan_id: int) -> None:
        try:
            self.world.cloud.push_vbr(circuit_id, owner_uid, vlan_id)
        except CloudCallError:
            return

    @precondition(lambda self: self.pushed())
    @rule(pick=PICK, settled=st.booleans())
    def tenant_sets_its_vbr(self, pick: int, settled: bool) -> None:
        pushed = self.pushed()
        self.world.cloud.settings_changed(pushed[pick % len(pushed)])

    @precondition(lambda self: self.pushed())
    @rule(name=ORDERS, pick=PICK, order_mode=MODES, spec=st.sampled_from(("100M", "200M")), ready=st.booleans())
    def migration_is_ordered(self, name: str, pick: int, ready: bool, **terms: Any) -> None:
        pushed = self.pushed()
        self.world.migrate(name, pushed[pick % len(pushed)], **terms)
        for milestone in (MilestoneName.LAST_MILE_READY, MilestoneName.UID_CONFIRMED) if ready else ():
            self.world.milestone(name, milestone)

    @precondition(lambda self: self.pushed())
    @rule(
        name=ORDERS,
        pick=PICK,
        order_mode=MODES,
        wrong=st.sampled_from(({"vlan_id": 102}, {"tenant_uid": TENANTS[1]}, {"circuit_id": "pc-south"})),
    )
    def migration_is_ordered_wrongly(self, name: str, pick: int, order_mode: str, wrong: dict[str, Any]) -> None:
        pushed = self.pushed()
        self.world.migrate(name, pushed[pick % len(pushed)], order_mode=order_mode, spec="100M", **wrong)
        for milestone in (MilestoneName.LAST_MILE_READY, MilestoneName.UID_CONFIRMED):
            self.world.milestone(name, milestone)

    # Orders.

    @rule(
        name=ORDERS,
        circuit_id=CIRCUIT,
        tenant_uid=st.sampled_from((*TENANTS[:2], *TENANTS)),
        spec=st.sampled_from(("100M", "200M", "500M", "1G", "2G", "7G")),
        vlan_id=st.one_of(st.none(), VLANS),
        order_mode=MODES,
    )
    def order(self, name: str, **terms: Any) -> None:
        self.world.order(name, **terms)

    @rule(name=ORDERS, circuit_id=CIRCUIT, tenant_uid=st.sampled_from(TENANTS[:2]), order_mode=MODES)
    def order_ready_to_push(self, name: str, **terms: Any) -> None:
        self.world.order(name, spec="100M", **terms)
        for milestone in (MilestoneName.LAST_MILE_READY, MilestoneName.UID_CONFIRMED):
            self.world.milestone(name, milestone)

    @rule(name=ORDERS, milestone=st.sampled_from(MilestoneName))
    def milestone(self, name: str, milestone: MilestoneName) -> None:
        self.world.milestone(name, milestone)

    @precondition(lambda self: self.world.told)
    @rule(pick=PICK)
    def message_again(self, pick: int) -> None:
        self.world.repeat(self.world.told[pick % len(self.world.told)])

    @precondition(lambda self: self.world.deals)
    @rule(pick=PICK, kind=st.sampled_from(RequestKind), spec=SPECS, vlan_id=VLANS, forced=st.booleans())
    def request(self, pick: int, kind: RequestKind, spec: str, vlan_id: int, forced: bool) -> None:
        deals = list(self.world.deals.values())
        wanted: dict[str, Any] = {"forced": "agreed by telephone" if forced else ""}
        if kind is RequestKind.CHANGE_SPEC:
            wanted["spec"] = spec
        if kind is RequestKind.CHANGE_VLAN:
            wanted["vlan_id"] = vlan_id
        self.requests += 1
        self.world.request(deals[pick % len(deals)], kind, self.requests, **wanted)

    @rule(
        name=ORDERS,
        fault=st.sampled_from((ANSWER_LOST_IN_5XX, LOST_ANSWER, LOST_REQUEST, UNAVAILABLE)),
        pause=st.sampled_from((3, 25, 60)),
        circuit_id=CIRCUIT,
        tenant_uid=st.sampled_from(TENANTS[:2]),
        order_mode=MODES,
    )
    def create_call_ends_unknown(self, name: str, fault: Fault, pause: int, **terms: Any) -> None:
        """The dry run passes, the create call does not; the relay comes back before, or after, lists have caught up."""
        self.order_ready_to_push(name, **terms)
        self.world.cloud.faults.clear()
        self.world.cloud.faults.extend((None, fault))
        self.world.run_relay()
        self.world.cloud.faults.clear()
        self.world.advance(timedelta(seconds=pause))
        self.world.run_relay()

    # Two workers at once.

    @rule(name=ORDERS, rival=ORDERS, circuit_id=CIRCUIT, vlan_id=VLANS, spec=SPECS)
    def two_orders_race(self, name: str, rival: str, **terms: Any) -> None:
        terms |= {"tenant_uid": TENANTS[0], "order_mode": str(OrderMode.TENANT_PAYS)}
        self.world.store.rival = lambda: self.world.order(rival, **terms)
        self.world.order(name, **terms)
        self.world.store.rival = None

    @precondition(lambda self: self.world.cloud.events)
    @rule(events_first=st.booleans())
    def events_and_relay_race(self, events_first: bool) -> None:
        def events() -> None:
            self.world.deliver(self.world.cloud.events)

        first, second = (events, self.world.run_relay) if events_first else (self.world.run_relay, events)
        self.world.store.rival = second
        first()
        self.world.store.rival = None

    # The relay and time.

    @rule(faults=FAULTS)
    def relay(self, faults: list[Fault]) -> None:
        self.world.cloud.faults.extend(faults)
        self.world.run_relay()

    @rule(jump=JUMPS)
    def time_passes(self, jump: timedelta) -> None:
        self.world.advance(jump)

    # Tenants and the partner in the console, and the cloud itself.

    @precondition(lambda self: self.living())
    @rule(pick=PICK)
    def tenant_accepts(self, pick: int) -> None:
        self.world.cloud.accept(self.port(pick))

    @precondition(lambda self: self.living("Allocated", "Enabled"))
    @rule(pick=PICK, months=st.integers(1, 3))
    def payer_pays_or_renews(self, pick: int, months: int) -> None:
        self.world.cloud.pay(self.port(pick, "Allocated", "Enabled"), months)

    @precondition(lambda self: self.living())
    @rule(pick=PICK, proper=st.booleans(), owner=st.sampled_from((*TENANTS, PARTNER)), vlan_id=VLANS)
    def vbr_is_made(self, pick: int, proper: bool, owner: str, vlan_id: int) -> None:
        port = self.port(pick)
        if not port.accepted:
            return
        self.world.cloud.make_vbr(port, port.tenant_uid if proper else owner, port.vlan_id if proper else vlan_id)

    @precondition(lambda self: any(not vbr.deleted for vbr in self.world.cloud.vbrs.values()))
    @rule(pick=PICK, act=st.sampled_from(("delete", "terminate", "recover")))
    def vbr_is_changed(self, pick: int, act: str) -> None:
        cloud = self.world.cloud
        vbrs = [vbr for vbr in cloud.vbrs.values() if not vbr.deleted]
        vbr = vbrs[pick % len(vbrs)]
        if act == "delete":
            cloud.drop_vbr(vbr, vbr.owner_uid)
        else:
            cloud.switch_vbr(vbr, "active" if act == "recover" else "terminated")

    @precondition(lambda self: self.living("Enabled", "Terminated"))
    @rule(pick=PICK, by_partner=st.booleans())
    def port_is_terminated_or_recovered(self, pick: int, by_partner: bool) -> None:
        port, cloud = self.port(pick, "Enabled", "Terminated"), self.world.cloud
        (cloud.terminate if port.status == "Enabled" else cloud.recover)(
            port, PARTNER if by_partner else port.tenant_uid
        )

    @precondition(lambda self: self.living())
    @rule(pick=PICK, by_partner=st.booleans(), listed=st.sampled_from((True, True, True, False)))
    def port_is_deleted(self, pick: int, by_partner: bool, listed: bool) -> None:
        port = self.port(pick)
        known = port.listed_when_deleted
        try:
            port.listed_when_deleted = listed
            self.world.cloud.delete(port, PARTNER if by_partner else port.tenant_uid)
        except CloudCallError:
            port.listed_when_deleted = known

    @precondition(lambda self: len(self.living()) < 3)
    @rule(circuit_id=CIRCUIT, tenant_uid=st.sampled_from(TENANTS), vlan_id=VLANS, spec=SPECS, order_mode=MODES)
    def partner_creates_in_the_console(self, **terms: Any) -> None:
        try:
            self.world.cloud.make_port(**terms)
        except CloudCallError:
            return

    @precondition(lambda self: self.living())
    @rule(pick=PICK, status=st.sampled_from(("Normal", "FinancialLocked", "SecurityLocked")))
    def cloud_locks_or_unlocks(self, pick: int, status: str) -> None:
        # Two changes within one second could not be told apart: the cloud's times are whole seconds.
        self.world.advance(timedelta(seconds=1))
        self.world.cloud.lock(self.port(pick), status)

    @precondition(lambda self: self.living("Enabled"))
    @rule(pick=PICK, days=st.integers(1, 40))
    def cloud_moves_the_end(self, pick: int, days: int) -> None:
        self.world.advance(timedelta(seconds=1))
        self.world.cloud.move_end(self.port(pick, "Enabled"), timedelta(days=days))

    # Events.

    @precondition(lambda self: self.world.cloud.events)
    @rule(picks=st.lists(PICK, min_size=1, max_size=4))
    def events_arrive(self, picks: list[int]) -> None:
        """Some of all events ever, in any order, new ones and repeats; what is never picked is lost."""
        events = self.world.cloud.events
        self.world.deliver([events[-1 - pick % len(events)] for pick in picks])

    @precondition(lambda self: self.world.cloud.events)
    @rule()
    def all_events_arrive(self) -> None:
        self.world.deliver(self.world.cloud.events)

    @precondition(lambda self: self.world.cloud.events)
    @rule(pick=PICK, account_id=st.sampled_from((STRANGER, TENANTS[0], TENANTS[1])), fresh=st.booleans())
    def event_is_forged(self, pick: int, account_id: str, fresh: bool) -> None:
        events, store = self.world.cloud.events, self.world.store
        genuine = events[pick % len(events)]
        if not fresh:
            self.world.deliver([genuine])
        before = {i: s.connection for i, s in store.state.connections.items()}
        (ending,) = self.world.deliver([forged(genuine, account_id, fresh)])
        assert {i: s.connection for i, s in store.state.connections.items()} == before
        if account_id == STRANGER or not fresh:
            assert ending.verdict is Verdict.REJECTED

    # Healing.

    @rule()
    def heal(self) -> None:
        self.world.heal()

    @invariant()
    def holds_at_any_time(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.finish()


_SETTINGS = settings(
    max_examples=250,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


class _OtherLife(Life):
    """The same machine once more, so that two workers share the runs."""


TestLives = Life.TestCase
TestLives.settings = _SETTINGS
TestOtherLives = _OtherLife.TestCase
TestOtherLives.settings = _SETTINGS
