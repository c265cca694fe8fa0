"""What one ``fc3`` resource of ``s.yaml`` may say, checked strictly.

The published schema of the fc3 component lets misspelt names pass and does not look into ``triggerConfig``
at all (one branch of its ``anyOf`` is any object), so these models are our own: an unknown name, a wrong case
or a wrong type is an error. Sources: Alibaba Cloud "Function Compute 3.0 YAML specification" and the models
of the SDK (API 2023-03-30), whose spelling is mixed: PascalCase inside ``sourceMNSParameters``,
``retryStrategy``, ``deadLetterQueue`` and ``batchWindow``, camelCase everywhere else.

Only what the local cloud plays is modelled. A property of fc3 that is missing here is refused as well: a
setting that is silently without effect would make the local run a lie.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel, to_pascal

from localcloud.fc.cron import parse_schedule

STREAM_TIMEOUT_LIMIT = 300
"""Longest timeout in seconds of a function behind an event stream (FC, "Advanced features of triggers")."""


class Camel(BaseModel):
    """A mapping whose names are camelCase."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


class Pascal(BaseModel):
    """A mapping whose names are PascalCase."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_pascal)


class TimerConfig(Camel):
    """``triggerConfig`` of a timer."""

    cron_expression: str
    enable: bool
    payload: str = ""

    @field_validator("cron_expression")
    @classmethod
    def _parses(cls, value: str) -> str:
        parse_schedule(value)
        return value


class HttpConfig(Camel):
    """``triggerConfig`` of an HTTP trigger."""

    auth_type: Literal["anonymous", "function", "jwt"]
    methods: Annotated[list[Literal["HEAD", "DELETE", "POST", "GET", "OPTIONS", "PUT", "PATCH"]], Field(min_length=1)]
    disable_url_internet: bool = Field(default=False, alias="disableURLInternet")


class MnsSourceParameters(Pascal):
    """Which queue an MNS source reads."""

    queue_name: str
    region_id: str | None = None
    is_base64_decode: bool = Field(default=True, alias="IsBase64Decode")


class EventSourceParameters(Camel):
    """The parameters of the event source."""

    source_mns_parameters: MnsSourceParameters | None = Field(default=None, alias="sourceMNSParameters")


class EventSourceConfig(Camel):
    """Where the events come from: the default bus of EventBridge, or an MNS queue."""

    event_source_type: Literal["Default", "MNS"]
    event_source_parameters: EventSourceParameters = EventSourceParameters()


class DeliveryOption(Camel):
    """The form of each element. The old ``mode`` beside it is refused: ``runOptions.mode`` wins over it."""

    event_schema: Literal["CloudEvents", "RawData"] = "CloudEvents"


class EventSinkConfig(Camel):
    """How events are handed over."""

    delivery_option: DeliveryOption = DeliveryOption()


class RetryStrategy(Pascal):
    """How a failed push is repeated."""

    push_retry_strategy: Literal["BACKOFF_RETRY", "EXPONENTIAL_DECAY_RETRY"]


class DeadLetterQueue(Pascal):
    """Where events end whose retries are exhausted: ``acs:mns:<region>:<account>:/queues/<queue>``."""

    arn: Annotated[str, Field(pattern=r"^acs:mns:[^:]*:[^:]*:/queues/[A-Za-z0-9-]+$")]


class BatchWindow(Pascal):
    """When a batch is full: that many events, or that many seconds after the first."""

    count_based_window: Annotated[int, Field(ge=1, le=10_000)] = 1
    time_based_window: Annotated[int, Field(ge=0, le=15)] = 0


class RunOptions(Camel):
    """How the source pushes. Batches are of streams alone (FC API, RunOptions).

    Whether the rest acts in event-driven mode is not settled: the API names no limit, the fc component's guide says
    that only streams know it. The local cloud believes the API for a dead-letter queue, and repeats by its own plan.
    """

    mode: Literal["event-driven", "event-streaming"]
    errors_tolerance: Literal["NONE", "ALL"] = "NONE"
    retry_strategy: RetryStrategy = RetryStrategy.model_validate({"PushRetryStrategy": "BACKOFF_RETRY"})
    dead_letter_queue: DeadLetterQueue | None = None
    batch_window: BatchWindow = BatchWindow()

    @model_validator(mode="after")
    def _no_dead_settings(self) -> Self:
        if self.mode == "event-driven" and "batch_window" in self.model_fields_set:
            raise ValueError("without effect in event-driven mode: batch_window")
        return self


class EventBridgeConfig(Camel):
    """``triggerConfig`` of an ``eventbridge`` trigger; a queue trigger is one of these, too."""

    trigger_enable: bool
    async_invocation_type: bool
    event_rule_filter_pattern: str
    event_source_config: EventSourceConfig
    event_sink_config: EventSinkConfig = EventSinkConfig()
    run_options: RunOptions = RunOptions(mode="event-driven")

    @field_validator("event_rule_filter_pattern")
    @classmethod
    def _is_a_json_object(cls, value: str) -> str:
        try:
            pattern = json.loads(value)
        except ValueError as error:
            raise ValueError(f"eventRuleFilterPattern is not JSON: {error}") from None
        if not isinstance(pattern, dict):
            raise ValueError("eventRuleFilterPattern must be a JSON object in a string")  # noqa: TRY004
        return value

    @model_validator(mode="after")
    def _source_and_mode_agree(self) -> Self:
        source = self.event_source_config
        queue = source.event_source_parameters.source_mns_parameters
        if source.event_source_type == "MNS":
            if queue is None:
                raise ValueError("eventSourceType MNS needs sourceMNSParameters")
            if "run_options" not in self.model_fields_set:
                raise ValueError("say runOptions.mode: it decides between one object and an array")
        elif queue is not None:
            raise ValueError("eventSourceType Default takes no sourceMNSParameters")
        elif self.run_options.mode != "event-driven":
            raise ValueError("the default bus delivers in event-driven mode only")
        return self


TriggerName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,127}$")]


class _Trigger(Camel):
    trigger_name: TriggerName
    description: str = ""
    qualifier: Literal["LATEST"] = "LATEST"
    source_arn: str | None = None
    invocation_role: str | None = None


class TimerTrigger(_Trigger):
    """A trigger of type ``timer``."""

    trigger_type: Literal["timer"]
    trigger_config: TimerConfig


class HttpTrigger(_Trigger):
    """A trigger of type ``http``."""

    trigger_type: Literal["http"]
    trigger_config: HttpConfig


class EventBridgeTrigger(_Trigger):
    """A trigger of type ``eventbridge``."""

    trigger_type: Literal["eventbridge"]
    trigger_config: EventBridgeConfig


Trigger = Annotated[TimerTrigger | HttpTrigger | EventBridgeTrigger, Field(discriminator="trigger_type")]
HandlerName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$")]


class Initializer(Camel):
    """The initializer hook: once for each instance, before its first invocation; at most 300 s."""

    handler: HandlerName
    timeout: Annotated[int, Field(ge=1, le=300)] = 3


class PreStop(Camel):
    """The pre-stop hook: once for each instance, before it ends; at most 90 s."""

    handler: HandlerName
    timeout: Annotated[int, Field(ge=1, le=90)] = 3


class InstanceLifecycleConfig(Camel):
    """The hooks of an instance."""

    initializer: Initializer | None = None
    pre_stop: PreStop | None = None


class Destination(Camel):
    """A destination of asynchronous invocations; the local cloud plays MNS queues."""

    destination: Annotated[str, Field(pattern=r"^acs:mns:[^:]*:[^:]*:/queues/[A-Za-z0-9-]+/messages$")]


class DestinationConfig(Camel):
    """Where the outcome of an asynchronous invocation is sent."""

    on_success: Destination | None = None
    on_failure: Destination | None = None


class AsyncInvokeConfig(Camel):
    """Asynchronous invocations. The age is bounded by the API (604800 s), not by fc3's laxer schema."""

    async_task: bool = False
    max_async_retry_attempts: Annotated[int, Field(ge=0, le=8)] = 3
    max_async_event_age_in_seconds: Annotated[int, Field(ge=1, le=604_800)] = 86_400
    destination_config: DestinationConfig = DestinationConfig()


class ConcurrencyConfig(Camel):
    """An upper bound of the function's instances."""

    reserved_concurrency: Annotated[int, Field(ge=1)]


class FunctionProps(Camel):
    """``props`` of a resource whose component is ``fc3``, after templates and expressions were resolved."""

    function_name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
    region: Annotated[str, Field(pattern=r"^[a-z]+-[a-z0-9-]+$")]
    runtime: Literal["python3.9", "python3.10", "python3.12"]
    code: str
    handler: HandlerName
    description: str = ""
    cpu: Annotated[float, Field(ge=0.05, le=16)] = 0.35
    memory_size: Annotated[int, Field(ge=128, le=32_768, multiple_of=64)] = 512
    disk_size: Literal[512, 10_240] = 512
    timeout: Annotated[int, Field(ge=1, le=86_400)] = 3
    internet_access: bool = True
    role: str = ""
    environment_variables: dict[str, str] = Field(default_factory=dict)
    instance_lifecycle_config: InstanceLifecycleConfig = InstanceLifecycleConfig()
    async_invoke_config: AsyncInvokeConfig = AsyncInvokeConfig()
    concurrency_config: ConcurrencyConfig | None = None
    log_config: Literal["auto"] | dict[str, Any] | None = None
    vpc_config: Literal["auto"] | dict[str, Any] | None = None
    tags: list[dict[str, str]] = Field(default_factory=list)
    triggers: Annotated[list[Trigger], Field(max_length=50)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if round(self.cpu * 100) % 5:
            raise ValueError(f"cpu must be a multiple of 0.05 vCPU, not {self.cpu}")
        # 1:1 to 1:4 between vCPU and GB (SDK, Function.cpu); FC's own default 0.35 : 0.5 GB lies inside.
        if not self.cpu <= self.memory_size / 1024 <= 4 * self.cpu:
            raise ValueError(f"cpu {self.cpu} : memory {self.memory_size} MB is not between 1:1 and 1:4")
        names = [trigger.trigger_name for trigger in self.triggers]
        if len(set(names)) != len(names):
            raise ValueError(f"trigger names must differ: {', '.join(names)}")
        bridged = [isinstance(trigger, EventBridgeTrigger) for trigger in self.triggers]
        if any(bridged) and self.timeout > STREAM_TIMEOUT_LIMIT:
            raise ValueError(f"a function behind EventBridge may run {STREAM_TIMEOUT_LIMIT} s at most")
        return self
