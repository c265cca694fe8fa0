"""Reading ``s.yaml``: expressions, templates, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.fc.template import (
    EventTrigger,
    FunctionDefinition,
    Hook,
    HttpTrigger,
    QueueTrigger,
    TemplateError,
    TimerTrigger,
    read_template,
)

DEAD_LETTERS = "acs:mns:us-east-1:1234567890:/queues/dead-letters"


def props(**changes: Any) -> dict[str, Any]:
    """The least that a function needs, with changes."""
    return {
        "functionName": "orders",
        "region": "us-east-1",
        "runtime": "python3.12",
        "code": "./build/functions/orders",
        "handler": "index.handler",
        **changes,
    }


def bridge(**changes: Any) -> dict[str, Any]:
    """A queue trigger, with changes of its triggerConfig."""
    config = {
        "triggerEnable": True,
        "asyncInvocationType": False,
        "eventRuleFilterPattern": "{}",
        "eventSourceConfig": {
            "eventSourceType": "MNS",
            "eventSourceParameters": {"sourceMNSParameters": {"QueueName": "orders", "IsBase64Decode": True}},
        },
        "runOptions": {
            "mode": "event-streaming",
            "errorsTolerance": "ALL",
            "retryStrategy": {"PushRetryStrategy": "EXPONENTIAL_DECAY_RETRY"},
            "deadLetterQueue": {"Arn": DEAD_LETTERS},
            "batchWindow": {"CountBasedWindow": 10, "TimeBasedWindow": 1},
        },
        **changes,
    }
    return {"triggerName": "queue", "triggerType": "eventbridge", "triggerConfig": config}


def timer(**changes: Any) -> dict[str, Any]:
    config = {"cronExpression": "@every 1m", "enable": True, **changes}
    return {"triggerName": "tick", "triggerType": "timer", "triggerConfig": config}


def read(
    folder: Path, resources: dict[str, Any], environment: dict[str, str] | None = None, **document: Any
) -> dict[str, FunctionDefinition]:
    file = folder / "s.yaml"
    file.write_text(yaml.safe_dump({"edition": "3.0.0", "name": "x", "resources": resources, **document}))
    return read_template(file, environment or {}, account_id="1234567890")


def one(folder: Path, **changes: Any) -> FunctionDefinition:
    return read(folder, {"orders": {"component": "fc3", "props": props(**changes)}})["orders"]


def test_a_function_with_what_function_compute_assumes(tmp_path: Path) -> None:
    function = one(tmp_path)
    assert (function.timeout, function.memory, function.cpu) == (3, 512, 0.35)
    assert function.initializer is None
    assert function.async_config.retries == 3
    assert function.code == tmp_path / "functions" / "orders"


def test_a_code_folder_that_is_not_built_is_used_as_it_is(tmp_path: Path) -> None:
    assert one(tmp_path, code="./code").code == tmp_path / "code"


def test_every_kind_of_trigger(tmp_path: Path) -> None:
    bus = bridge(eventRuleFilterPattern='{"source": ["acs.vpc"]}', eventSourceConfig={"eventSourceType": "Default"})
    del bus["triggerConfig"]["runOptions"]
    http = {
        "triggerName": "web",
        "triggerType": "http",
        "triggerConfig": {"authType": "anonymous", "methods": ["GET"]},
    }
    function = one(tmp_path, triggers=[timer(payload="p"), http, {**bus, "triggerName": "bus"}, bridge()])
    assert function.triggers == (
        TimerTrigger(name="tick", expression="@every 1m", payload="p", enabled=True),
        HttpTrigger(name="web", methods=("GET",), anonymous=True),
        EventTrigger(name="bus", pattern={"source": ["acs.vpc"]}, asynchronous=False, enabled=True),
        QueueTrigger(
            name="queue",
            queue="orders",
            decode_base64=True,
            streaming=True,
            raw_data=False,
            asynchronous=False,
            batch_size=10,
            batch_seconds=1,
            exponential=True,
            tolerant=True,
            dead_letter_queue="dead-letters",
            enabled=True,
        ),
    )


def test_hooks_and_destinations(tmp_path: Path) -> None:
    function = one(
        tmp_path,
        instanceLifecycleConfig={
            "initializer": {"handler": "index.initialize", "timeout": 30},
            "preStop": {"handler": "index.pre_stop", "timeout": 5},
        },
        asyncInvokeConfig={
            "asyncTask": True,
            "maxAsyncRetryAttempts": 0,
            "destinationConfig": {"onFailure": {"destination": f"{DEAD_LETTERS}/messages"}},
        },
    )
    assert function.initializer == Hook(handler="index.initialize", timeout=30)
    assert function.pre_stop == Hook(handler="index.pre_stop", timeout=5)
    assert function.async_config.on_failure == "dead-letters"
    assert function.async_config.on_success is None
    assert (function.async_config.task, function.async_config.retries) == (True, 0)


def test_expressions_and_templates(tmp_path: Path) -> None:
    functions = read(
        tmp_path,
        {
            "first": {
                "component": "fc3",
                "extend": {"name": "defaults"},
                "props": {
                    "functionName": "first",
                    "code": "./build/functions/first",
                    "environmentVariables": {"OWN": "${env('OWN', 'nothing')}", "BOTH": "mine"},
                },
            },
            "second": {
                "component": "fc3",
                "props": props(
                    functionName="second",
                    timeout="${resources.first.props.timeout}",
                    role="acs:ram::${config('AccountID')}:role/${vars.roles.worker}",
                ),
            },
        },
        {"SECRET": "s3"},
        vars={"region": "${env('REGION', 'us-east-1')}", "roles": {"worker": "w"}, "timeout": 17},
        template={
            "defaults": {
                "region": "${vars.region}",
                "runtime": "python3.12",
                "handler": "index.handler",
                "timeout": "${vars.timeout}",
                "environmentVariables": {"SHARED": "${env('SECRET')}", "BOTH": "theirs"},
            }
        },
    )
    assert functions["first"].region == "us-east-1"
    assert functions["first"].environment == {"SHARED": "s3", "OWN": "nothing", "BOTH": "mine"}
    assert functions["first"].timeout == functions["second"].timeout == 17
    assert functions["second"].role == "acs:ram::1234567890:role/w"


def test_secrets_stay_out_of_the_repr(tmp_path: Path) -> None:
    assert "hunter2" not in repr(one(tmp_path, environmentVariables={"PASSWORD": "hunter2"}))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"environmentVariable": {}}, "environmentVariable: Extra inputs"),
        ({"environmentVariables": {"A": 1}}, "environmentVariables.A: Input should be a valid string"),
        ({"runtime": "python3.11"}, "runtime"),
        ({"handler": "handler"}, "handler"),
        ({"timeout": "60"}, "timeout: Input should be a valid integer"),
        ({"timeout": 0}, "timeout"),
        ({"memorySize": 500}, "memorySize"),
        ({"cpu": 0.52}, "multiple of 0.05"),
        ({"cpu": 2.0}, "between 1:1 and 1:4"),
        ({"cpu": 0.05, "memorySize": 1024}, "between 1:1 and 1:4"),
        ({"instanceConcurrency": 10}, "instanceConcurrency"),
        ({"asyncInvokeConfig": {"maxAsyncEventAgeInSeconds": 604_801}}, "maxAsyncEventAgeInSeconds"),
        (
            {"asyncInvokeConfig": {"destinationConfig": {"onFailure": {"destination": "dead"}}}},
            "onFailure.destination",
        ),
        ({"instanceLifecycleConfig": {"initialiser": {"handler": "a.b"}}}, "initialiser"),
        ({"instanceLifecycleConfig": {"preStop": {"handler": "a.b", "timeout": 91}}}, "preStop.timeout"),
        ({"triggers": [{**timer(), "triggerType": "mns_queue"}]}, "mns_queue"),
        ({"triggers": [timer(cronExpresion="@every 1m")]}, "cronExpresion"),
        ({"triggers": [timer(cronExpression="0 0 4 * *")]}, "six fields"),
        ({"triggers": [timer(payload={"a": 1})]}, "payload"),
        ({"triggers": [timer(enable="true")]}, "enable"),
        ({"triggers": [timer(), timer()]}, "trigger names must differ"),
        ({"triggers": [bridge(eventRuleFilterPattern={})]}, "eventRuleFilterPattern"),
        ({"triggers": [bridge(eventRuleFilterPattern="{")]}, "is not JSON"),
        ({"triggers": [bridge(eventRuleFilterPattern="[]")]}, "must be a JSON object"),
        ({"triggers": [bridge(eventSourceConfig={"eventSourceType": "MNS"})]}, "needs sourceMNSParameters"),
        ({"triggers": [bridge(runOptions={"mode": "event-streaming", "BatchWindow": {}})]}, "BatchWindow"),
        (
            {"triggers": [bridge(runOptions={"mode": "event-streaming", "batchWindow": {"countBasedWindow": 1}})]},
            "countBasedWindow",
        ),
        (
            {"triggers": [bridge(runOptions={"mode": "event-driven", "batchWindow": {"CountBasedWindow": 2}})]},
            "without effect in event-driven mode",
        ),
        (
            {"triggers": [bridge(eventSinkConfig={"deliveryOption": {"mode": "event-streaming"}})]},
            "deliveryOption.mode",
        ),
        ({"triggers": [bridge()], "timeout": 301}, "300 s at most"),
    ],
)
def test_what_a_function_cannot_say(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TemplateError) as caught:
        one(tmp_path, **changes)
    assert complaint in str(caught.value)
    assert str(caught.value).startswith("resource orders: ")


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"queueName": "orders"}, "queueName"),
        ({"QueueName": 5}, "QueueName"),
        ({"QueueName": "orders", "IsBase64Decode": "true"}, "IsBase64Decode"),
        ({}, "QueueName: Field required"),
    ],
)
def test_the_case_of_queue_parameters_matters(tmp_path: Path, parameters: dict[str, Any], complaint: str) -> None:
    source = {"eventSourceType": "MNS", "eventSourceParameters": {"sourceMNSParameters": parameters}}
    with pytest.raises(TemplateError) as caught:
        one(tmp_path, triggers=[bridge(eventSourceConfig=source)])
    assert complaint in str(caught.value)


def test_the_default_bus_streams_nothing(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="event-driven mode only"):
        one(tmp_path, triggers=[bridge(eventSourceConfig={"eventSourceType": "Default"})])


def resource(**changes: Any) -> dict[str, Any]:
    return {"component": "fc3", "props": props(), **changes}


@pytest.mark.parametrize(
    ("resources", "document", "complaint"),
    [
        ({"a": resource(component="fc")}, {}, "component must be fc3"),
        ({"a": resource(actions={})}, {}, "unknown names: actions"),
        ({"a": resource(extend={"name": "nothing"})}, {}, "extend must be the name of a template"),
        ({"a": resource(), "b": resource()}, {}, "two functions are called orders"),
        ({"a": resource(props=props(region="${vars.nothing}"))}, {}, "names nothing"),
        ({"a": resource(props=props(region="${env('NOTHING')}"))}, {}, "NOTHING is not set"),
        ({"a": resource(props=props(region="${path('.')}"))}, {}, "unknown expression"),
        ({"a": resource(props=props(region="${vars.a}"))}, {"vars": {"a": "${vars.a}"}}, "refers to itself"),
        (
            {"a": resource(extend={"name": "t"}, props=props(tags=[{}]))},
            {"template": {"t": {"tags": [{}]}}},
            "a list stands in the template and in props",
        ),
        ({"a": resource()}, {"resource": {}}, "unknown names: resource"),
        ({"a": resource()}, {"edition": "1.0.0"}, "edition: 3.0.0"),
    ],
)
def test_what_the_file_cannot_say(
    tmp_path: Path, resources: dict[str, Any], document: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        read(tmp_path, resources, **document)
    assert complaint in str(caught.value)


def test_what_is_not_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("edition: [")
    with pytest.raises(TemplateError, match="is not YAML"):
        read_template(tmp_path / "s.yaml", {})


def test_an_error_does_not_repeat_the_value(tmp_path: Path) -> None:
    with pytest.raises(TemplateError) as caught:
        read(
            tmp_path,
            {"a": {"component": "fc3", "props": props(timeout="${env('SECRET')}")}},
            {"SECRET": "hunter2"},
        )
    assert "hunter2" not in str(caught.value)
