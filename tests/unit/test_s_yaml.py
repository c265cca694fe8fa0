"""``s.yaml`` says what the design says, and hangs together with the rest of the checkout."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossport.application.actiontrail import FOLLOWED
from crossport.domain.sweep import SLOT, WORKING_TIME
from crossport.entrypoints.letters import READERS, letter_of
from localcloud.eventbridge.patterns import Pattern
from localcloud.fc.schema import STREAM_TIMEOUT_LIMIT
from localcloud.fc.template import EventTrigger, FunctionDefinition, QueueTrigger, TimerTrigger, read_template

CHECKOUT = Path(__file__).parents[2]
FILE = CHECKOUT / "s.yaml"
DATABASE = "postgresql://crossport:hunter2@db/crossport"
ENVIRONMENT = {"CROSSPORT_DB": DATABASE, "CROSSPORT_SMTP_URL": "smtp://mail:hunter2@mail:25"}
FUNCTIONS = read_template(FILE, ENVIRONMENT, account_id="1234567890123456")
NAMES = sorted(FUNCTIONS)

PORT_CALLS = [
    "CreateVirtualPhysicalConnection",
    "UpdateVirtualPhysicalConnection",
    "CreateVpconnFromVbr",
    "ConfirmPhysicalConnection",
    "CreatePhysicalConnectionOccupancyOrder",
    "TerminatePhysicalConnection",
    "DeletePhysicalConnection",
    "CancelPhysicalConnection",
    "RecoverPhysicalConnection",
    "EnablePhysicalConnection",
]
VBR_CALLS = [
    "CreateVirtualBorderRouter",
    "AttachVbrToVpconn",
    "ModifyVirtualBorderRouterAttribute",
    "UpdateVirtualBorderBandwidth",
    "DeleteVirtualBorderRouter",
    "TerminateVirtualBorderRouter",
    "RecoverVirtualBorderRouter",
]


@pytest.fixture(params=NAMES)
def function(request: pytest.FixtureRequest) -> FunctionDefinition:
    return FUNCTIONS[request.param]


def queues(function: FunctionDefinition) -> list[QueueTrigger]:
    return [trigger for trigger in function.triggers if isinstance(trigger, QueueTrigger)]


def timers(function: FunctionDefinition) -> list[str]:
    return [trigger.expression for trigger in function.triggers if isinstance(trigger, TimerTrigger)]


def pattern(name: str) -> Pattern:
    (trigger,) = (t for t in FUNCTIONS[name].triggers if isinstance(t, EventTrigger))
    return Pattern(trigger.pattern)


def test_the_functions_are_those_of_the_design() -> None:
    assert NAMES == [
        "billing",
        "dead_letters",
        "deadlines",
        "notices",
        "orders",
        "port_events",
        "reconcile",
        "relay",
        "vbr_events",
    ]


def test_every_function_runs_on_3_12_with_its_hooks(function: FunctionDefinition) -> None:
    assert (function.runtime, function.handler) == ("python3.12", "index.handler")
    assert function.initializer is not None
    assert function.initializer.handler == "index.initialize"
    assert function.role.startswith("acs:ram::1234567890123456:role/")


def test_every_function_has_its_folder_with_the_named_handlers(function: FunctionDefinition) -> None:
    assert function.code == CHECKOUT / "functions" / function.name
    tree = ast.parse((function.code / "index.py").read_text(encoding="utf-8"))
    assert function.initializer is not None
    assert function.pre_stop is not None
    hooks = {function.handler, function.initializer.handler, function.pre_stop.handler}
    assert {hook.removeprefix("index.") for hook in hooks} <= set(defined(tree))


def defined(tree: ast.Module) -> Iterator[str]:
    """The names that a module's top level defines."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            names = (name for target in node.targets for name in ast.walk(target))
            yield from (name.id for name in names if isinstance(name, ast.Name))


def test_what_a_function_says_it_needs_is_in_its_environment(function: FunctionDefinition) -> None:
    tree = ast.parse((function.code / "index.py").read_text(encoding="utf-8"))
    keywords = [keyword for node in ast.walk(tree) if isinstance(node, ast.Call) for keyword in node.keywords]
    given = {k.arg: ast.literal_eval(k.value) for k in keywords if k.arg in {"needs", "pokes"}}
    needs = {name for name in given.get("needs", ()) if not name.startswith("FC_")}
    if given.get("pokes"):
        needs.add("CROSSPORT_MNS_ENDPOINT")
    assert needs <= set(function.environment)


def test_every_folder_with_a_handler_is_deployed() -> None:
    folders = {index.parent.name for index in (CHECKOUT / "functions").glob("*/index.py")}
    assert folders <= set(NAMES)


def test_the_package_is_built_where_s_yaml_looks_for_it() -> None:
    for key, resource in document()["resources"].items():
        assert resource["props"]["functionName"] == key
        assert resource["props"]["code"] == f"./build/functions/{key}"


def test_nothing_is_left_to_a_default_that_is_too_small(function: FunctionDefinition) -> None:
    # 3 s is shorter than a cold start; a smaller share of a core makes it longer still.
    behind_events = any(isinstance(trigger, QueueTrigger | EventTrigger) for trigger in function.triggers)
    assert 60 <= function.timeout <= (STREAM_TIMEOUT_LIMIT if behind_events else SLOT.total_seconds())
    assert function.cpu >= 0.5
    assert function.initializer is not None
    assert function.initializer.timeout >= 30


def test_the_eventbridge_trigger_stands_last() -> None:
    # The fc3 component stops at an unchanged eventbridge trigger and leaves out what follows it.
    for key, resource in document()["resources"].items():
        types = [trigger["triggerType"] for trigger in resource["props"]["triggers"]]
        assert types.count("eventbridge") <= 1, key
        assert "eventbridge" not in types[:-1], key


@pytest.mark.parametrize(
    ("name", "queue"), [("orders", "orders"), ("relay", "outbox"), ("notices", "notices"), ("billing", "usage")]
)
def test_queue_triggers_lose_nothing_and_are_blocked_by_nothing(name: str, queue: str) -> None:
    (trigger,) = queues(FUNCTIONS[name])
    assert trigger.queue == queue
    assert trigger.streaming
    assert trigger.decode_base64
    assert trigger.tolerant
    assert trigger.exponential
    assert trigger.dead_letter_queue == "dead-letters"
    assert not trigger.asynchronous
    assert not trigger.raw_data
    assert (trigger.batch_size, trigger.batch_seconds) in {(10, 0), (10, 1)}
    assert trigger.enabled


def test_no_queue_has_two_readers() -> None:
    read = [trigger.queue for function in FUNCTIONS.values() for trigger in queues(function)]
    assert len(set(read)) == len(read)


def test_every_trigger_and_every_function_has_a_destination_for_what_it_gives_up(function: FunctionDefinition) -> None:
    # Timers and HTTP requests call the function asynchronously or have somebody waiting.
    pushed = [trigger for trigger in function.triggers if isinstance(trigger, EventTrigger | QueueTrigger)]
    assert {trigger.dead_letter_queue for trigger in pushed} <= {"dead-letters"}
    assert function.async_config.on_failure == "dead-letters"


def test_no_dead_letter_is_given_up_or_changed_on_its_way() -> None:
    (trigger,) = queues(FUNCTIONS["dead_letters"])
    assert trigger.queue == "dead-letters"
    assert trigger.streaming
    assert not trigger.tolerant
    assert not trigger.decode_base64
    assert not trigger.raw_data


def test_dead_letters_know_who_reads_which_queue_and_which_call_is_whose() -> None:
    read = {trigger.queue: name for name, function in FUNCTIONS.items() for trigger in queues(function)}
    del read["dead-letters"]
    assert read == READERS
    for name in ("port_events", "vbr_events"):
        for call in sorted(FOLLOWED):
            event = action_trail(call, aliyunaccountid="1")
            letter = letter_of(json.dumps(event).encode(), datetime(2026, 3, 2, tzinfo=UTC))
            assert pattern(name).matches(event) is (letter.function == name), call


def test_queues_lie_in_the_region_and_account_of_the_functions() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert "us-east-1" in text
    functions = read_template(FILE, ENVIRONMENT | {"CROSSPORT_REGION": "cn-hangzhou"}, account_id="7")
    assert {function.region for function in functions.values()} == {"cn-hangzhou"}
    assert functions["relay"].environment["CROSSPORT_VPC_ENDPOINT"] == "vpc.cn-hangzhou.aliyuncs.com"
    assert functions["relay"].environment["CROSSPORT_MNS_ENDPOINT"] == "https://7.mns.cn-hangzhou.aliyuncs.com"


def test_failed_asynchronous_invocations_have_somewhere_to_go(function: FunctionDefinition) -> None:
    assert function.async_config.on_failure == "dead-letters"
    assert function.async_config.max_age <= 604_800


def test_timers() -> None:
    assert {name: timers(FUNCTIONS[name]) for name in NAMES if timers(FUNCTIONS[name])} == {
        "reconcile": ["0 */10 * * * *"],
        "relay": ["@every 1m"],
        "billing": ["CRON_TZ=Asia/Shanghai 0 10 0 * * *"],
        "deadlines": ["0 2 * * * *"],
    }


ROLES = {"relay": "crossport-relay", "reconcile": "crossport-reconcile"}


def test_only_relay_and_reconcile_may_and_can_call_the_vpc_api(function: FunctionDefinition) -> None:
    assert ("CROSSPORT_VPC_ENDPOINT" in function.environment) is (function.name in ROLES)
    assert function.role.endswith(f"role/{ROLES.get(function.name, 'crossport-function')}")


def test_shards_of_reconcile_are_tasks_of_one_slot() -> None:
    function = FUNCTIONS["reconcile"]
    assert function.async_config.task
    assert not any(other.async_config.task for name, other in FUNCTIONS.items() if name != "reconcile")
    # A shard has ended when the next tick looks for what is left, and is not kept beyond its slot.
    assert WORKING_TIME.total_seconds() < function.timeout < SLOT.total_seconds()
    assert function.async_config.max_age <= SLOT.total_seconds()
    assert function.environment["CROSSPORT_FC_ENDPOINT"] == "fcv3.us-east-1.aliyuncs.com"


def test_every_function_knows_its_store_its_region_and_its_queues(function: FunctionDefinition) -> None:
    assert function.environment["CROSSPORT_DB"] == DATABASE
    assert function.environment["CROSSPORT_REGION"] == "us-east-1"
    assert function.environment["CROSSPORT_MNS_ENDPOINT"].startswith("https://1234567890123456.mns.")
    for name in ("CROSSPORT_SMTP_URL", "CROSSPORT_MAIL_FROM"):
        assert (name in function.environment) is (function.name == "notices")


@pytest.mark.parametrize("missing", sorted(ENVIRONMENT))
def test_secrets_come_from_the_environment_and_have_no_default(missing: str) -> None:
    with pytest.raises(ValueError, match=f"{missing} is not set and has no default"):
        read_template(FILE, {name: value for name, value in ENVIRONMENT.items() if name != missing})


def action_trail(event_name: str, **changes: Any) -> dict[str, Any]:
    event = {
        "id": "1",
        "source": "acs.vpc",
        "specversion": "1.0",
        "type": "vpc:ActionTrail:ApiCall",
        "data": {"eventName": event_name, "eventRW": "Write"},
    }
    return event | changes


@pytest.mark.parametrize(("name", "calls"), [("port_events", PORT_CALLS), ("vbr_events", VBR_CALLS)])
@pytest.mark.parametrize("source", ["acs.vpc", "acs:vpc"])
@pytest.mark.parametrize("kind", ["ApiCall", "ConsoleOperation"])
def test_events_reach_exactly_one_function(name: str, calls: list[str], source: str, kind: str) -> None:
    other = "vbr_events" if name == "port_events" else "port_events"
    for call in calls:
        event = action_trail(call, source=source, type=f"vpc:ActionTrail:{kind}")
        assert pattern(name).matches(event), call
        assert not pattern(other).matches(event), call


@pytest.mark.parametrize(
    "event",
    [
        action_trail("CreateVpc"),
        action_trail(PORT_CALLS[0], source="acs.ecs"),
        action_trail(PORT_CALLS[0], type="vpc:ActionTrail:AliyunServiceEvent"),
        action_trail(PORT_CALLS[0], type="vpc:Config:NonCompliantNotification"),
        action_trail(VBR_CALLS[0], data={}),
    ],
)
def test_other_events_reach_none(event: dict[str, Any]) -> None:
    assert not pattern("port_events").matches(event)
    assert not pattern("vbr_events").matches(event)


def test_trigger_configs_are_the_sdks_own() -> None:
    """A round trip through the official model drops names that it does not know: equality means no misspelling."""
    from alibabacloud_fc20230330 import models

    kinds = {"eventbridge": models.EventBridgeTriggerConfig, "timer": models.TimerTriggerConfig}
    for key, resource in document()["resources"].items():
        for trigger in resource["props"]["triggers"]:
            config = trigger["triggerConfig"]
            model = kinds[trigger["triggerType"]]()
            model.from_map(config)
            assert json.loads(json.dumps(model.to_map())) == config, key


def document() -> dict[str, Any]:
    loaded = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded
