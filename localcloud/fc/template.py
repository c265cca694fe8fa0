"""Reads ``s.yaml`` (Serverless Devs, edition 3.0.0) and says which functions there are.

The file that deploys to the cloud is the file that the local cloud runs; nothing is configured twice. Played
of the engine: ``vars``, ``template`` with ``extend``, and the expressions ``${vars.x.y}``,
``${env('NAME', 'default')}``, ``${config('AccountID')}`` and ``${resources.name.props.x}``. Any other
expression is an error, not text.

One difference is deliberate: ``code`` names the built package, ``./build/functions/<name>``, and the local
cloud runs the source that it is built from, ``functions/<name>`` of the checkout. A run needs no build.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from localcloud.fc import schema

_EXPRESSION = re.compile(r"\$\{\s*([^}]*?)\s*\}")
_CALL = re.compile(r"(env|config)\(\s*'([^']*)'\s*(?:,\s*'([^']*)'\s*)?\)")
_TOP_LEVEL = {"edition", "name", "access", "vars", "template", "resources"}
_RESOURCE = {"component", "extend", "props"}


class TemplateError(ValueError):
    """``s.yaml`` says something that cannot be; the sentence names the place."""


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A lifecycle hook: ``module.function`` and its timeout in seconds."""

    handler: str
    timeout: int


@dataclass(frozen=True, kw_only=True)
class TimerTrigger:
    """Fires by the clock; ``expression`` is valid."""

    name: str
    expression: str
    payload: str
    enabled: bool


@dataclass(frozen=True, kw_only=True)
class QueueTrigger:
    """Reads an MNS queue and pushes its messages.

    ``streaming``: an array of events in batches of at most ``batch_size``, or what came within
    ``batch_seconds`` of the first; otherwise one object each. ``exponential``: 176 retries over a day instead
    of 3. ``tolerant``: after the retries the batch goes to ``dead_letter_queue``, or nowhere without one;
    intolerant, it blocks the stream.
    """

    name: str
    queue: str
    decode_base64: bool
    streaming: bool
    raw_data: bool
    asynchronous: bool
    batch_size: int
    batch_seconds: int
    exponential: bool
    tolerant: bool
    dead_letter_queue: str | None
    enabled: bool


@dataclass(frozen=True, kw_only=True)
class EventTrigger:
    """Takes the events of the default bus that match ``pattern``, one object each.

    What cannot be delivered goes to ``dead_letter_queue``, or nowhere without one.
    """

    name: str
    pattern: Mapping[str, Any]
    asynchronous: bool
    enabled: bool
    dead_letter_queue: str | None = None


@dataclass(frozen=True, kw_only=True)
class HttpTrigger:
    """Takes HTTP requests of these methods."""

    name: str
    methods: tuple[str, ...]
    anonymous: bool


Trigger = TimerTrigger | QueueTrigger | EventTrigger | HttpTrigger


@dataclass(frozen=True, kw_only=True)
class AsyncConfig:
    """Asynchronous invocations: retries after the first attempt, age limit in seconds, destination queues.

    ``task``: a task id may be given and is remembered.
    """

    task: bool = False
    retries: int = 3
    max_age: int = 86_400
    on_success: str | None = None
    on_failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class FunctionDefinition:
    """One function. ``timeout`` is in seconds, ``memory`` in MB, ``cpu`` in vCPU.

    ``environment`` is out of the repr: values may be secrets.
    """

    name: str
    region: str
    runtime: str
    handler: str
    code: Path
    timeout: int = 3
    memory: int = 512
    cpu: float = 0.35
    role: str = ""
    description: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    initializer: Hook | None = None
    pre_stop: Hook | None = None
    triggers: tuple[Trigger, ...] = ()
    async_config: AsyncConfig = field(default_factory=AsyncConfig)
    instance_limit: int | None = None


def read_template(file: Path, environment: Mapping[str, str], account_id: str = "") -> dict[str, FunctionDefinition]:
    """The functions of an ``s.yaml``, by name, in the order of the file.

    ``environment`` is what ``${env(...)}`` sees; the process's own environment never leaks in. Raises
    TemplateError: not YAML, an unknown name or expression, an environment variable that is not set and has
    no default, two functions of one name.
    """
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise TemplateError(f"{file.name} is not YAML: {error}") from None
    if not isinstance(document, dict) or str(document.get("edition")) != "3.0.0":
        raise TemplateError(f"{file.name} must be a mapping with edition: 3.0.0")
    _refuse_unknown(document, _TOP_LEVEL, file.name)
    if not isinstance(document.get("resources"), dict):
        raise TemplateError(f"{file.name} has no resources")
    resolver = _Resolver(document, environment, account_id)
    definitions: dict[str, FunctionDefinition] = {}
    for key in document["resources"]:
        try:
            props = schema.FunctionProps.model_validate(resolver.props(key))
        except ValidationError as error:
            # Without the input, which may be a secret out of the environment.
            raise TemplateError(f"resource {key}: {_sentences(error)}") from None
        if props.function_name in definitions:
            raise TemplateError(f"two functions are called {props.function_name}")
        definitions[props.function_name] = _definition(props, file.parent)
    return definitions


class _Resolver:
    """Templates and expressions of one document."""

    def __init__(self, document: Mapping[str, Any], environment: Mapping[str, str], account_id: str) -> None:
        self._document = document
        self._environment = environment
        self._account_id = account_id
        self._open: list[str] = []

    def props(self, key: str) -> dict[str, Any]:
        """The complete props of a resource."""
        resource = self._document["resources"].get(key)
        if not isinstance(resource, dict):
            raise TemplateError(f"no resource {key}")
        _refuse_unknown(resource, _RESOURCE, f"resource {key}")
        if resource.get("component") != "fc3":
            raise TemplateError(f"resource {key}: the component must be fc3")
        props = resource.get("props") or {}
        extend = resource.get("extend")
        if extend is not None:
            templates = self._document.get("template") or {}
            if not isinstance(extend, dict) or set(extend) != {"name"} or extend["name"] not in templates:
                raise TemplateError(f"resource {key}: extend must be the name of a template")
            props = _merged(templates[extend["name"]], props, f"resource {key}")
        return {name: self._resolved(value) for name, value in props.items()}

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._resolved(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._resolved(inner) for inner in value]
        if not isinstance(value, str):
            return value
        whole = _EXPRESSION.fullmatch(value)
        if whole is not None:  # alone, an expression keeps the type of what it names
            return self._value(whole[1])
        return _EXPRESSION.sub(lambda match: str(self._value(match[1])), value)

    def _value(self, expression: str) -> Any:
        call = _CALL.fullmatch(expression)
        if call is not None:
            return self._called(*call.groups())
        if expression in self._open:
            raise TemplateError(f"${{{expression}}} refers to itself")
        self._open.append(expression)
        try:
            match expression.split("."):
                case ["vars", *path]:
                    return self._resolved(_walk(self._document.get("vars"), path, expression))
                case ["resources", key, "props", *path]:
                    return _walk(self.props(key), path, expression)
            raise TemplateError(f"unknown expression ${{{expression}}}")
        finally:
            self._open.pop()

    def _called(self, function: str, argument: str, default: str | None) -> str:
        if function == "config":
            if argument != "AccountID":
                raise TemplateError(f"unknown expression ${{config('{argument}')}}")
            return self._account_id
        value = self._environment.get(argument, default)
        if value is None:
            raise TemplateError(f"the environment variable {argument} is not set and has no default")
        return value


def _walk(value: Any, path: list[str], expression: str) -> Any:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            raise TemplateError(f"${{{expression}}} names nothing")
        value = value[name]
    return value


def _merged(below: Any, above: Any, place: str) -> Any:
    """Mappings merge deeply. Lists in both are refused: the engine merges them by index, never what is meant."""
    if isinstance(below, dict) and isinstance(above, dict):
        both = {name: _merged(below[name], above[name], place) for name in below.keys() & above.keys()}
        return {**below, **above, **both}
    if isinstance(below, list) and isinstance(above, list):
        raise TemplateError(f"{place}: a list stands in the template and in props")
    return above


def _refuse_unknown(mapping: Mapping[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(set(mapping) - known)
    if unknown:
        raise TemplateError(f"{place}: unknown names: {', '.join(map(str, unknown))}")


def _sentences(error: ValidationError) -> str:
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)


def _definition(props: schema.FunctionProps, checkout: Path) -> FunctionDefinition:
    hooks = props.instance_lifecycle_config
    concurrency = props.concurrency_config
    return FunctionDefinition(
        name=props.function_name,
        region=props.region,
        runtime=props.runtime,
        handler=props.handler,
        code=_source_folder(checkout, props.code),
        timeout=props.timeout,
        memory=props.memory_size,
        cpu=props.cpu,
        role=props.role,
        description=props.description,
        environment=props.environment_variables,
        initializer=_hook(hooks.initializer),
        pre_stop=_hook(hooks.pre_stop),
        triggers=tuple(_trigger(trigger) for trigger in props.triggers),
        async_config=_async_config(props.async_invoke_config),
        instance_limit=None if concurrency is None else concurrency.reserved_concurrency,
    )


def _source_folder(checkout: Path, code: str) -> Path:
    parts = Path(code).parts
    return (checkout / Path(*(parts[1:] if parts[:1] == ("build",) else parts))).resolve()


def _hook(hook: schema.Initializer | schema.PreStop | None) -> Hook | None:
    return None if hook is None else Hook(handler=hook.handler, timeout=hook.timeout)


def _async_config(config: schema.AsyncInvokeConfig) -> AsyncConfig:
    def queue(destination: schema.Destination | None) -> str | None:
        return None if destination is None else destination.destination.split("/")[2]

    return AsyncConfig(
        task=config.async_task,
        retries=config.max_async_retry_attempts,
        max_age=config.max_async_event_age_in_seconds,
        on_success=queue(config.destination_config.on_success),
        on_failure=queue(config.destination_config.on_failure),
    )


def _trigger(trigger: schema.TimerTrigger | schema.HttpTrigger | schema.EventBridgeTrigger) -> Trigger:
    name = trigger.trigger_name
    if isinstance(trigger, schema.TimerTrigger):
        timer = trigger.trigger_config
        return TimerTrigger(name=name, expression=timer.cron_expression, payload=timer.payload, enabled=timer.enable)
    if isinstance(trigger, schema.HttpTrigger):
        http = trigger.trigger_config
        return HttpTrigger(name=name, methods=tuple(http.methods), anonymous=http.auth_type == "anonymous")
    config = trigger.trigger_config
    queue = config.event_source_config.event_source_parameters.source_mns_parameters
    options = config.run_options
    dead_letters = None if options.dead_letter_queue is None else options.dead_letter_queue.arn.rsplit("/", 1)[1]
    if queue is None:
        return EventTrigger(
            name=name,
            pattern=json.loads(config.event_rule_filter_pattern),
            asynchronous=config.async_invocation_type,
            enabled=config.trigger_enable,
            dead_letter_queue=dead_letters,
        )
    return QueueTrigger(
        name=name,
        queue=queue.queue_name,
        decode_base64=queue.is_base64_decode,
        streaming=options.mode == "event-streaming",
        raw_data=config.event_sink_config.delivery_option.event_schema == "RawData",
        asynchronous=config.async_invocation_type,
        batch_size=options.batch_window.count_based_window,
        batch_seconds=options.batch_window.time_based_window,
        exponential=options.retry_strategy.push_retry_strategy == "EXPONENTIAL_DECAY_RETRY",
        tolerant=options.errors_tolerance == "ALL",
        dead_letter_queue=dead_letters,
        enabled=config.trigger_enable,
    )
