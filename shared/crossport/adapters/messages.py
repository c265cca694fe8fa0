"""The messages of our own queues, as pydantic models told apart by ``type``.

They are ours to define, so unknown fields are refused: a misspelt ``vlan_id`` must not become "any VLAN". Whether an
order *may* be filled is the domain's to say; here it only has to be well formed. They live among the adapters because
both the functions and the operator's command read them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from crossport.adapters.instants import instant
from crossport.domain.vocabulary import MilestoneName, Party


class Problem(NamedTuple):
    """One reason why a message was not understood. ``field`` is a path such as ``milestones.0.at``; "" for the whole.

    Codes: not_json, not_an_object, unknown_message_type, missing_field, unknown_field, wrong_type, malformed,
    out_of_range, bad_time, and for fields with a rule of their own vlan_out_of_range, vlan_malformed,
    tenant_uid_malformed, target_unclear.
    """

    code: str
    field: str
    message: str


def _time(value: Any) -> datetime:
    at = instant(value)
    if at is None:
        raise ValueError("must be an ISO 8601 time with a zone")
    return at


def _printable(value: str) -> str:
    # Texts end up in mails, port names and logs: no line breaks to smuggle headers in, nothing invisible.
    if not value.isprintable():
        raise ValueError("must not contain control characters")
    return value


Time = Annotated[datetime, BeforeValidator(_time)]
Text = Annotated[str, Field(max_length=256), AfterValidator(_printable)]
Name = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]
#: A redundancy group's id, the orderer's own (ruling 17); "" for none.
GroupId = Annotated[str, Field(max_length=64), AfterValidator(_printable)]
#: A main account's id: digits, kept as a string (ruling 11).
Uid = Annotated[str, Field(pattern=r"^[0-9]{1,32}$")]
#: 0..2999 (CreateVirtualPhysicalConnection, parameter VlanId). 0 is valid; a string is not a number.
VlanId = Annotated[int, Field(strict=True, ge=0, le=2_999)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MilestoneFields(_Model):
    """A step before the push, with who says so and on what evidence (ruling 5)."""

    name: MilestoneName
    at: Time
    actor: Name
    evidence: Text = ""


class OrderNew(_Model):
    """A first-time order. ``client_order_id`` is the orderer's idempotency key; no ``vlan_id``: the lowest free one."""

    type: Literal["order.new"]
    version: Literal[1] = 1
    client_order_id: Name
    account_id: Uid
    circuit_id: Name
    tenant_uid: Uid
    spec: Name
    order_mode: Name
    vlan_id: VlanId | None = None
    tenant_region: Text = ""
    purchase_order: Text = ""
    customer_reference: Text = ""
    group_id: GroupId = ""
    milestones: Annotated[tuple[MilestoneFields, ...], Field(max_length=16)] = ()


class OrderMigrate(_Model):
    """A first-time order for a port that is made from the tenant's VBR on the partner's circuit (ruling 16).

    ``vlan_id`` is the VBR's. ``bandwidth_mbps`` is the bandwidth cap agreed for it; without, that of the spec.
    """

    type: Literal["order.migrate"]
    version: Literal[1] = 1
    client_order_id: Name
    account_id: Uid
    circuit_id: Name
    tenant_uid: Uid
    vbr_id: Name
    spec: Name
    order_mode: Name
    vlan_id: VlanId
    bandwidth_mbps: Annotated[int, Field(strict=True, ge=1, le=102_400)] | None = None
    tenant_region: Text = ""
    purchase_order: Text = ""
    customer_reference: Text = ""
    group_id: GroupId = ""
    milestones: Annotated[tuple[MilestoneFields, ...], Field(max_length=16)] = ()


class OrderMilestone(_Model):
    """A milestone of an order that was placed before."""

    type: Literal["order.milestone"]
    version: Literal[1] = 1
    client_order_id: Name
    account_id: Uid
    milestone: MilestoneFields


#: The two ways in which a request names its connection; exactly one of them.
TARGETS = ("order", "connection_id")


class OrderRequest(_Model):
    """What every request on an existing connection says. ``client_order_id`` is the request's own idempotency key."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in TARGETS]})

    version: Literal[1] = 1
    client_order_id: Name
    account_id: Uid
    #: The client order id of the order that opened the connection.
    order: Name = ""
    #: The connection's own id: for ports that were adopted, which no order opened.
    connection_id: Name = ""
    actor: Name
    #: Why a rule that may be overruled is overruled; "" overrules none.
    force_reason: Text = ""


class OrderChangeSpec(OrderRequest):
    """Change the port's bandwidth. When the tenant pays, it takes effect once the tenant has paid the difference."""

    type: Literal["order.change_spec"]
    spec: Name


class OrderChangeVlan(OrderRequest):
    """Change the port's VLAN ID; with a VBR on the port only by force, with an outage (ruling 18)."""

    type: Literal["order.change_vlan"]
    vlan_id: VlanId


class OrderCease(OrderRequest):
    """End the service (ruling 4)."""

    type: Literal["order.cease"]


class OrderCancel(OrderRequest):
    """Take an order, or an offer that was not accepted yet, back."""

    type: Literal["order.cancel"]


class OrderRecover(OrderRequest):
    """Bring back a port or VBR that was terminated, by the rights of ruling 4; ``force_reason`` has us try."""

    type: Literal["order.recover"]


class UsageReported(_Model):
    """Outbound data transfer of a port in a period, in bytes, as a meter read it (ruling 12)."""

    type: Literal["usage.reported"]
    version: Literal[1] = 1
    account_id: Uid
    port_id: Name
    period_start: Time
    period_end: Time
    outbound_bytes: Annotated[int, Field(strict=True, ge=0, lt=1 << 63)]
    meter_reading_id: Name


class NoticeSend(_Model):
    """A notice to render and send; the relay puts it on the queue ``notices``. ``key`` is its idempotency key.

    A notice is about a connection, or (``connection_id`` "") about a partner account as a whole.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"connection_id": {"minLength": 1}}},
                {"required": ["account_id"], "properties": {"account_id": {"minLength": 1}}},
            ]
        }
    )

    type: Literal["notice.send"]
    version: Literal[1] = 1
    key: Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_printable)]
    kind: Name
    connection_id: Annotated[str, Field(max_length=64), AfterValidator(_printable)]
    account_id: Annotated[str, Field(pattern=r"^[0-9]{0,32}$")] = ""
    party: Party
    details: dict[str, Any] = Field(default_factory=dict)


class OutboxPoke(_Model):
    """There is something in the outbox. It carries nothing: losing it costs at most a minute."""

    type: Literal["outbox.poke"]
    version: Literal[1] = 1


class ReconcileCircuits(_Model):
    """A shard of the sweep: circuits of one account and region, in the slot that the timer's tick lies in."""

    type: Literal["reconcile.circuits"]
    version: Literal[1] = 1
    account_id: Uid
    region: Name
    slot: Time
    circuit_ids: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1_000)]


class ReplyReason(_Model):
    """One reason of a rejection: a stable code, a sentence, and what it is about."""

    code: str
    message: str
    subject: str


class OrderReply(_Model):
    """What the orderer is told on the queue ``order-replies``; we send it and never read it.

    ``client_order_id`` is that of the order or request which it answers, ``connection_id`` "" where there is none.
    """

    type: Literal["order.reply"]
    version: Literal[1]
    client_order_id: str
    connection_id: str
    account_id: str
    state: Literal["accepted", "waiting", "rejected", "completed"]
    #: Why it was rejected, all at once; empty in every other state.
    reasons: tuple[ReplyReason, ...]
    #: The milestones that an order waits for, and the sibling of its redundancy group; only in the state ``waiting``.
    waiting_for: tuple[MilestoneName | Literal["redundancy_group"], ...] = ()
    #: What to know although it was accepted, such as ``vlan_at_risk``; left out when there is nothing.
    warnings: tuple[ReplyReason, ...] = ()


#: Messages of the queue ``orders``.
Ordered = (
    OrderNew
    | OrderMigrate
    | OrderMilestone
    | OrderChangeSpec
    | OrderChangeVlan
    | OrderCease
    | OrderCancel
    | OrderRecover
)
Message = Ordered | UsageReported | NoticeSend | OutboxPoke | ReconcileCircuits

_READER: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])
_REQUESTS = frozenset({"order.change_spec", "order.change_vlan", "order.cease", "order.cancel", "order.recover"})

_BY_KIND = {
    "missing": "missing_field",
    "extra_forbidden": "unknown_field",
    "union_tag_invalid": "unknown_message_type",
    "union_tag_not_found": "unknown_message_type",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "too_long": "out_of_range",
    "too_short": "out_of_range",
    "string_too_long": "out_of_range",
    "string_too_short": "out_of_range",
    "string_pattern_mismatch": "malformed",
    "enum": "malformed",
    "literal_error": "malformed",
}
_BY_FIELD = {
    ("vlan_id", "out_of_range"): "vlan_out_of_range",
    ("vlan_id", "wrong_type"): "vlan_malformed",
    ("tenant_uid", "malformed"): "tenant_uid_malformed",
    ("tenant_uid", "wrong_type"): "tenant_uid_malformed",
}


def parse_message(body: Any) -> Message | list[Problem]:
    """The message in a decoded body, or every problem at once. Never raises."""
    if isinstance(body, str):
        return [Problem("not_json", "", "the message's body is not JSON")]
    if not isinstance(body, dict):
        return [Problem("not_an_object", "", f"a message is a JSON object, not {type(body).__name__}")]
    beyond = list(_beyond_fields(body))
    try:
        message = _READER.validate_python(body)
    except ValidationError as error:
        # Without the input, which may be long or confidential.
        found = error.errors(include_url=False, include_input=False)
        return [
            *(_problem(d["type"], d["loc"], _sentence(d["type"], d["msg"], d.get("ctx", {}))) for d in found),
            *beyond,
        ]
    return beyond or message


class _Addressee(BaseModel):
    account_id: Uid
    client_order_id: Name


def addressee(body: Any) -> tuple[str, str]:
    """``account_id`` and ``client_order_id`` of an order message that was not understood; both "" unless both are
    well formed: then the orderer can be told what is wrong."""
    kind = body.get("type") if isinstance(body, dict) else None
    if not isinstance(kind, str) or not kind.startswith("order."):
        return "", ""
    try:
        known = _Addressee.model_validate(body)
    except ValidationError:
        return "", ""
    return known.account_id, known.client_order_id


def _beyond_fields(body: dict[Any, Any]) -> Iterator[Problem]:
    """Problems that lie between fields; seen here, so that they are told together with those of the fields."""
    kind = body.get("type")
    if kind == "usage.reported":
        start, end = instant(body.get("period_start")), instant(body.get("period_end"))
        if start is not None and end is not None and end <= start:
            yield Problem("out_of_range", "period_end", "the period must end after it starts")
    elif kind == "notice.send" and body.get("connection_id") == "" and not body.get("account_id"):
        yield Problem("target_unclear", "", "a notice is about a connection or about an account")
    elif isinstance(kind, str) and kind in _REQUESTS and sum(name in body for name in TARGETS) != 1:
        yield Problem("target_unclear", "", f"exactly one of {' and '.join(TARGETS)} says which connection is meant")


#: What the kinds of problems mean for who wrote the message; names in braces are the library's.
_SENTENCES = {
    "missing": "is missing",
    "extra_forbidden": "is no field of this message",
    "string_type": "must be a text",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "less_than_equal": "must be at most {le}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "tuple_type": "must be a list",
    "union_tag_invalid": "there is no message {tag}; there are {expected_tags}",
    "union_tag_not_found": "type is missing: it says what the message is",
}
#: The one pattern of the models: an account's id.
_DIGITS = "must be an account id: 1 to 32 digits"


def _sentence(kind: str, text: str, context: dict[str, Any]) -> str:
    """A problem in words of ours. ``text`` is the library's, for kinds that say enough or were not foreseen."""
    if kind == "string_pattern_mismatch":
        return _DIGITS
    try:
        return _SENTENCES[kind].format_map(context).replace("'", "")
    except KeyError:
        return text.removeprefix("Value error, ")


def _problem(kind: str, location: tuple[int | str, ...], text: str) -> Problem:
    # Errors inside a model are led by its tag.
    path = location[1:] if kind not in {"union_tag_invalid", "union_tag_not_found"} else ()
    field = ".".join(map(str, path))[:128]
    last = str(path[-1]) if path else ""
    if kind == "value_error":
        code = "bad_time" if last in {"at", "period_start", "period_end"} else "malformed"
    else:
        code = _BY_KIND.get(kind, "wrong_type")
    return Problem(_BY_FIELD.get((field, code), code), field, text[:256])
