"""Redundancy groups: let waiting members go once two orders are there, and say when a group is half provisioned."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from crossport.application.commands.desk import Desk, Done, Task
from crossport.application.commit import MAX_ROUNDS, save_of
from crossport.application.ports import SaveOutcome, Stored
from crossport.domain.connection import Connection
from crossport.domain.decide import conclude
from crossport.domain.effects import ALIVE
from crossport.domain.groups import Sibling, decide_complete, half_provisioned, missing_siblings
from crossport.domain.phase import phase_of
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Phase, Presence

#: How long the create call of a sibling may be under way before the group counts as half provisioned.
UNDER_WAY = timedelta(minutes=10)
#: Phases in which an offer that was to be taken back has become a service after all.
_STAYED = frozenset({Phase.ACCEPTED, Phase.ENABLED, Phase.ACTIVE, Phase.SUSPENDED})


def join_group(desk: Desk, task: Task) -> Done:
    """Every member that waited for a sibling goes on, if the group has two valid orders by now.

    Each order has one such command after its own commit. Of two orders that were placed at the same moment and did not
    see each other, the later commit's command sees both.
    """
    for member_id in (task.connection.connection_id, *_siblings_of(desk, task.connection)):
        if not _let_go(desk, member_id, task.policy):
            return desk.wait(task.leased, "contended")
    return desk.done(task.leased)


def check_group(desk: Desk, task: Task) -> Done:
    """Open or close the finding ``half_provisioned`` of every member, after one of them has come or gone."""
    connection, now = task.connection, desk.clock.now()
    if _undecided(task):
        return desk.wait_for(task, "waiting:end")
    if any(_under_way(each, now, task.policy) for each in _missing(desk, connection, task.policy)):
        return desk.wait(task.leased, "waiting:sibling")
    for member_id in (connection.connection_id, *_siblings_of(desk, connection)):
        if not _assessed(desk, member_id, task.policy):
            return desk.wait(task.leased, "contended")
    return desk.done(task.leased)


def _siblings(desk: Desk, connection: Connection) -> tuple[Sibling, ...]:
    return desk.store.load_order(
        connection_id=connection.connection_id,
        account_id=connection.account_id,
        circuit_id=connection.circuit_id,
        tenant_uid=connection.tenant_uid,
        group_id=connection.group_id,
    ).siblings


def _siblings_of(desk: Desk, connection: Connection) -> Iterator[str]:
    return (sibling.connection.connection_id for sibling in _siblings(desk, connection))


def _missing(desk: Desk, connection: Connection, policy: Policy) -> tuple[Connection, ...]:
    return missing_siblings(connection, _siblings(desk, connection), policy.consistency_window)


def _undecided(task: Task) -> bool:
    """Whether the end that caused this look has begun and is not certain yet."""
    connection, port = task.connection, task.connection.port
    if task.leased.row.payload.get("cause") != "ended" or port is None:
        return False
    phase = phase_of(connection, task.policy.consistency_window)
    absent = port.presence.current != Presence.PRESENT
    return phase in ALIVE and (absent or (connection.withdrawn_at is not None and phase not in _STAYED))


def _under_way(sibling: Connection, now: datetime, policy: Policy) -> bool:
    phase = phase_of(sibling, policy.consistency_window)
    return phase is Phase.PROVISIONING and sibling.intended_at is not None and now < sibling.intended_at + UNDER_WAY


def _let_go(desk: Desk, member_id: str, policy: Policy) -> bool:
    """False when the save was lost to other writers too often."""
    for _ in range(MAX_ROUNDS):
        stored = desk.store.get(member_id)
        if stored is None:
            return True
        decision = decide_complete(stored.connection, _siblings(desk, stored.connection), policy)
        if decision is None:
            return True
        save = save_of([decision], version=stored.version, at=desk.clock.now())
        if desk.store.save([save])[0] is SaveOutcome.SAVED:
            return True
    return False


def _assessed(desk: Desk, member_id: str, policy: Policy) -> bool:
    """Open or close one member's finding; False when the save was lost to other writers too often."""
    for _ in range(MAX_ROUNDS):
        stored = desk.store.get(member_id)
        if stored is None or _save_finding(desk, stored, policy):
            return True
    return False


def _save_finding(desk: Desk, stored: Stored, policy: Policy) -> bool:
    connection = stored.connection
    found = half_provisioned(connection, _siblings(desk, connection), desk.clock.now(), policy)
    decision = conclude(connection, connection, policy, findings=() if found is None else (found,))
    mended = found is None
    cleared = tuple((code, connection.group_id) for code in ("half_provisioned", "group_overdue") if mended)
    save = save_of([decision], version=stored.version, at=desk.clock.now(), cleared=cleared)
    return desk.store.save([save])[0] is SaveOutcome.SAVED
