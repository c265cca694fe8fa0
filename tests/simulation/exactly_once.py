"""What must hold at the end of a schedule: nothing lost, nothing twice, whatever befell the workers."""

from __future__ import annotations

from collections import Counter

from crossport.adapters.store.chain import GENESIS, seal_hash
from crossport.application.actiontrail import CloudRecord, meaning_of
from crossport.application.bill import UsageReading
from crossport.application.order_input import OrderMessage, order_inbox_key
from crossport.application.ports import InputRow, OutboxState
from crossport.domain.decide import decide
from crossport.domain.effects import effects_of
from crossport.domain.observation import Observation
from crossport.domain.vocabulary import Phase, Verdict
from tests.fakes.memory_state import State
from tests.simulation.oracle import conforms
from tests.simulation.stage import Stage, body_of
from tests.simulation.world import POLICY

_WRITTEN = (Verdict.APPLIED, Verdict.IGNORED)
#: Why a genuine event may be refused: a tenant who has no say speaks of a port.
_NO_SAY = frozenset({"account_mismatch", "unknown_account"})


def check_inputs(stage: Stage) -> None:
    """Every input that was acknowledged has left its mark, once, and what it said is known."""
    waiting = [mail.what for mail in stage.mail]
    assert not waiting, f"mail comes again and again: {waiting}"
    state: State = stage.store.state
    rows: dict[str, list[InputRow]] = {}
    for row in state.audit:
        rows.setdefault(row.key, []).append(row)
    for mail, ending in stage.taken:
        assert ending.verdict is not Verdict.DEAD_LETTER, f"{ending.key} was given up: {ending.reason}"
        what = mail.what
        if isinstance(what, OrderMessage | CloudRecord | UsageReading):
            _check_input(what, ending.verdict, ending.reason, rows.get(what.key, []), state)
    for key, found in rows.items():
        taken = [row for row in found if row.verdict in _WRITTEN and key]
        assert len(taken) <= 1, f"{key} was taken {len(taken)} times"
        assert not taken or key in state.inbox, f"{key} was taken and its key was not"
        refused = [row for row in found if row.verdict is Verdict.REJECTED and row.function == "port_events"]
        assert not refused or taken or key not in state.inbox, f"a refused event has claimed {key}"
    _check_facts(stage, state)
    for connection_id, stored in state.connections.items():
        missing = {effect.key for effect in effects_of(stored.connection, POLICY)} - state.outbox.keys()
        assert not missing, f"{connection_id}: {sorted(missing)} never reached the outbox"


def _check_input(
    what: OrderMessage | CloudRecord | UsageReading,
    verdict: Verdict,
    reason: str,
    rows: list[InputRow],
    state: State,
) -> None:
    key = what.key
    if verdict in (Verdict.APPLIED, Verdict.IGNORED, Verdict.REJECTED):
        assert any(row.verdict is verdict for row in rows), f"{key} ended as {verdict} without a row"
    if verdict in _WRITTEN or verdict is Verdict.DUPLICATE:
        known = state.inbox.get(key)
        if known is None and isinstance(what, OrderMessage):
            # Another message has brought the order; the orderer's own id tells.
            known = state.inbox.get(order_inbox_key(what.account_id, what.client_order_id))
        assert known == what.digest, f"{key} ended as {verdict} and the inbox says {known}"
    if isinstance(what, CloudRecord) and verdict is Verdict.REJECTED:
        forged = reason in ("time_in_future", "payload_mismatch", "unknown_account")
        assert forged or reason in _NO_SAY, f"{key} was refused: {reason}"
        if reason == "payload_mismatch":
            assert state.inbox[key] != what.digest, f"the genuine {key} was refused as a forgery"


def _check_facts(stage: Stage, state: State) -> None:
    """What a trusted event said is in its connection, or waits for one; what had to be read is in the outbox."""
    told: dict[str, list[CloudRecord]] = {}
    rows = {row.key: row for row in state.audit if row.function == "port_events" and row.verdict is Verdict.APPLIED}
    for mail, _ in stage.taken:
        if isinstance(mail.what, CloudRecord) and mail.what.key in rows:
            row, record = rows[mail.what.key], mail.what
            if state.inbox.get(record.key) != record.digest:
                continue
            if row.pending:
                asked = f"event:{record.digest[:16]}:{int(record.at.timestamp())}"
                assert any(key.endswith(asked) for key in state.outbox), f"{record.key} asked for a read in vain"
            if row.reason == "" and row.connection_id is not None:
                told.setdefault(row.connection_id, []).append(record)
            elif row.reason == "unrouted" and _folded(record, state):
                told.setdefault(_owner(record, state), []).append(record)
    for connection_id, records in told.items():
        connection = state.connections[connection_id].connection
        seen = [each for record in records for each in _said(record)]
        again = decide(connection, seen, POLICY)
        known = again.connection == connection or any(f.code == "late_observation" for f in again.findings)
        assert known, f"{connection_id} has lost what {[record.key for record in records]} said"
    for message in stage.messages:
        row_of = next((r for r in state.audit if r.key == message.key and r.verdict is Verdict.APPLIED), None)
        if row_of is None or row_of.connection_id is None:
            continue
        kept = state.connections[row_of.connection_id].connection
        if message.milestone is not None:
            assert kept.milestone(message.milestone.name), f"{message.key}: the milestone is lost"
        if message.request is not None and row_of.reason != "known_already":
            ids = [request.request_id for request in kept.requests]
            assert ids.count(message.request.request_id) == 1, f"{message.key}: the request is there {ids}"


def _folded(record: CloudRecord, state: State) -> bool:
    """Whether what waited for its route waits no more."""
    return bool(_said(record)) and not any(key.rpartition("#")[0] == record.key for key in state.unrouted)


def _owner(record: CloudRecord, state: State) -> str:
    """The connection that has folded in what waited for its route."""
    meaning = meaning_of(record)
    assert meaning is not None
    routes = [f"port:{meaning.port_id}", f"vbr:{meaning.vbr_id}"]
    owner = next((state.routes[route] for route in routes if route in state.routes), None)
    assert owner is not None, f"what {record.key} said waits no more and nobody has it"
    return owner


def _said(record: CloudRecord) -> tuple[Observation, ...]:
    meaning = meaning_of(record)
    return meaning.observations if meaning is not None else ()


def check_sends(stage: Stage) -> None:
    """Each message was sent once for its row, and once more at most for each blow between a send and its note."""
    state: State = stage.store.state
    rows: Counter[tuple[str, str]] = Counter()
    for entry in state.outbox.values():
        if entry.row.target.startswith("queue:"):
            place = (entry.row.target.removeprefix("queue:"), body_of(entry.row))
            rows[place] += 1
            if entry.state is OutboxState.DONE:
                assert stage.post_office.sent[place], f"{entry.row.key} is done and was never sent"
    for place, count in stage.post_office.sent.items():
        most = rows[place] + stage.excused[place[1]]
        assert 1 <= count <= most, f"{place} was sent {count} times, {most} at most"
    for key, count in stage.mail_server.handed.items():
        most = 1 + stage.excused[key]
        assert count <= most, f"{key} was handed over {count} times, {most} at most"
        # Cut off before its receipt, a notice may be moot when it comes again.
        assert (key, "mail") in state.receipts or stage.excused[key], f"there is no receipt for {key}"
    for row in state.audit:
        if row.function == "notices" and row.verdict is Verdict.APPLIED:
            key = str(row.details["notice"])
            assert stage.mail_server.handed[key], f"{key} is applied and was never handed over"


def check_state(stage: Stage) -> None:
    """Nothing forgotten in the outbox, one VBR accepted, usage charged once, the ledger one chain."""
    state: State = stage.store.state
    now = stage.clock.now()
    for entry in state.outbox.values():
        if entry.state is OutboxState.DUE:
            assert entry.due_since > now, f"{entry.row.key} is due and nobody has taken it: {entry.reason!r}"
    for connection_id, phase in state.phases.items():
        if phase is Phase.PROVISIONING:
            waits = state.outbox[f"{connection_id}:create_port"].state is OutboxState.DUE
            assert waits, f"{connection_id} is to be created and nobody will create it"
    for deal in stage.deals.values():
        port = deal.port(stage.cloud)
        if port is None or port.deleted:
            continue
        fitting = {vbr.vbr_id for vbr in stage.cloud.vbrs_on(port) if conforms(vbr, port)}
        accepted = state.connections[deal.connection_id].connection.accepted_vbr(POLICY.consistency_window)
        assert (accepted is not None) == bool(fitting), f"{deal.connection_id}: VBR {accepted}, in the cloud {fitting}"
        assert accepted is None or accepted.vbr_id in fitting, f"{accepted.vbr_id} is accepted, fitting are {fitting}"
    applied = {
        str(row.details["reading_id"])
        for row in state.audit
        if row.name == "usage.reported" and row.verdict is Verdict.APPLIED
    }
    charged = Counter(
        entry.record.fact.rpartition("/")[2]
        for entry in state.ledger.values()
        if "/outbound_data_transfer/reading-" in entry.record.fact
    )
    assert charged == Counter(applied), f"readings {sorted(applied)} are charged as {charged}"
    _check_chain(state)


def _check_chain(state: State) -> None:
    previous = GENESIS
    entries = sorted(state.ledger.values(), key=lambda entry: (entry.seq is None, entry.seq))
    for number, entry in enumerate(entries, start=1):
        record = entry.record
        assert entry.seq == number, f"{record.key} has seq {entry.seq}"
        assert entry.prev_hash == previous, f"the chain is broken at {number}"
        previous = seal_hash(
            prev_hash=previous, seq=number, key=record.key, record=record.record, reverses=record.reverses
        )
        assert entry.hash == previous, f"record {number} is not what was sealed"
        assert f"billing-record:{record.key}" in state.outbox, f"{record.key} was sealed and not sent"
