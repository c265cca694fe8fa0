"""The system as it is deployed, in one process: functions that are invoked, die and start anew, and mail between them.

A function gets its mail at least once: what a dead worker had in hand, or ended as ``retry``, comes again. Nothing of a
worker outlives it but what it committed and what it sent.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from crossport.application.actiontrail import CloudRecord
from crossport.application.bill import record_usage, seal
from crossport.application.deadlines import keep_deadlines
from crossport.application.endings import Ending
from crossport.application.observe import observe
from crossport.application.order_input import OrderMessage
from crossport.application.place_order import place_orders
from crossport.application.ports import Completion, InputRow, Message, OutboxRow, OutboxState
from crossport.application.relay import Report, relay
from crossport.application.send_notices import AnyNoticeContext, NoticeRequest, send_notices
from crossport.domain.connection import expiry_id, token_of
from crossport.domain.errors import CrossportError
from crossport.domain.orders import Order, Tenant
from crossport.domain.vocabulary import Party, RequestKind, Verdict
from tests.fakes.working_days import MondayToFriday
from tests.simulation.engines import Engine, Now
from tests.simulation.fate import Blow, Died, Fate, Watched
from tests.simulation.oracle import Deal
from tests.simulation.world import PARTNER, TENANTS, World

#: How much of all mail comes twice.
DUPLICATES = 0.2
#: Steps after which what a worker has sent is noted.
_NOTED = frozenset({"done:store.finish", "done:store.save", "done:store.record", "done:store.receipt"})


@dataclass(eq=False)
class Mail:
    """One delivery that waits for its function: ``orders``, ``port_events``, ``notices`` or ``billing``."""

    function: str
    what: Any


class PostOffice:
    """Queues of which every send is counted. Notices are delivered to their function, the rest is kept."""

    def __init__(self, deliver: Callable[[str], None]) -> None:
        self.sent: Counter[tuple[str, str]] = Counter()
        self._deliver = deliver

    def send(self, queue: str, body: str) -> str:
        """See ``application.ports.Queue``."""
        self.sent[queue, body] += 1
        if queue == "notices":
            self._deliver(body)
        return f"message-{sum(self.sent.values())}"


class MailServer:
    """The one channel; counts what it was handed."""

    channel = "mail"

    def __init__(self) -> None:
        self.handed: Counter[str] = Counter()

    def send(self, recipient: str, message: Message) -> str:
        """See ``application.ports.Sender``."""
        self.handed[message.key] += 1
        return "250 ok"


class Worker:
    """A warm instance: its own store and ports, all of which go with it."""

    def __init__(self, stage: Stage) -> None:
        self.fate = Fate()
        #: What it has sent and not noted yet.
        self.in_hand: set[str] = set()
        self._stage = stage
        #: Whether it was held up for longer than its lease.
        self.late = False
        self._inner = stage.engine.open(self._step)
        self.store: Any = Watched(_Leases(self._inner, self), "store", self._step)
        self.cloud: Any = Watched(stage.cloud, "cloud", self._step)
        self.queue: Any = Watched(_Hand(self, "queue"), "queue", self._step)
        self.mail: Any = Watched(_Hand(self, "mail"), "mail", self._step)
        self.mail.__dict__["channel"] = MailServer.channel

    def send(self, port: str, where: str, what: Any) -> str:
        """Send something, and remember it until it is noted."""
        if port == "queue":
            self.in_hand.add(what)
            return self._stage.post_office.send(where, what)
        self.in_hand.add(what.key)
        return self._stage.mail_server.send(where, what)

    def holds(self, completion: Completion) -> bool:
        """Whether the lease that a completion names is still that of its row."""
        return bool(self._stage.store.state.outbox[completion.key].lease == completion.lease)

    def leave(self) -> None:
        """It is gone."""
        self._stage.engine.leave(self._inner)

    def _step(self, where: str) -> None:
        if where in _NOTED:
            self.in_hand.clear()
        self.fate.step(where)


class _Leases:
    """A store that is asked whether a worker who was held up ends what another one has taken over."""

    def __init__(self, behind: Any, worker: Worker) -> None:
        self._behind = behind
        self._worker = worker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)

    def finish(self, completion: Completion, *, at: datetime) -> bool:
        """See ``application.ports.Store``."""
        lost = self._worker.late and not self._worker.holds(completion)
        ended: bool = self._behind.finish(completion, at=at)
        assert not (lost and ended), f"{completion.key} was ended under a lease that was lost"
        return ended


class _Hand:
    """What a worker sends with."""

    def __init__(self, worker: Worker, port: str) -> None:
        self.send = partial(worker.send, port)


class Stage(World):
    """A world whose functions are workers that may die."""

    def __init__(self, make: Callable[[Now], Engine], random: Random, **switches: Any) -> None:
        self.random = random
        self.mail: list[Mail] = []
        self.messages: list[OrderMessage] = []
        #: Mail that was acknowledged, with how it ended.
        self.taken: list[tuple[Mail, Ending]] = []
        #: Sends, by what they carry, that a blow may have cut off from their note: each may happen once more.
        self.excused: Counter[str] = Counter()
        self.log: list[str] = []
        self._make = make
        super().__init__(**switches)
        self.post_office = PostOffice(self._notice_arrives)
        self.mail_server = MailServer()
        self._calendar_due = self.clock.now()
        said: dict[str, Any] = {"actor": "test", "reason": "address", "at": self.clock.now()}
        for number, uid in enumerate(TENANTS):
            tenant = Tenant(tenant_uid=uid, name=f"Tenant {number}", email=f"noc@tenant{number}.example")
            self.store.put_tenant(tenant, **said)
        self._idle: list[Worker] = []
        self._known_events = 0

    def opened(self) -> Any:
        self.engine = self._make(self.clock.now)
        return self.engine.whole

    def close(self) -> None:
        """The end of the schedule."""
        self.engine.remove()

    # --- Mail -------------------------------------------------------------------------------------------------------

    def post(self, function: str, what: Any) -> None:
        """Something is on its way to a function, one time in five twice."""
        times = 2 if self.random.random() < DUPLICATES else 1
        self.mail += [Mail(function, what) for _ in range(times)]

    def fresh_events(self) -> Sequence[CloudRecord]:
        """What the cloud has recorded since the last call."""
        known, self._known_events = self._known_events, len(self.cloud.events)
        return self.cloud.events[known:]

    def _notice_arrives(self, body: str) -> None:
        self.post("notices", body)

    # --- Workers ----------------------------------------------------------------------------------------------------

    def invoke(self, name: str, act: Callable[[Worker], Any], fate: Fate | None = None) -> Any:
        """Let a worker act under a fate; what it answers, or None when it died or the store was out of reach."""
        worker = self._idle.pop() if self._idle else Worker(self)
        worker.fate = fate or Fate()
        worker.fate.struck = lambda where: self._struck(name, where, worker)
        answer = None
        try:
            answer = act(worker)
        except Died:
            worker.leave()
            self.log.append(f"{name}: died")
            return None
        except CrossportError as error:
            # The function's frame answers ``retry``.
            self.log.append(f"{name}: {error.code}")
        worker.fate, worker.late = Fate(), False
        worker.in_hand.clear()
        self._idle.append(worker)
        return answer

    def _struck(self, name: str, where: str, worker: Worker) -> None:
        self.log.append(f"{name}: {where}")
        if where.startswith(Blow.STALL.value):
            worker.late = True
            # Whatever it has taken may be sent by the other worker and, when it wakes up, by itself.
            held = (entry.row for entry in self.store.state.outbox.values() if entry.lease is not None)
            self.excused.update(body_of(row) for row in held if row.target != "cloud")
        elif not where.startswith(Blow.RIVAL.value):
            self.excused.update(worker.in_hand)

    def take_mail(self, batch: Sequence[Mail], fate: Fate | None = None) -> None:
        """A function gets a batch; what it has ended is gone, and all of it comes again when one must."""
        function = batch[0].function
        self.mail = [one for one in self.mail if all(one is not mail for mail in batch)]
        endings = self.invoke(function, lambda worker: self._handled(worker, function, batch), fate)
        if endings is None or any(ending.verdict is Verdict.RETRY for ending in endings):
            self.mail += batch
        else:
            self.taken += zip(batch, endings, strict=True)
        told = None if endings is None else [f"{e.key}={e.verdict}:{e.reason}" for e in endings]
        self.log.append(f"{function}: {told}")

    def relay_runs(self, fate: Fate | None = None, *, timer: bool = False) -> None:
        """One run of the relay; a timer's also looks at the calendar, once an hour."""
        report: Report | None = self.invoke("relay", lambda worker: self._relayed(worker, timer), fate)
        for turn in report.turns if report is not None else ():
            assert not turn.reason.startswith("internal_error"), f"{turn.key}: {turn.reason}"
            self.log.append(f"relay: {turn.key}={turn.state}:{turn.reason}")

    def ledger_is_sealed(self, fate: Fate | None = None) -> None:
        """The timer of the billing function."""
        self.invoke("billing", lambda worker: seal(store=worker.store, clock=self.clock, ids=self.ids), fate)

    def run_relay(self) -> None:
        """Everything that can be done now is done, and nothing befalls anybody (for healing)."""
        for _ in range(50):
            self.drain()
            self.relay_runs()
            self.ledger_is_sealed()
            if not self.mail and not any(self._due_now()):
                return

    def drain(self) -> None:
        """All mail is taken, milestones after their orders."""
        for _ in range(3):
            for one in list(self.mail):
                self.take_mail([one])
            if not self.mail:
                return

    def _due_now(self) -> Iterator[bool]:
        now = self.clock.now()
        for entry in self.store.state.outbox.values():
            queued = entry.row.target != "cloud" and entry.leased_until is None
            yield queued and entry.state is OutboxState.DUE and entry.due_since <= now

    def _handled(self, worker: Worker, function: str, batch: Sequence[Mail]) -> list[Ending]:
        whats = [mail.what for mail in batch]
        ports: dict[str, Any] = {"store": worker.store, "policies": self.policies, "clock": self.clock}
        if function == "orders":
            return place_orders(whats, **ports)
        if function == "port_events":
            return observe(whats, function=function, **ports)
        if function == "billing":
            return record_usage(whats, **ports)
        requests = [notice_of(body) for body in whats]
        return send_notices(requests, render=rendered, senders=[worker.mail], **ports)

    def _relayed(self, worker: Worker, timer: bool) -> Report:
        if timer and self.clock.now() >= self._calendar_due:
            self._calendar_due = self.clock.now() + timedelta(hours=1)
            keep_deadlines(
                store=worker.store,
                policies=self.policies,
                clock=self.clock,
                working_days=MondayToFriday(),
                until=self.clock.now() + timedelta(seconds=30),
            )
        return relay(
            store=worker.store,
            cloud=lambda: worker.cloud,
            queue=lambda: worker.queue,
            policies=self.policies,
            clock=self.clock,
            ids=self.ids,
            until=self.clock.now() + timedelta(seconds=30),
        )

    def heal(self) -> None:
        """See ``World.heal``; what was agreed is known by then."""
        self.know_deals()
        super().heal()

    # --- What became of the orders ----------------------------------------------------------------------------------

    def know_deals(self) -> None:
        """What was agreed, by the audit trail: the answer of a dead worker is lost, its row is not."""
        rows: dict[str, InputRow] = {}
        for row in self.store.state.audit:
            # A twin that had looked before there was an order may have been refused after the other was applied.
            taken = rows.get(row.key)
            if row.function == "orders" and (taken is None or taken.verdict is not Verdict.APPLIED):
                rows[row.key] = row
        for message in sorted(self.messages, key=lambda message: message.order is None):
            row = rows.get(message.key)
            if row is None or row.verdict not in (Verdict.APPLIED, Verdict.REJECTED) or row.connection_id is None:
                continue
            if message.order is not None:
                self._know_order(message.order, row.connection_id, refused=row.verdict is Verdict.REJECTED)
            elif row.verdict is Verdict.APPLIED and message.milestone is not None:
                self.deals[row.connection_id].milestones.add(str(message.milestone.name))
            elif row.verdict is Verdict.APPLIED and message.request is not None:
                self.deals[row.connection_id].withdrawn |= message.request.kind is RequestKind.CANCEL
                self.deals[row.connection_id].ceased |= message.request.kind is RequestKind.CEASE
        for deal in self.deals.values():
            deal.withdrawn |= expiry_id(deal.connection_id) in self.store.state.inbox

    def _know_order(self, order: Order, connection_id: str, *, refused: bool) -> None:
        if connection_id not in self.deals:
            self.deals[connection_id] = Deal(
                connection_id=connection_id,
                account_id=PARTNER,
                tenant_uid=order.tenant_uid,
                token=token_of(connection_id),
                vlan_id=-1 if order.vlan_id is None else order.vlan_id,
                circuit_id=order.circuit_id,
                refused=refused,
            )


def body_of(row: OutboxRow) -> str:
    """What the relay sends for a row."""
    return json.dumps(row.payload, sort_keys=True, ensure_ascii=False)


def notice_of(body: str) -> NoticeRequest:
    """The request that a message of the queue ``notices`` carries."""
    said = json.loads(body)
    return NoticeRequest(
        key=said["key"],
        kind=said["kind"],
        connection_id=said["connection_id"],
        party=Party(said["party"]),
        details=said["details"],
    )


def rendered(context: AnyNoticeContext) -> Message:
    """The text does not matter here."""
    key = context.request.key
    return Message(key=key, subject=context.request.kind, text=key, html=key, language="en")
