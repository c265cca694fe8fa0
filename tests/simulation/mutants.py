"""Deliberate mistakes in the store and in the use cases. The simulation must find each of them.

A mutant of the store breaks the real SQLite store, by its statements or by the order in which they run; a mutant of a
use case runs on the fast store in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import pytest

from crossport.adapters.store import engine as sqlite_engine
from crossport.adapters.store import saving, sqlite
from crossport.adapters.store.engine import SqliteEngine, Undone
from crossport.adapters.store.queries import queries_of
from crossport.adapters.store.rows import input_columns
from crossport.adapters.store.sqlite import SqliteStore
from crossport.application import bill, commit, observe, order_input, place_order, relay, send_notices
from crossport.application.commands import create, read
from crossport.application.ports import Completion, InputRow, OutboxState, Read, Save, SaveOutcome
from crossport.domain import decide, ledger
from crossport.domain.vocabulary import Verdict
from tests.fakes.memory_state import Transaction
from tests.fakes.memory_store import MemoryStore
from tests.simulation.schedule import run

Apply = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutant:
    """One mistake: what is wrong, on which engine it is played, and how to make it."""

    name: str
    engine: str
    apply: Apply
    #: Schedules within which it must be found.
    within: int


#: Most mistakes are found within so many schedules, those that need a rare race within more.
SOON, LATE = 150, 6_000
MUTANTS: list[Mutant] = []


def mutant(name: str, engine: str = "memory", *, within: int = SOON) -> Callable[[Apply], Apply]:
    """Enter a mistake in the list."""

    def enter(apply: Apply) -> Apply:
        MUTANTS.append(Mutant(name, engine, apply, within))
        return apply

    return enter


# --- The store: its statements ----------------------------------------------------------------------------------------


def statement(name: str, old: str, new: str) -> Apply:
    """A mistake in one SQL statement."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        known = queries_of("sqlite")
        assert old in known[name], f"{name} does not hold {old!r} any more"
        broken = MappingProxyType({**known, name: known[name].replace(old, new)})
        patch.setattr(sqlite_engine, "queries_of", lambda engine: broken)

    return apply


_VERSIONS = " AND version = :version"
for _name, _statement, _old, _new in (
    ("the connection's version is not compared", "update_connection", _VERSIONS, ""),
    ("a completion does not look at its lease", "finish_outbox", " AND lease = :lease", ""),
    (
        "UNIQUE of the outbox is dropped: a key that is there is due again",
        "insert_outbox",
        "DO NOTHING",
        "DO UPDATE SET state = 'due', not_before = NULL",
    ),
    ("rows are taken without a lease", "take_outbox", "leased_until = :until", "leased_until = :now"),
    ("expired leases are never taken over", "take_outbox", " OR leased_until <= :now", ""),
    ("holds are not released", "release_hold", "SET released_at = :at", "SET released_at = NULL"),
):
    mutant(_name, "sqlite")(statement(_statement, _old, _new))


@mutant("the circuit's version is not compared", "sqlite", within=LATE)
def _circuit_uncompared(patch: pytest.MonkeyPatch) -> None:
    statement("swap_circuit", _VERSIONS, "")(patch)


@mutant("a VLAN ID may be held twice: UNIQUE dropped, circuit not compared", "sqlite")
def _held_twice(patch: pytest.MonkeyPatch) -> None:
    statement("swap_circuit", _VERSIONS, "")(patch)
    opened = SqliteStore.__init__

    def without_index(self: SqliteStore, *args: Any, **named: Any) -> None:
        opened(self, *args, **named)
        self._sqlite._connection.execute("DROP INDEX IF EXISTS vlan_hold_live")

    patch.setattr(SqliteStore, "__init__", without_index)


# --- The store: the order of its writes -------------------------------------------------------------------------------


@mutant("the inbox is written before the version is compared", "sqlite")
def _inbox_first(patch: pytest.MonkeyPatch) -> None:
    write_save = saving.write_save

    def inbox_first(engine: SqliteEngine, save: Save) -> SaveOutcome:
        for row in save.inputs:
            if row.claims and engine.write("claim_input", input_columns(row, save.connection.connection_id)) == 0:
                return SaveOutcome.DUPLICATE
        return write_save(engine, save)

    def alone(self: SqliteStore, save: Save) -> SaveOutcome:
        with self._sqlite.writing():
            return inbox_first(self._sqlite, save)

    patch.setattr(saving, "_claimed", lambda engine, inputs: True)
    patch.setattr(sqlite, "write_save", inbox_first)
    patch.setattr(SqliteStore, "_alone", alone)


@mutant("the inbox row is not rolled back with a lost race", "sqlite")
def _lost_save_stays(patch: pytest.MonkeyPatch) -> None:
    transaction = SqliteEngine.writing

    @contextmanager
    def savepoint(self: SqliteEngine) -> Any:
        try:
            yield
        except Undone:
            return

    @contextmanager
    def writing(self: SqliteEngine) -> Any:
        with transaction(self):
            try:
                yield
            except Undone:
                return

    patch.setattr(SqliteEngine, "savepoint", savepoint)
    patch.setattr(SqliteEngine, "writing", writing)


@mutant("every statement commits by itself", "sqlite")
def _no_transaction(patch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def writing(self: SqliteEngine) -> Any:
        yield

    patch.setattr(SqliteEngine, "writing", writing)


@mutant("the outbox is written after the commit, in a transaction of its own", "sqlite")
def _outbox_apart(patch: pytest.MonkeyPatch) -> None:
    save_all = SqliteStore.save

    def apart(self: SqliteStore, saves: Sequence[Save]) -> Sequence[SaveOutcome]:
        outcomes = save_all(self, [replace(save, outbox=()) for save in saves])
        for save, outcome in zip(saves, outcomes, strict=True):
            if outcome is SaveOutcome.SAVED:
                self.record([], outbox=save.outbox)
        return outcomes

    patch.setattr(SqliteStore, "save", apart)


@mutant("the ledger is written after the commit, in a transaction of its own", within=LATE)
def _ledger_apart(patch: pytest.MonkeyPatch) -> None:
    save_all = MemoryStore.save

    def apart(self: MemoryStore, saves: Sequence[Save]) -> Sequence[SaveOutcome]:
        outcomes = save_all(self, [replace(save, records=()) for save in saves])
        with self._writing() as transaction:
            for save, outcome in zip(saves, outcomes, strict=True):
                for record in save.records if outcome is SaveOutcome.SAVED else ():
                    transaction._insert_record(record, save.connection.connection_id, save.at)
        return outcomes

    patch.setattr(MemoryStore, "save", apart)


@mutant("UNIQUE of the inbox is dropped", within=LATE)
def _inbox_not_unique(patch: pytest.MonkeyPatch) -> None:
    def claim(self: Transaction, row: InputRow) -> bool:
        self.state.inbox[row.key] = row.digest
        return True

    patch.setattr(Transaction, "claim", claim)


@mutant("the commit comes before the outbox of record()")
def _record_in_two(patch: pytest.MonkeyPatch) -> None:
    record = MemoryStore.record

    def in_two(self: MemoryStore, inputs: Any, *, outbox: Any = (), unrouted: Any = ()) -> None:
        record(self, inputs)
        record(self, [], outbox=outbox, unrouted=unrouted)

    patch.setattr(MemoryStore, "record", in_two)


@mutant("a completion is saved apart from what it brought", within=LATE)
def _completion_apart(patch: pytest.MonkeyPatch) -> None:
    save_all, finish = MemoryStore.save, MemoryStore.finish

    def apart(self: MemoryStore, saves: Sequence[Save]) -> Sequence[SaveOutcome]:
        for save in saves:
            if save.completion is not None:
                finish(self, replace(save.completion, seen=None), at=save.at)
        return save_all(self, [replace(save, completion=None) for save in saves])

    patch.setattr(MemoryStore, "save", apart)


@mutant("sealed records reach the outbox in a transaction of their own")
def _sealed_apart(patch: pytest.MonkeyPatch) -> None:
    seal, insert = MemoryStore.seal, Transaction.insert_outbox

    def apart(self: MemoryStore, **named: Any) -> int:
        kept: list[Any] = []
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(Transaction, "insert_outbox", lambda transaction, row, at: kept.append(row))
            sealed = seal(self, **named)
        with self._writing() as transaction:
            for row in kept:
                insert(transaction, row, named["now"])
        return sealed

    patch.setattr(MemoryStore, "seal", apart)


# --- Events -----------------------------------------------------------------------------------------------------------


@mutant("a refused event claims its key")
def _refused_claims(patch: pytest.MonkeyPatch) -> None:
    settle = observe._Batch._settle

    def claiming(self: Any, *args: Any, **named: Any) -> None:
        settle(self, *args, **named | {"claims": True})

    patch.setattr(observe._Batch, "_settle", claiming)


@mutant("a lost save counts as saved")
def _lost_is_saved(patch: pytest.MonkeyPatch) -> None:
    save_all = MemoryStore.save

    def always(self: MemoryStore, saves: Sequence[Save]) -> Sequence[SaveOutcome]:
        return [SaveOutcome.SAVED for _ in save_all(self, saves)]

    patch.setattr(MemoryStore, "save", always)


@mutant("an event is acknowledged while the store is out of reach")
def _acknowledged(patch: pytest.MonkeyPatch) -> None:
    ending = observe._ending

    def applied(record: Any, verdict: Verdict, reason: str = "") -> Any:
        return ending(record, Verdict.APPLIED if reason == "store_unavailable" else verdict, reason)

    patch.setattr(observe, "_ending", applied)


@mutant("of a batch on one connection only the last event counts")
def _last_only(patch: pytest.MonkeyPatch) -> None:
    save_of = commit.save_of
    patch.setattr(observe, "save_of", lambda decisions, **rest: save_of(decisions[-1:], **rest))


@mutant("an incomplete event asks for no read")
def _no_read(patch: pytest.MonkeyPatch) -> None:
    save_of = commit.save_of
    patch.setattr(observe, "save_of", lambda decisions, **rest: save_of(decisions, **rest | {"outbox": ()}))


@mutant("what waited for its route is thrown away")
def _unrouted_lost(patch: pytest.MonkeyPatch) -> None:
    load = MemoryStore.load

    def emptied(self: MemoryStore, **named: Any) -> Any:
        loaded = load(self, **named)
        return replace(loaded, unrouted=tuple(replace(u, observation=_emptied(u.observation)) for u in loaded.unrouted))

    def _emptied(seen: Any) -> Any:
        names = {name: None for name in seen.__slots__ if name not in ("at", "source", "port_id", "vbr_id")}
        return replace(seen, **names)

    patch.setattr(MemoryStore, "load", emptied)


# --- Orders -----------------------------------------------------------------------------------------------------------


@mutant("an order takes its hold without the circuit")
def _hold_alone(patch: pytest.MonkeyPatch) -> None:
    save_of = commit.save_of
    patch.setattr(place_order, "save_of", lambda decisions, **rest: save_of(decisions, **rest | {"circuit": None}))


@mutant("a milestone is applied without its key")
def _no_claim(patch: pytest.MonkeyPatch) -> None:
    row_of = order_input.row_of

    def claimless(message: Any, *args: Any, **named: Any) -> Any:
        return row_of(message, *args, **named | {"claims": message.milestone is None})

    patch.setattr(place_order, "row_of", claimless)


@mutant("an order is acknowledged while the store is out of reach")
def _order_acknowledged(patch: pytest.MonkeyPatch) -> None:
    ending = order_input.ending_for

    def applied(message: Any, verdict: Verdict, reason: str = "") -> Any:
        return ending(message, Verdict.APPLIED if reason == "store_unavailable" else verdict, reason)

    patch.setattr(order_input, "ending_for", applied)


# --- The relay --------------------------------------------------------------------------------------------------------


@mutant("a message counts as sent before it is sent")
def _done_first(patch: pytest.MonkeyPatch) -> None:
    turn = relay._Relay.turn

    def done_first(self: Any, leased: Any) -> Any:
        if leased.row.target != "cloud":
            done = Completion(key=leased.row.key, lease=leased.lease, state=OutboxState.DONE)
            self._store.finish(done, at=self._clock.now())
        return turn(self, leased)

    patch.setattr(relay._Relay, "turn", done_first)


@mutant("a message that could not be sent counts as sent")
def _failed_is_done(patch: pytest.MonkeyPatch) -> None:
    later = relay._Relay._later

    def done(self: Any, leased: Any, reason: str) -> Completion:
        completion = later(self, leased, reason)
        sent = leased.row.target != "cloud"
        return replace(completion, state=OutboxState.DONE, not_before=None) if sent else completion

    patch.setattr(relay._Relay, "_later", done)


@mutant("nobody looks whether a create call has happened before it is made again", within=LATE)
def _no_look(patch: pytest.MonkeyPatch) -> None:
    def nothing(desk: Any, connection: Any) -> Read:
        return Read(date=desk.clock.now(), port=None)

    patch.setattr(create, "_found", nothing)


@mutant("a create call that may have happened is given up")
def _given_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(create, "_look_again", lambda desk, leased, cause: desk.failed(leased, cause))


@mutant("a port is adopted although an order may be about to find it", within=LATE)
def _adopted_at_once(patch: pytest.MonkeyPatch) -> None:
    adopt = read._adopt

    def at_once(desk: Any, leased: Any, *rest: Any) -> Any:
        return adopt(desk, replace(leased, attempts=99), *rest)

    patch.setattr(read, "_adopt", at_once)


# --- Billing and notices ----------------------------------------------------------------------------------------------


@mutant("a record that is replaced is not reversed")
def _no_reversal(patch: pytest.MonkeyPatch) -> None:
    settle = ledger.settle_records

    def unreversed(*args: Any) -> Any:
        heads, records = settle(*args)
        return heads, tuple(record for record in records if record.reverses is None)

    patch.setattr(decide, "settle_records", unreversed)


@mutant("a reading of the meter claims no key")
def _reading_unclaimed(patch: pytest.MonkeyPatch) -> None:
    row = bill._row
    patch.setattr(bill, "_row", lambda *args: replace(row(*args), claims=False))


@mutant("a notice is written down as sent before it is sent")
def _told_first(patch: pytest.MonkeyPatch) -> None:
    handed_over = send_notices._Office._handed_over

    def told_first(self: Any, context: Any) -> Any:
        self._written(context.request, send_notices._Outcome(Verdict.APPLIED), context.connection)
        return handed_over(self, context)

    patch.setattr(send_notices._Office, "_handed_over", told_first)


@mutant("nobody looks at a notice's receipt before it is sent again")
def _no_receipt(patch: pytest.MonkeyPatch) -> None:
    handed_over = send_notices._Office._handed_over

    class Forgetful:
        def __init__(self, store: Any) -> None:
            self._store = store

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        def has_receipt(self, key: str, channel: str) -> bool:
            return False

    patch.setattr(
        send_notices._Office,
        "_handed_over",
        lambda self, context: handed_over(replace(self, store=Forgetful(self.store)), context),
    )


def found_at(mutant: Mutant) -> int | None:
    """The first schedule that finds a mutant, or None when none does within its bound."""
    with pytest.MonkeyPatch.context() as patch:
        mutant.apply(patch)
        for seed in range(mutant.within):
            try:
                run(seed, mutant.engine)
            except AssertionError:
                return seed
    return None
