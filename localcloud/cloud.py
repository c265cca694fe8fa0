"""The local cloud, put together: one loop, one listener for each service, the functions of ``s.yaml``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from localcloud.accounts import AccessKey, Directory
from localcloud.clock import Clock
from localcloud.eventbridge.buses import Buses
from localcloud.eventbridge.rules import FUNCTION, QUEUE, deliver_to_queue
from localcloud.eventbridge.wire import EventBridgeApplication
from localcloud.fc.instance import Identity
from localcloud.fc.runtime import Functions
from localcloud.fc.template import EventTrigger, FunctionDefinition, QueueTrigger, read_template
from localcloud.fc.triggers import Triggers, rule_of, rules_on
from localcloud.fc.wire import application as function_compute
from localcloud.journal import Journal
from localcloud.listener import Listener
from localcloud.mns.queue import QueueAttributes
from localcloud.mns.queues import Queues
from localcloud.mns.wire import MnsApplication
from localcloud.signing import Verifier
from localcloud.smtp import SmtpSink
from localcloud.vpc import Ids, Vpc
from localcloud.world import TENANT_BUS, World

#: Queues that Crossport uses without a trigger of its own.
_PLAIN_QUEUES = ("billing-records", "order-replies")
#: How often ``settle`` looks again, in seconds of real time.
_LOOK = 0.01


class NotQuietError(Exception):
    """The cloud did not come to rest: something is retried or runs for ever. The message says what."""


class LocalCloud:
    """VPC, MNS, EventBridge, Function Compute and a mail sink on loopback.

    ``checkout`` holds ``s.yaml`` and ``functions/``; ``injected`` is what the caller decides: the store's
    URL and the configuration's path. ``port`` 0 lets the system choose; otherwise the services take ``port`` and the
    ones after it, in the order VPC, Function Compute, MNS, EventBridge, mail.
    """

    def __init__(
        self,
        world: World,
        *,
        checkout: Path,
        clock_file: Path,
        injected: Mapping[str, str],
        start: datetime | None = None,
        port: int = 0,
        instance_limit: int = 20,
    ) -> None:
        self.world = world
        self.clock = Clock(clock_file, start)
        self.journal = Journal(self.clock)
        self.directory = Directory()
        self.keys: dict[str, AccessKey] = {a.name: self.directory.add(a) for a in (*world.partners, *world.tenants)}
        self.queues = Queues(self.journal)
        self.buses = Buses(self.journal, self.clock)
        self.vpc = Vpc(
            directory=self.directory,
            clock=self.clock,
            journal=self.journal,
            publish=self.buses.publish,
            ids=Ids(),
        )
        self.mail = SmtpSink(self.journal, port=port and port + 4)
        self._checkout = checkout
        self._injected = dict(injected)
        self._instance_limit = instance_limit
        self._functions: Functions | None = None
        self._function_application: Starlette | None = None
        self._triggers: Triggers | None = None
        region = world.region
        self.listeners = {
            "vpc": Listener(self.vpc.application, port),
            "mns": Listener(MnsApplication(self.queues, Verifier(self.directory)), port and port + 2),
            "eventbridge": Listener(
                EventBridgeApplication(self.buses, Verifier(self.directory), region), port and port + 3
            ),
        }
        self.listeners["fc"] = Listener(self._function_compute, port and port + 1)

    @property
    def functions(self) -> Functions:
        """The functions. Raises RuntimeError before ``start``."""
        if self._functions is None:
            raise RuntimeError("the local cloud has not been started")
        return self._functions

    @property
    def triggers(self) -> Triggers:
        """The triggers. Raises RuntimeError before ``start``."""
        if self._triggers is None:
            raise RuntimeError("the local cloud has not been started")
        return self._triggers

    async def start(self) -> None:
        """Plug everything in; returns when every service answers. Raises OSError for a port that is taken."""
        for listener in self.listeners.values():
            await listener.plug_in()
        await self.mail.start()
        self._install_circuits()
        definitions = read_template(
            self._checkout / "s.yaml", self._template_environment(), self.world.partner.account_id
        )
        self._create_queues(list(definitions.values()))
        self._functions = self._make_functions(list(definitions.values()))
        self._function_application = function_compute(self._functions, Verifier(self.directory))
        self._triggers = Triggers(
            self._functions,
            queues=self.queues,
            create_rule=rules_on(self.buses),
            clock=self.clock,
            journal=self.journal,
        )
        self._open_tenant_bus(list(definitions.values()))
        self.buses.serve(FUNCTION, self._triggers.deliver)
        self.buses.serve(QUEUE, deliver_to_queue(self.queues))
        self._triggers.start()

    async def stop(self) -> None:
        """End triggers, functions and listeners, in this order."""
        if self._triggers is not None:
            await self._triggers.stop()
        await self.buses.close()
        if self._functions is not None:
            await self._functions.stop()
        await self.mail.stop()
        for listener in self.listeners.values():
            await listener.unplug()

    async def advance(self, by: timedelta) -> None:
        """Move the cloud's time forward and start the timers that are due."""
        self.clock.advance(by)
        await self.triggers.clock_moved()

    async def settle(self, seconds: float = 60) -> None:
        """Return when no event is on its way, no queue with a trigger holds a message and no function runs.

        Raises NotQuietError after so many seconds of real time.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        calm = 0
        while calm < 2:  # twice: a function that has just ended may have sent a message
            restless = self._restless()
            calm = 0 if restless else calm + 1
            if restless and asyncio.get_running_loop().time() > deadline:
                raise NotQuietError(f"still at work after {seconds:.0f} s: {', '.join(restless)}")
            await asyncio.sleep(_LOOK)

    def environment(self) -> dict[str, str]:
        """What a client needs: endpoints, accounts and keys, by the names of the ``--env-file``."""
        lines = {
            "CROSSPORT_REGION": self.world.region,
            "CROSSPORT_VPC_ENDPOINT": self.listeners["vpc"].address,
            "CROSSPORT_FC_ENDPOINT": self.listeners["fc"].address,
            "CROSSPORT_MNS_ENDPOINT": f"http://{self.listeners['mns'].address}",
            "CROSSPORT_EVENTBRIDGE_ENDPOINT": self.listeners["eventbridge"].address,
            "CROSSPORT_SMTP_URL": f"smtp://{self.mail.address}",
            "CROSSPORT_DB": self._injected["CROSSPORT_DB"],
            "CROSSPORT_CONFIG": self._injected["CROSSPORT_CONFIG"],
            "CROSSPORT_CLOCK": str(self.clock.file),
            "CIRCUIT_ID": self.world.circuits[0].circuit_id,
        }
        for name, key in self.keys.items():
            lines[f"{name.upper()}_ACCOUNT_ID"] = key.account.account_id
            lines[f"{name.upper()}_ACCESS_KEY_ID"] = key.access_key_id
            lines[f"{name.upper()}_ACCESS_KEY_SECRET"] = key.access_key_secret
        return lines

    async def _function_compute(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Function Compute's endpoint: its address is part of the functions' environment, so it is open before them."""
        application = self._function_application or PlainTextResponse("starting", status_code=503)
        await application(scope, receive, send)

    # --- putting together -------------------------------------------------------------------------------------------

    def _install_circuits(self) -> None:
        for plan in self.world.circuits:
            self.vpc.add_circuit(
                plan.circuit_id,
                plan.account_id,
                plan.region,
                plan.bandwidth_mbps,
                access_point_id=plan.access_point,
                line_operator=plan.line_operator,
                name=plan.name,
            )
        for account_id in self.world.large_specs:
            self.vpc.approve_large_specs(account_id)

    def _template_environment(self) -> dict[str, str]:
        """What ``${env(...)}`` in s.yaml resolves to: this process's variables, then what is injected."""
        return {**os.environ, **self._function_environment(), "CROSSPORT_REGION": self.world.region}

    def _function_environment(self) -> dict[str, str]:
        return {
            **self._injected,
            "CROSSPORT_REGION": self.world.region,
            "CROSSPORT_VPC_ENDPOINT": self.listeners["vpc"].address,
            "CROSSPORT_FC_ENDPOINT": self.listeners["fc"].address,
            "CROSSPORT_MNS_ENDPOINT": f"http://{self.listeners['mns'].address}",
            "CROSSPORT_SMTP_URL": f"smtp://{self.mail.address}",
        }

    def _make_functions(self, definitions: list[FunctionDefinition]) -> Functions:
        key = self.keys[self.world.partner.name]
        return Functions(
            definitions,
            identity=Identity(
                account_id=key.account.account_id,
                access_key_id=key.access_key_id,
                access_key_secret=key.access_key_secret,
            ),
            clock=self.clock,
            journal=self.journal,
            send=self.queues.send,
            replaced=self._function_environment(),
            injected={"CROSSPORT_CLOCK": str(self.clock.file)},
            instance_limit=self._instance_limit,
            wait_at_limit=True,
        )

    def _create_queues(self, definitions: list[FunctionDefinition]) -> None:
        """Queues as a deployment makes them: a message stays hidden for longer than its function may run."""
        longest = {
            trigger.queue: definition.timeout + trigger.batch_seconds + 1
            for definition in definitions
            for trigger in definition.triggers
            if isinstance(trigger, QueueTrigger)
        }
        for name in (*sorted(longest), *_PLAIN_QUEUES):
            attributes = QueueAttributes(visibility_timeout=longest.get(name, 30))
            self.queues.create(self.world.partner.account_id, name, attributes)

    @staticmethod
    def _triggered(definitions: list[FunctionDefinition]) -> set[str]:
        return {t.queue for d in definitions for t in d.triggers if isinstance(t, QueueTrigger)}

    def _open_tenant_bus(self, definitions: list[FunctionDefinition]) -> None:
        """The custom bus for forwarded events and its rules: s.yaml cannot name a bus, so a deployment adds them."""
        account_id, region = self.world.partner.account_id, self.world.region
        self.buses.create_bus(account_id, region, TENANT_BUS)
        for definition in definitions:
            for trigger in definition.triggers:
                if isinstance(trigger, EventTrigger):
                    rule = rule_of(trigger, f"{definition.name}-forwarded", definition.name)
                    self.buses.create_rule(account_id, region, TENANT_BUS, rule)

    def _restless(self) -> list[str]:
        """What is still at work, in words."""
        restless = []
        if self.buses.under_way:
            restless.append(f"{self.buses.under_way} events on their way")
        if self.functions.busy():
            restless.append(f"{self.functions.busy()} invocations")
        if self.triggers.busy():
            restless.append(f"{self.triggers.busy()} messages in hand")
        account_id = self.world.partner.account_id
        for name in sorted(self._triggered(self.functions.definitions())):
            waiting = self.queues.depth(account_id, name).total
            if waiting:
                restless.append(f"{waiting} messages in queue {name}")
        return restless
