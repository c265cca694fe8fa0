"""From a VBR to a shared port without interruption: convert it; attach it once the port is in service (ruling 16)."""

from __future__ import annotations

import json
from dataclasses import replace

from crossport.application.commands.create import make_port, provisioning_failed
from crossport.application.commands.desk import Desk, Done, Task, completion
from crossport.application.commit import MAX_ROUNDS, read_port, save_of
from crossport.application.ports import OutboxState, SaveOutcome, VbrRead
from crossport.domain.connection import Connection, Migration
from crossport.domain.decide import Finding, conclude, decide
from crossport.domain.migration import vbr_as_ordered
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.phase import VBR_UP, suspension
from crossport.domain.violations import violations_of
from crossport.domain.vocabulary import Acceptance, Presence, Source


def convert_vbr(desk: Desk, task: Task) -> Done:
    """CreateVpconnFromVbr, after the VBR was read, compared with the order, noted, and given its cap.

    The call says neither spec nor VLAN ID, so the answer is believed for the port's id alone; a read follows, and what
    differs from the order is a violation before the tenant is told.
    """
    connection, migration = task.connection, task.connection.migration
    if migration is None:
        return desk.failed(task.leased, "no_migration")

    def convert() -> PortObservation:
        answer = desk.cloud().create_from_vbr(
            account_id=connection.account_id,
            region=connection.region,
            vbr_id=migration.vbr_id,
            order_mode=str(connection.terms.order_mode),
            token=connection.token,
        )
        return PortObservation(
            at=answer.date,
            source=Source.OWN_ANSWER,
            port_id=answer.value,
            acceptance=Acceptance.UNCONFIRMED,
            presence=Presence.PRESENT,
        )

    return make_port(desk, task, prepare=lambda: _prepared(desk, task, migration), make=convert)


def attach_vbr(desk: Desk, task: Task) -> Done:
    """AttachVbrToVpconn once the port is Confirmed and Enabled; then the VBR is read and compared with before.

    A VBR that is on the port already is attached, whoever did it.
    """
    leased, connection, migration = task.leased, task.connection, task.connection.migration
    port_id = connection.port_id
    if migration is None or port_id is None:
        return desk.failed(leased, "no_migration")
    waiting = _not_yet(task)
    if waiting is not None:
        return desk.wait_for(task, waiting)
    read = _read(desk, connection, migration)
    attached: tuple[VbrObservation, ...] = ()
    if not _on_port(read, port_id) and not _known_on_port(connection, migration.vbr_id):
        if read.vbr is not None and read.vbr.port_id != connection.circuit_id:
            return desk.failed(leased, "vbr_on_other_circuit")
        attached = (_attached(desk, task, migration, port_id),)
        read = _read(desk, connection, migration)
    if _on_port(read, port_id):
        return _compared(desk, task, read, port_id, attached)
    if leased.attempts < task.policy.max_attempts:
        # The read lags behind; the next turn looks again.
        ending, _ = desk.wait_for(task, "waiting:attached")
    else:
        # Whether a circuit's owner sees a tenant's VBR on a port is not documented (ruling 8).
        ending, _ = desk.done(leased, "vbr_not_visible")
    return desk.observed(leased, connection, attached, ending)


def _attached(desk: Desk, task: Task, migration: Migration, port_id: str) -> VbrObservation:
    """Attach the VBR; what the answer says of it."""
    connection = task.connection
    answer = desk.cloud().attach_vbr(
        account_id=connection.account_id,
        region=connection.region,
        vbr_id=migration.vbr_id,
        port_id=port_id,
        token=task.token("attach"),
    )
    return VbrObservation(
        at=answer.date,
        source=Source.OWN_ANSWER,
        vbr_id=migration.vbr_id,
        port_id=port_id,
        presence=Presence.PRESENT,
    )


def _prepared(desk: Desk, task: Task, migration: Migration) -> Done | None:
    """Everything before the call; how the turn ends when the VBR is not the one that was ordered, or not up yet."""
    leased, connection = task.leased, task.connection
    read = _read(desk, connection, migration)
    if read.vbr is None and read.date < connection.created_at + task.policy.consistency_window:
        # A list may lag behind a VBR that was made right before its order.
        return desk.wait(leased, "waiting:vbr_shown")
    refusal = vbr_as_ordered(
        read.vbr,
        migration,
        owner=connection.tenant_uid,
        vlan_id=connection.terms.vlan_id,
        circuit_id=connection.circuit_id,
    )
    if refusal is not None:
        ending = completion(leased, OutboxState.FAILED, refusal.code)
        return provisioning_failed(desk, leased, refusal, ending)
    if read.vbr is not None and read.vbr.status != VBR_UP:
        return desk.wait_for(task, f"waiting:vbr_{VBR_UP}")
    if not _noted(desk, task, read.configuration):
        return desk.wait(leased, "contended")
    if read.bandwidth_mbps != migration.bandwidth_mbps:
        desk.cloud().set_vbr_bandwidth(
            account_id=connection.account_id,
            region=connection.region,
            vbr_id=migration.vbr_id,
            bandwidth_mbps=migration.bandwidth_mbps,
            token=task.token(f"cap-{migration.bandwidth_mbps}"),
        )
    return None


def _noted(desk: Desk, task: Task, configuration: str) -> bool:
    """Keep the VBR's configuration as it was before anything was done; the first one counts. Whether it is kept."""
    for _ in range(MAX_ROUNDS):
        stored = desk.store.get(task.connection.connection_id)
        if stored is None or stored.connection.migration is None:
            return False
        connection, migration = stored.connection, stored.connection.migration
        if migration.before:
            return True
        noted = replace(connection, migration=replace(migration, before=configuration))
        save = save_of([conclude(connection, noted, task.policy)], version=stored.version, at=desk.clock.now())
        if desk.store.save([save])[0] is SaveOutcome.SAVED:
            return True
    return False


def _not_yet(task: Task) -> str | None:
    """What the attachment waits for, by the facts; None when its time has come."""
    connection, window = task.connection, task.policy.consistency_window
    port = connection.port
    if port is None or not port.confirmed or port.status.current != "Enabled":
        return "waiting:enabled"
    if suspension(connection, window) is not None:
        return "waiting:resumed"
    standing = [v.code for v in violations_of(connection, window) if v.subject == port.port_id]
    return f"waiting:violation:{standing[0]}" if standing else None


def _compared(desk: Desk, task: Task, read: VbrRead, port_id: str, attached: tuple[VbrObservation, ...]) -> Done:
    """Keep the VBR's configuration after the migration, and say what has changed, if anything has."""
    leased = task.leased
    again = read_port(
        port_id,
        cause="attached",
        account_id=task.connection.account_id,
        region=task.connection.region,
        after=read.date,
        connection_id=task.connection.connection_id,
    )
    ending = completion(leased, OutboxState.DONE)
    for _ in range(MAX_ROUNDS):
        stored = desk.store.get(task.connection.connection_id)
        if stored is None or stored.connection.migration is None or read.vbr is None:
            return desk.failed(leased, "no_migration")
        connection, noted = stored.connection, replace(stored.connection.migration, after=read.configuration)
        kept = conclude(connection, replace(connection, migration=noted), task.policy, findings=_findings(noted))
        seen = replace(read.vbr, at=read.date - task.policy.consistency_window)
        save = save_of(
            [kept, decide(kept.connection, (*attached, seen), task.policy)],
            version=stored.version,
            at=desk.clock.now(),
            outbox=(again,),
            completion=ending,
        )
        if desk.store.save([save])[0] is SaveOutcome.SAVED:
            return ending, True
    return desk.wait(leased, "contended")


def _findings(migration: Migration) -> tuple[Finding, ...]:
    if migration.untouched is not False:
        return ()
    details = {"before": json.loads(migration.before), "after": json.loads(migration.after)}
    return (Finding(code="migration_changed_vbr", subject=migration.vbr_id, details=details),)


def _read(desk: Desk, connection: Connection, migration: Migration) -> VbrRead:
    return desk.cloud().read_vbr(account_id=connection.account_id, region=connection.region, vbr_id=migration.vbr_id)


def _on_port(read: VbrRead, port_id: str) -> bool:
    return read.vbr is not None and read.vbr.port_id == port_id


def _known_on_port(connection: Connection, vbr_id: str) -> bool:
    return any(vbr.vbr_id == vbr_id and vbr.port_id.current == connection.port_id for vbr in connection.vbrs)
