"""Bring back what was terminated: the port first, for a VBR is recovered only on an Enabled one."""

from __future__ import annotations

from crossport.application.commands.desk import Desk, Done, Task, completion
from crossport.application.errors import CloudCallError
from crossport.application.ports import CloudFailure, OutboxState
from crossport.domain.connection import Connection, Request
from crossport.domain.decide import decide
from crossport.domain.observation import Observation
from crossport.domain.phase import VBR_OFF, suspension
from crossport.domain.recovery import LOCKS

_BLOCKED = "recover_blocked"


def recover(desk: Desk, task: Task) -> Done:
    """Read, recover what the read shows terminated, and look again until nothing is suspended any more.

    Both calls are asynchronous. A refusal for good ends the command as ``recover_blocked`` with the cloud's code, such
    as that of a VLAN ID that was lost meanwhile; a lock ends it likewise, for no call lifts it.
    """
    leased, connection = task.leased, task.connection
    cause = leased.row.payload.get("cause")
    request = next((request for request in connection.requests if request.request_id == cause), None)
    if request is None or connection.port_id is None:
        return desk.failed(leased, "no_such_request")
    read, seen = desk.read(task)
    if read.port is None:
        return desk.observed(leased, connection, seen, completion(leased, OutboxState.DROPPED, "port_not_found"))
    after = decide(connection, seen, task.policy).connection
    found = suspension(after, task.policy.consistency_window)
    if found is None and read.date - task.policy.consistency_window >= request.at:
        return desk.observed(leased, connection, seen, completion(leased, OutboxState.DONE))
    if found is not None and found.reason in LOCKS:
        ending = completion(leased, OutboxState.FAILED, f"{_BLOCKED}:{found.reason}")
        return desk.observed(leased, connection, seen, ending)
    try:
        _call(desk, task, request, read.port.status, after)
    except CloudCallError as error:
        if error.failure is not CloudFailure.PERMANENT:
            raise
        ending = completion(leased, OutboxState.FAILED, f"{_BLOCKED}:{error.cloud_code}")
        return desk.observed(leased, connection, seen, ending)
    return _again(desk, task, seen)


def _call(desk: Desk, task: Task, request: Request, status: str | None, connection: Connection) -> None:
    """The one call that is due now, or none."""
    place = {"account_id": connection.account_id, "region": connection.region}
    vbr = connection.accepted_vbr(task.policy.consistency_window)
    if status == "Terminated":
        token = task.token(f"recover-{request.request_id}")
        desk.cloud().recover_port(**place, port_id=connection.port_id or "", token=token)
    elif status == "Enabled" and vbr is not None and vbr.status.current == VBR_OFF:
        token = task.token(f"recover-{vbr.vbr_id}-{request.request_id}")
        desk.cloud().recover_vbr(**place, vbr_id=vbr.vbr_id, token=token)


def _again(desk: Desk, task: Task, seen: tuple[Observation, ...]) -> Done:
    ending, _ = desk.wait(task.leased, "waiting:recovered")
    return desk.observed(task.leased, task.connection, seen, ending)
