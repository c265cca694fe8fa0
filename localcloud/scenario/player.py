"""Plays a scenario step by step: moves the clock, acts, lets the cloud come to rest, and compares."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from localcloud.accounts import AccessKey
from localcloud.cloud import LocalCloud
from localcloud.eventbridge.patterns import Pattern
from localcloud.eventbridge.rules import BUS, DEFAULT_BUS, Rule, Target
from localcloud.operator import Operator
from localcloud.scenario.acts import UNREACHABLE, ActError, body_of, call_vpc, send_message
from localcloud.scenario.event_files import event_in
from localcloud.scenario.expectations import Missed, no_row, one_mail, one_row
from localcloud.scenario.model import Behind, Call, Expected, Forward, Invoke, Row, Scenario, Sent, Step
from localcloud.scenario.timeline import verdicts_of
from localcloud.vpc.settings import with_settings
from localcloud.world import TENANT_BUS

_VARIABLE = re.compile(r"\$([A-Z][A-Z0-9_]*)")
Listing = Literal["connections", "ledger", "notices", "events", "findings", "outbox"]
LISTINGS: tuple[Listing, ...] = ("connections", "ledger", "notices", "events", "findings", "outbox")


class StoryStopped(Exception):  # noqa: N818  # what happened, as a person would say it
    """A step could not be carried out or an expectation failed; the message says where and why."""


class Player:
    """Plays one scenario on a started local cloud. ``settings`` are switches that win over the scenario's own."""

    def __init__(
        self,
        scenario: Scenario,
        cloud: LocalCloud,
        operator: Operator,
        on_step: Callable[[int, int, str], None] = lambda *_: None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._scenario = scenario
        self._cloud = cloud
        self._operator = operator
        self._on_step = on_step
        self._settings = settings or {}
        #: What ``$NAME`` stands for: the env-file's names and what steps have kept.
        self.variables: dict[str, str] = cloud.environment()

    async def play(self) -> None:
        """Set the switches, play all steps. Raises StoryStopped at the first that does not go as told."""
        steps = self._scenario.steps
        for settings in (self._scenario.switches, self._settings):
            self._cloud.vpc.switches = with_settings(self._cloud.vpc.switches, settings)
        for number, step in enumerate(steps, start=1):
            self._on_step(number, len(steps), step.title)
            try:
                await self._step(step)
            except (ActError, Missed, ValueError, LookupError) as error:
                raise StoryStopped(
                    f"step {number} of {len(steps)}, {step.title!r}: {error}{self._unplugged()}"
                ) from error

    def _unplugged(self) -> str:
        """Which endpoints are out of reach: the first thing to know when a story stops."""
        out = [f"{name} at {one.address}" for name, one in self._cloud.listeners.items() if not one.plugged_in]
        return f" (unplugged: {', '.join(out)})" if out else ""

    async def _step(self, step: Step) -> None:
        await self._cloud.advance(step.after)
        await self._cloud.settle()
        await self._act(step)
        await self._cloud.settle()
        if step.expect is not None:
            await self._compare(step.expect)

    async def _act(self, step: Step) -> None:
        if step.crossport:
            await self._operator.run(*(self._filled(word) for word in step.crossport))
        elif step.send is not None:
            await self._send(step.send)
        elif step.invoke is not None:
            await self._invoke(step.invoke)
        elif step.call is not None:
            await self._call(step.call)
        elif step.forward is not None:
            self._forward(step.forward)
        elif step.behind is not None:
            self._behind(step.behind)
        elif step.unplug:
            await self._cloud.listeners[step.unplug].unplug()
        elif step.plug_in:
            await self._cloud.listeners[step.plug_in].plug_in()

    # --- acts -------------------------------------------------------------------------------------------------------

    async def _send(self, sent: Sent) -> None:
        body = body_of(self._filled(sent.body), self._filled(sent.raw))
        endpoint = f"http://{self._cloud.listeners['mns'].address}"
        key = self._key(self._cloud.world.partner.name)
        await asyncio.to_thread(send_message, key, endpoint, sent.queue, body)

    async def _invoke(self, invoke: Invoke) -> None:
        result = await self._cloud.functions.invoke(invoke.function, event_in(invoke.file))
        answer = result.payload.decode("utf-8", "replace")
        verdicts = [(v.get("verdict"), v.get("reason")) for v in verdicts_of(answer)]
        if [verdict for verdict, _ in verdicts] != invoke.gives:
            said = verdicts or answer
            raise Missed(f"{invoke.function} made of {invoke.file.name} {said}, not {invoke.gives}")

    async def _call(self, call: Call) -> None:
        parameters = self._filled(call.parameters)
        endpoint, region = self._cloud.listeners["vpc"].address, self._cloud.world.region
        try:
            answer = await asyncio.to_thread(call_vpc, self._key(call.actor), endpoint, region, call.action, parameters)
        except ActError as error:
            if call.fails_with and error.code == call.fails_with:
                return
            raise
        if call.fails_with:
            raise Missed(f"{call.action} should have failed with {call.fails_with}")
        for variable, field in call.keep.items():
            self.variables[variable] = str(answer[field])

    def _forward(self, forward: Forward) -> None:
        """What a tenant and the partner agree on: the rule on the tenant's bus, the trust on the partner's."""
        partner, tenant = self._cloud.world.partner, self._key(forward.source).account
        region = self._cloud.world.region
        self._cloud.buses.trust(partner.account_id, region, TENANT_BUS, tenant.account_id)
        pattern = Pattern({"source": ["acs.vpc"], "data": {"eventName": list(forward.events)}})
        target = Target(target_id="crossport", type=BUS, name=TENANT_BUS, account_id=partner.account_id, region=region)
        rule = Rule(name="forward-to-partner", pattern=pattern, targets=(target,))
        self._cloud.buses.create_rule(tenant.account_id, region, DEFAULT_BUS, rule)

    def _behind(self, behind: Behind) -> None:
        vpc = self._cloud.vpc
        acts: dict[str, Callable[[str], object]] = {
            "lock": vpc.lock,
            "unlock": vpc.unlock,
            "renew": vpc.renew,
            "pay_order": vpc.pay_order,
            "cancel_order": vpc.cancel_order,
            "take_privilege": lambda name: vpc.set_privilege(self._key(name).account.account_id, granted=False),
            "give_privilege": lambda name: vpc.set_privilege(self._key(name).account.account_id, granted=True),
            "take_balance": lambda name: vpc.set_balance(self._key(name).account.account_id, sufficient=False),
            "give_balance": lambda name: vpc.set_balance(self._key(name).account.account_id, sufficient=True),
        }
        for name, act in acts.items():
            if whom := getattr(behind, name):
                act(self._filled(whom))
        vpc.switches = with_settings(vpc.switches, behind.switches)
        for action, faults in behind.faults.items():
            vpc.faults.script(action, *faults)

    # --- expectations -----------------------------------------------------------------------------------------------

    async def _compare(self, expected: Expected) -> None:
        wanted: dict[Listing, list[Row]] = {name: getattr(expected, name) for name in LISTINGS}
        asked = [name for name in LISTINGS if wanted[name] or expected.absent.get(name)]
        listings = dict(zip(asked, await asyncio.gather(*(self._operator.rows(n) for n in asked)), strict=True))
        for name, rows in listings.items():
            for row in wanted[name]:
                self._keep(row, one_row(name, rows, self._filled_row(row)))
            for unwanted in expected.absent.get(name, []):
                no_row(name, rows, self._filled(unwanted))
        for mail in expected.mail:
            says = [str(self._filled(phrase)) for phrase in mail.says]
            one_mail(self._cloud.mail.messages(), mail.model_copy(update={"says": says}))
        for address in expected.no_mail:
            if self._cloud.mail.messages(to=address):
                raise Missed(f"{address} got a mail and should not have")
        for queue, count in expected.queues.items():
            held = self._cloud.queues.depth(self._cloud.world.partner.account_id, queue).total
            if held != count:
                raise Missed(f"queue {queue} holds {held} messages, not {count}")

    def _filled_row(self, row: Row) -> Row:
        return row.model_copy(update={"find": self._filled(row.find), "values": self._filled(row.values)})

    def _keep(self, row: Row, found: Mapping[str, Any]) -> None:
        for variable, field in row.keep.items():
            self.variables[variable] = str(found[field])

    # --- names ------------------------------------------------------------------------------------------------------

    def _key(self, actor: str) -> AccessKey:
        if actor not in self._cloud.keys:
            raise LookupError(f"there is no account {actor}; there are {sorted(self._cloud.keys)}")
        return self._cloud.keys[actor]

    def _filled(self, value: Any) -> Any:
        """The value with every ``$NAME`` in its texts replaced. Raises LookupError for a name nobody has set."""
        if isinstance(value, str):
            return _VARIABLE.sub(self._replacement, value)
        if isinstance(value, list):
            return [self._filled(one) for one in value]
        if isinstance(value, Mapping):
            return {name: self._filled(one) for name, one in value.items()}
        return value

    def _replacement(self, match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in self.variables:
            raise LookupError(f"nothing is known of ${name}")
        return self.variables[name]


__all__ = ["LISTINGS", "UNREACHABLE", "Player", "StoryStopped"]
