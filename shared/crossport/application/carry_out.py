"""Cloud commands to their modules: which command is carried out where, and what a refusal for good means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from crossport.application.commands.change import claim_hold, hold_port, settle_hold, update_port
from crossport.application.commands.create import create_port, provisioning_failed
from crossport.application.commands.desk import Desk, Done, Task, completion, put_off
from crossport.application.commands.endings import end_port, release_hold, withdraw_port
from crossport.application.commands.find import find_vbr
from crossport.application.commands.groups import check_group, join_group
from crossport.application.commands.migrate import attach_vbr, convert_vbr
from crossport.application.commands.pay import pay_port
from crossport.application.commands.read import read_port
from crossport.application.commands.recover import recover
from crossport.application.commit import effect_of
from crossport.application.errors import CloudCallError
from crossport.application.maintaining import held_back
from crossport.application.ports import Clock, Cloud, LeasedRow, OutboxState, Policies, Store
from crossport.domain.connection import Refusal
from crossport.domain.effects import moot, too_early

#: Commands that may be about what no connection has yet.
_LOOKS: dict[str, Callable[[Desk, LeasedRow], Done]] = {"read_port": read_port, "find_vbr": find_vbr}
#: Command kind to what carries it out, for a connection.
COMMANDS: dict[str, Callable[[Desk, Task], Done]] = {
    "create_port": create_port,
    "convert_vbr": convert_vbr,
    "attach_vbr": attach_vbr,
    "pay_port": pay_port,
    "update_port": update_port,
    "settle_hold": settle_hold,
    "recover": recover,
    "claim_hold": claim_hold,
    "hold_port": hold_port,
    "withdraw_port": withdraw_port,
    "end_port": end_port,
    "release_hold": release_hold,
    "join_group": join_group,
    "check_group": check_group,
}
#: Commands whose refusal for good ends the provisioning of their connection.
_PROVISIONING = frozenset({"create_port", "convert_vbr"})


class Carrier:
    """Carries out cloud commands. ``carry_out`` raises CloudCallError; the relay decides what follows from it."""

    def __init__(self, *, store: Store, cloud: Callable[[], Cloud], policies: Policies, clock: Clock) -> None:
        self._desk = Desk(store, cloud, policies, clock)

    def carry_out(self, leased: LeasedRow) -> Done:
        """One command to its end: the completion, and whether a save has written it already."""
        desk = self._desk
        look = _LOOKS.get(leased.row.kind)
        if look is not None:
            return look(desk, leased)
        carry_out = COMMANDS.get(leased.row.kind)
        if carry_out is None:
            return desk.failed(leased, "unknown_command")
        stored = desk.store.get(leased.row.connection_id or "")
        if stored is None:
            return desk.failed(leased, "no_connection")
        policy = desk.policies.of(stored.connection.account_id)
        effect = effect_of(leased.row)
        dropped = moot(effect, stored.connection, policy)
        if dropped is not None:
            return desk.dropped(leased, dropped)
        early = too_early(effect, stored.connection, policy)
        if early is not None:
            now, longest = desk.clock.now(), policy.longest_wait
            return put_off(leased, early, now, seen=stored.version, longest=longest), False
        waiting = held_back(desk.store, leased, effect, stored.connection, desk.clock.now())
        if waiting is not None:
            return waiting, False
        ending, written = carry_out(desk, Task(leased, stored, policy))
        if not written and ending.reason.startswith("waiting:"):
            ending = replace(ending, seen=stored.version)
        return ending, written

    def give_up(self, leased: LeasedRow, error: CloudCallError) -> Done:
        """The cloud refused for good: a port that cannot be made is a connection that has failed."""
        ending = completion(leased, OutboxState.FAILED, f"{error.failure}:{error.cloud_code}")
        if leased.row.kind not in _PROVISIONING or leased.row.connection_id is None:
            return ending, False
        failure = Refusal(code="cloud_refused", message=error.message, subject=error.cloud_code)
        return provisioning_failed(self._desk, leased, failure, ending)
