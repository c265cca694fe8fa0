"""What a scenario file may say. Misspelt keys are errors: an expectation that is not read cannot fail."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from localcloud.vpc.faults import Fault
from localcloud.vpc.settings import faults_of, with_settings
from localcloud.vpc.switches import Switches

_DURATION = re.compile(r"(\d+)(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class ScenarioError(ValueError):
    """The file is not a scenario; the message lists every mistake."""


def duration(text: Any) -> timedelta:
    """``90s``, ``5m``, ``2h``, ``31d`` or several of them joined (``1d12h``). Raises ValueError."""
    if isinstance(text, timedelta):
        return text
    parts = _DURATION.findall(str(text))
    if not parts or "".join(n + u for n, u in parts) != str(text):
        raise ValueError(f"{text!r} is no duration such as 5m or 31d")
    return sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts), timedelta())


Duration = Annotated[timedelta, BeforeValidator(duration)]


def _are_switches(settings: dict[str, Any]) -> dict[str, Any]:
    with_settings(Switches(), settings)
    return settings


#: Switches of the VPC by name. Whether they exist is checked when the file is read, not in the middle of the story.
Settings = Annotated[dict[str, Any], AfterValidator(_are_switches)]
FaultNames = Annotated[list[Fault], BeforeValidator(faults_of)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Call(_Strict):
    """One call of the VPC API with the official SDK. ``as`` names whose credentials sign it."""

    actor: str = Field(alias="as")
    action: str
    parameters: dict[str, Any] = Field(default_factory=dict, alias="with")
    #: The cloud's error code that is expected; ``unreachable`` when the endpoint must refuse connections.
    fails_with: str = ""
    #: Variable to field of the answer, such as ``VBR: VbrId``.
    keep: dict[str, str] = Field(default_factory=dict)


class Forward(_Strict):
    """A tenant's rule that forwards events of these names to the partner's custom bus, which then trusts it.

    A name may also be an expression of EventBridge's patterns, such as ``{suffix: PhysicalConnection}``.
    """

    source: str = Field(alias="from")
    events: list[str | dict[str, str]]


class Sent(_Strict):
    """A message sent to a queue of the partner's with the official SDK. ``raw`` sends text that need not be JSON."""

    queue: str
    body: Any = None
    raw: str = ""


class Invoke(_Strict):
    """One invocation of a function with the event in a file, as Function Compute does it and nobody else.

    For events that come with ids of their own choice. ``file`` is named from the scenario's folder, and ``gives``
    the verdicts that the function must answer with, one for each record.
    """

    function: str
    file: Path
    gives: list[str] = Field(min_length=1)

    @field_validator("file")
    @classmethod
    def _beside_the_scenario(cls, file: Path, info: ValidationInfo) -> Path:
        found: Path = (info.context or {}).get("folder", Path()) / file
        if not found.is_file():
            raise ValueError(f"there is no file {file}")
        return found


class Behind(_Strict):
    """Something that happens in the cloud without a call of the API.

    Locks, their lifting and renewals by the id of what they happen to; orders paid and cancelled by the order's id; an
    account without privilege or balance by its name in this story.
    """

    lock: str = ""
    unlock: str = ""
    renew: str = ""
    pay_order: str = ""
    cancel_order: str = ""
    take_privilege: str = ""
    give_privilege: str = ""
    take_balance: str = ""
    give_balance: str = ""
    #: Switches of the VPC from here on, by name.
    switches: Settings = Field(default_factory=dict)
    #: What the next calls of an operation suffer, in order.
    faults: dict[str, FaultNames] = Field(default_factory=dict)


class Row(_Strict):
    """One row that must be there (exactly one that has ``find``) and what it must be."""

    find: dict[str, Any]
    values: dict[str, Any] = Field(default_factory=dict, alias="is")
    keep: dict[str, str] = Field(default_factory=dict)


class Mail(_Strict):
    """One mail that must be in the sink: to whom, words of its subject, and phrases of its text."""

    to: str
    subject: str = ""
    says: list[str] = Field(default_factory=list)


class Expected(_Strict):
    """What must be so at this point of the story."""

    connections: list[Row] = Field(default_factory=list)
    ledger: list[Row] = Field(default_factory=list)
    notices: list[Row] = Field(default_factory=list)
    events: list[Row] = Field(default_factory=list)
    findings: list[Row] = Field(default_factory=list)
    outbox: list[Row] = Field(default_factory=list)
    mail: list[Mail] = Field(default_factory=list)
    #: Rows that must not be there, by list.
    absent: dict[Literal["connections", "ledger", "notices", "events", "findings", "outbox"], list[dict[str, Any]]] = (
        Field(default_factory=dict)
    )
    #: Addresses that must have got no mail.
    no_mail: list[str] = Field(default_factory=list)
    #: Queue to the number of messages that it must hold.
    queues: dict[str, int] = Field(default_factory=dict)


_ACTS = ("crossport", "send", "invoke", "call", "forward", "behind", "unplug", "plug_in", "expect")


class Step(_Strict):
    """One step. ``after`` moves the cloud's time forward first; then at most one act, then expectations."""

    title: str
    after: Duration = timedelta(minutes=1)
    crossport: list[str] = Field(default_factory=list)
    send: Sent | None = None
    invoke: Invoke | None = None
    call: Call | None = None
    forward: Forward | None = None
    behind: Behind | None = None
    unplug: Literal["", "vpc", "mns"] = ""
    plug_in: Literal["", "vpc", "mns"] = ""
    expect: Expected | None = None

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        acts = [name for name in _ACTS[:-1] if getattr(self, name)]
        if len(acts) > 1:
            raise ValueError(f"a step has one act, not {' and '.join(acts)}")
        if not acts and self.expect is None and self.after == timedelta(minutes=1):
            raise ValueError("the step neither acts nor expects nor waits")
        return self


class Scenario(_Strict):
    """A whole story."""

    name: str
    title: str
    description: str = ""
    starts: AwareDatetime
    config: str = "partner.yaml"
    #: Switches of the VPC from the beginning, by name.
    switches: Settings = Field(default_factory=dict)
    steps: list[Step] = Field(min_length=1)


def read_scenario(file: Path) -> Scenario:
    """The scenario in a file. Raises ScenarioError with every mistake in it."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        return Scenario.model_validate(document, context={"folder": file.parent})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ScenarioError(f"{file.name}: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ScenarioError(f"{file.name}: {mistakes}") from None
