"""One schedule from one seed: what the parties do, what befalls the workers, in which order everything arrives."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from crossport.adapters.store import document
from crossport.application.actiontrail import CloudRecord
from crossport.application.bill import UsageReading
from crossport.application.errors import CloudCallError
from crossport.application.order_input import OrderMessage
from crossport.application.relay import LEASE
from crossport.domain.connection import Milestone, Request, connection_id_for
from crossport.domain.orders import Order
from crossport.domain.vocabulary import MilestoneName, OrderMode, RequestKind
from tests.fakes.faults import (
    ANSWER_LOST_IN_5XX,
    LOST_ANSWER,
    LOST_REQUEST,
    NO_PRIVILEGE,
    THROTTLED,
    UNAVAILABLE,
)
from tests.simulation.cloud_model import LAG, ModelPort
from tests.simulation.engines import ENGINES
from tests.simulation.exactly_once import check_inputs, check_sends, check_state
from tests.simulation.fate import Blow, Fate
from tests.simulation.stage import Mail, Stage
from tests.simulation.world import CIRCUITS, PARTNER, REGION, STRANGER, TENANTS

#: How much of all events is lost for good.
LOSS = 0.1
#: How often something befalls a worker, and how often a cloud call fails.
BLOWS, FAULTS = 0.5, 0.25
_FAULTS = (THROTTLED, UNAVAILABLE, ANSWER_LOST_IN_5XX, LOST_REQUEST, LOST_ANSWER, NO_PRIVILEGE)
_BLOWS = (Blow.DEATH, Blow.DEATH, Blow.OUTAGE, Blow.UNKNOWN_COMMIT)
#: Where a blow hurts most, and how often it is aimed there: between a load and its save, a send and its note.
_PLACES = {
    Blow.DEATH: ("committed", "committed", "done:queue.send", "done:cloud.", "done:mail.", "call:store."),
    Blow.OUTAGE: ("commit", "call:store.", "call:queue.send", "done:queue.send", "done:mail."),
    Blow.UNKNOWN_COMMIT: ("committed",),
    Blow.RIVAL: ("call:store.save", "call:store.save", "call:store.record", "call:store."),
    Blow.STALL: ("call:cloud.", "call:store.save", "call:store.finish", "call:queue.send"),
}
AIMED = 0.7
_FUNCTIONS = ("orders", "port_events", "notices", "billing")
#: How often time jumps, and how far.
JUMPS, JUMP = 0.04, timedelta(hours=48)
#: One schedule in so many also waits until every cool-down is over.
LONG = 4


@dataclass(frozen=True)
class Outcome:
    """How a schedule went: its transcript's digest, and what it met."""

    seed: int
    digest: str
    blows: int
    log: tuple[str, ...]


def run(seed: int, engine: str = "memory") -> Outcome:
    """Play one schedule and check it. Raises AssertionError, with the seed, when something is not as promised."""
    schedule = Schedule(seed, engine)
    try:
        schedule.play()
        return schedule.outcome()
    except Exception as error:
        said = "\n  ".join(schedule.stage.log[-40:])
        raise AssertionError(f"schedule {seed} on {engine}: {type(error).__name__}: {error}\n  {said}") from error
    finally:
        schedule.stage.close()


class Schedule:
    """What happens, step by step; every choice comes from the seed."""

    def __init__(self, seed: int, engine: str) -> None:
        self.random = Random(seed)
        self.seed = seed
        choose = self.random
        self.stage = Stage(
            ENGINES[engine],
            choose,
            payment_enables=choose.random() < 0.5,
            remembers_tokens=choose.random() < 0.7,
            withdrawable=choose.random() < 0.7,
            lag=choose.choice((timedelta(0), LAG)),
        )
        self._numbers = 0
        self._in_hand: list[Mail] = []
        self._blows = 0

    def play(self) -> None:
        """All of it, and the questions at the end."""
        stage = self.stage
        for number in range(self.random.choice((1, 1, 1, 2, 2, 3))):
            self._order(f"order-{number}")
        for _ in range(self.random.randrange(10, 26)):
            stage.advance(JUMP if self.random.random() < JUMPS else timedelta(seconds=self.random.randrange(1, 90)))
            self._step()
            self._events_are_on_their_way()
        self._last_round()
        self._quiet()
        check_inputs(stage)
        if self.seed % LONG:
            stage.heal()
        else:
            stage.finish()
        check_inputs(stage)
        check_sends(stage)
        check_state(stage)

    def outcome(self) -> Outcome:
        """What a replay must repeat."""
        transcript = [*self.stage.log, *_told(self.stage)]
        digest = hashlib.sha256("\n".join(transcript).encode()).hexdigest()
        return Outcome(self.seed, digest, self._blows, tuple(transcript))

    # --- Steps ------------------------------------------------------------------------------------------------------

    def _step(self) -> None:
        """Somebody does something."""
        mail = bool(self.stage.mail)
        acts: list[tuple[int, Callable[[], None]]] = [
            (6 if mail else 0, self._function_is_invoked),
            (4, self._relay_runs),
            (1, lambda: self.stage.ledger_is_sealed(self._fate())),
            (4, self._party_acts),
            (2, self._something_is_asked),
            (1, self._port_is_read),
        ]
        self.random.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()

    def _function_is_invoked(self) -> None:
        batch = self._batch(_FUNCTIONS)
        self._in_hand = batch
        if batch:
            self.stage.take_mail(batch, self._fate(rivals=batch[0].function != "notices"))

    def _batch(self, functions: tuple[str, ...]) -> list[Mail]:
        """Some mail of one function, in any order."""
        waiting = [mail for mail in self.stage.mail if mail.function in functions]
        if not waiting:
            return []
        first = self.random.choice(waiting)
        same = [mail for mail in waiting if mail.function == first.function]
        return self.random.sample(same, min(len(same), self.random.choice((1, 2, 4))))

    def _relay_runs(self) -> None:
        if self.random.random() < FAULTS:
            faults = [None, self.random.choice(_FAULTS)]
            self.stage.cloud.faults.extend(faults[self.random.randrange(2) :])
        self.stage.relay_runs(self._fate(stalls=True), timer=self.random.random() < 0.2)

    def _fate(self, *, rivals: bool = True, stalls: bool = False) -> Fate:
        """What befalls the next worker, if anything."""
        if self.random.random() >= BLOWS:
            return Fate()
        blow = self.random.choice([*_BLOWS, *([Blow.RIVAL] * 2 if rivals else []), *([Blow.STALL] if stalls else [])])
        place, at = "", int(2 ** self.random.uniform(0, 8))
        if self.random.random() < AIMED:
            place, at = self.random.choice(_PLACES[blow]), self.random.choice((1, 1, 2, 3, 5, 8, 13))
        self._blows += 1
        return Fate(blow=blow, at=at, place=place, rival=self._rival_acts, stall=self._held_up)

    def _held_up(self) -> None:
        """The relay stands still until its lease has ended, and another one comes by."""
        self.stage.advance(LEASE + timedelta(seconds=1))
        self.stage.relay_runs(self._fate(rivals=False))

    def _rival_acts(self) -> None:
        twins = [mail for mail in self.stage.mail if any(mail.what is one.what for one in self._in_hand)]
        orders = [mail for mail in self.stage.mail if mail.function == "orders"]
        batch = twins or orders[:1] if self.random.random() < 0.5 else self._batch(("port_events", "orders", "billing"))
        if batch and batch[0].function != "notices" and self.random.random() < 0.7:
            self.stage.take_mail(batch, self._fate(rivals=False))
        else:
            self.stage.relay_runs(self._fate(rivals=False))

    def _port_is_read(self) -> None:
        """A sweep: what events have missed is read."""
        self.stage.read_all()

    def _events_are_on_their_way(self) -> None:
        for record in self.stage.fresh_events():
            if self.random.random() < 0.06:
                self.stage.post("port_events", self._forged(record))
            if self.random.random() >= LOSS:
                self.stage.post("port_events", record)

    def _forged(self, record: CloudRecord) -> CloudRecord:
        """A stranger's words, or the genuine key with a date far ahead."""
        if self.random.random() < 0.5:
            return replace(record, key=f"{STRANGER}|acs.vpc|{record.key}", account_id=STRANGER)
        digest = hashlib.sha256(record.digest.encode()).hexdigest()
        return replace(record, digest=digest, at=record.at + timedelta(days=400))

    def _last_round(self) -> None:
        """A sweep, and everything that follows from it, under fire once more."""
        self.stage.advance(timedelta(minutes=6))
        self._port_is_read()
        self.stage.relay_runs(self._fate(stalls=True))
        self.stage.ledger_is_sealed(self._fate())
        self._function_is_invoked()
        self.stage.relay_runs(self._fate(stalls=True))
        self._events_are_on_their_way()

    def _quiet(self) -> None:
        """The end of all blows: orders and readings always arrive in the end, events half of the time."""
        stage = self.stage
        stage.cloud.faults.clear()
        late = self.random.random() < 0.5
        stage.mail = [mail for mail in stage.mail if late or mail.function != "port_events"]
        stage.advance(timedelta(minutes=3))
        stage.drain()

    # --- Orders and requests ----------------------------------------------------------------------------------------

    def _order(self, name: str) -> None:
        order = Order(
            client_order_id=name,
            account_id=PARTNER,
            received_at=self.stage.clock.now(),
            circuit_id=self.random.choice(("pc-south", "pc-south", "pc-north")),
            tenant_uid=self.random.choice((*TENANTS[:2], *TENANTS[:2], TENANTS[2])),
            spec=self.random.choice(("100M", "200M", "500M")),
            vlan_id=self.random.choice((100, 100, 101, 102, None, 0)),
            order_mode=str(self.random.choice(list(OrderMode))),
        )
        message = self._message("order.new", repr(order), name, order=order)
        if self.random.random() < 0.1:
            # The orderer sends it once more, as a message of its own.
            again = replace(message, key=self._key("again"))
            self.stage.messages.append(again)
            self.stage.post("orders", again)
        for step in (MilestoneName.LAST_MILE_READY, MilestoneName.UID_CONFIRMED):
            if self.random.random() < 0.95:
                milestone = Milestone(name=step, at=self.stage.clock.now(), actor="operator")
                self._message("order.milestone", f"{name}:{step}", name, milestone=milestone)

    def _something_is_asked(self) -> None:
        name = f"order-{self.random.randrange(2)}"
        if self.random.random() < 0.4:
            return self._reading(name)
        # A recovery is asked for by the state machine: here it would make other schedules of every known number.
        kinds = (*(kind for kind in RequestKind if kind is not RequestKind.RECOVER), RequestKind.CANCEL)
        kind = self.random.choice(kinds)
        wanted: dict[str, Any] = {"forced": self.random.choice(("", "agreed by telephone"))}
        if kind is RequestKind.CHANGE_SPEC:
            wanted["spec"] = self.random.choice(("100M", "200M", "500M"))
        if kind is RequestKind.CHANGE_VLAN:
            wanted["vlan_id"] = self.random.choice((100, 101, 102))
        request_id = self._key("request")
        request = Request(request_id=request_id, kind=kind, at=self.stage.clock.now(), actor="operator", **wanted)
        connection_id = connection_id_for(PARTNER, "order", name)
        self._message(f"order.{kind}", repr(request), request_id, request=request, target_connection_id=connection_id)
        return None

    def _reading(self, name: str) -> None:
        """The partner's meter tells what a port has sent out."""
        living = [port for port in self.stage.cloud.ports.values() if port.enabled_time is not None]
        if not living:
            return
        port, now = self.random.choice(living), self.stage.clock.now()
        reading_id = self._key("reading")
        reading = UsageReading(
            key=f"{PARTNER}|mns|{reading_id}",
            digest=hashlib.sha256(reading_id.encode()).hexdigest(),
            account_id=PARTNER,
            port_id=port.port_id,
            reading_id=reading_id,
            period_start=now - timedelta(hours=1),
            period_end=now,
            outbound_bytes=self.random.randrange(2**40),
        )
        self.stage.post("billing", reading)

    def _message(self, kind: str, content: str, client_order_id: str, **carried: Any) -> OrderMessage:
        message = OrderMessage(
            key=f"{PARTNER}|mns|{self._key('message')}",
            digest=hashlib.sha256(content.encode()).hexdigest(),
            name=kind,
            account_id=PARTNER,
            client_order_id=client_order_id,
            **carried,
        )
        self.stage.messages.append(message)
        self.stage.post("orders", message)
        return message

    def _key(self, prefix: str) -> str:
        self._numbers += 1
        return f"{prefix}-{self._numbers}"

    # --- Tenants, the partner in the console, the cloud -------------------------------------------------------------

    def _party_acts(self) -> None:
        cloud = self.stage.cloud
        living = [port for port in cloud.ports.values() if not port.deleted]
        if not living:
            if self.random.random() < 0.15:
                self._partner_creates()
            return
        port = self.random.choice(living)
        try:
            self.random.choice(self._next_acts(port))()
        except CloudCallError:
            return

    def _next_acts(self, port: ModelPort) -> list[Callable[[], object]]:
        """What the parties may do with a port now: mostly what brings it forward."""
        cloud, choose = self.stage.cloud, self.random
        vbrs = cloud.vbrs_on(port)
        if not port.accepted and choose.random() < 0.85:
            return [lambda: cloud.accept(port)]
        if not port.months and choose.random() < 0.8:
            return [lambda: cloud.pay(port)]
        if port.accepted and not vbrs and choose.random() < 0.7:
            return [lambda: cloud.make_vbr(port, port.tenant_uid, port.vlan_id)]
        acts: list[Callable[[], object]] = [
            lambda: cloud.pay(port, choose.randrange(1, 3)) if port.status in ("Allocated", "Enabled") else None,
            lambda: cloud.lock(port, choose.choice(("Normal", "FinancialLocked", "SecurityLocked"))),
            lambda: cloud.delete(port, choose.choice((PARTNER, port.tenant_uid))),
            lambda: cloud.terminate(port, port.tenant_uid),
            lambda: cloud.move_end(port, timedelta(days=choose.randrange(1, 20))) if port.status == "Enabled" else None,
            self._partner_creates,
        ]
        if port.status == "Terminated":
            acts += [lambda: cloud.recover(port, port.tenant_uid), lambda: cloud.delete(port, port.tenant_uid)]
        if port.accepted:
            acts.append(lambda: cloud.make_vbr(port, choose.choice((*TENANTS, PARTNER)), choose.choice((100, 101))))
        if vbrs:
            vbr = choose.choice(vbrs)
            acts.append(lambda: cloud.drop_vbr(vbr, vbr.owner_uid))
            acts.append(lambda: cloud.switch_vbr(vbr, choose.choice(("active", "terminated"))))
        return acts

    def _partner_creates(self) -> None:
        self.stage.cloud.make_port(
            circuit_id=self.random.choice(sorted(CIRCUITS)),
            tenant_uid=self.random.choice(TENANTS),
            vlan_id=self.random.choice((100, 101, 102)),
            spec="100M",
            order_mode=str(self.random.choice(list(OrderMode))),
        )


def _told(stage: Stage) -> list[str]:
    """What is kept at the end, as text."""
    state = stage.store.state
    lines = [
        f"{key} v{kept.version} {document.dump(kept.connection)}" for key, kept in sorted(state.connections.items())
    ]
    lines += [f"{row.at.isoformat()} {row.key} {row.verdict} {row.reason}" for row in state.audit]
    lines += [f"{key} {entry.state} {entry.reason}" for key, entry in sorted(state.outbox.items())]
    lines += [f"{key} {entry.seq} {entry.hash}" for key, entry in sorted(state.ledger.items())]
    lines += [f"{hold}" for _, hold in sorted(state.holds.items())]
    return [*lines, f"{REGION} {sorted(stage.mail_server.handed.items())} {sorted(stage.excused.items())}"]
