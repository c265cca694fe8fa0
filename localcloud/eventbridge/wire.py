"""EventBridge over HTTP: PutEvents, CreateEventBus and CreateRule of API version 2020-04-01, signed with ACS3.

Parameters come in the query or in a form body, structured ones as JSON text, as the official SDKs send them. Simplified
where nothing is proved: the region is the parameter ``RegionId`` when given, else the one the endpoint was made for
(the real endpoint's host name has it), and failures are 4xx answers. Every other action answers 501.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from localcloud.eventbridge.buses import Buses
from localcloud.eventbridge.errors import EventBridgeError, InvalidArgument, OperationNotPlayed
from localcloud.eventbridge.patterns import InvalidPattern, Pattern
from localcloud.eventbridge.rules import BUS, FUNCTION, QUEUE, Rule, Target
from localcloud.signing import Received, SignatureRefused, Verifier

VERSION = "2020-04-01"
EVENT_LIMIT, EVENT_BYTES, REQUEST_BYTES = 16, 65_536, 262_144
"""Most events of a PutEvents, most bytes of one and of all (API reference, PutEvents)."""

_ATTRIBUTES = {
    "Id": "id",
    "Source": "source",
    "SpecVersion": "specversion",
    "Type": "type",
    "Subject": "subject",
    "Time": "time",
    "DataContentType": "datacontenttype",
    "DataSchema": "dataschema",
}
# The resource keys that name a target's destination ("Event target parameters").
_NAME_KEYS = {FUNCTION: "functionName", QUEUE: "queue", BUS: "EventBusName"}


class EventBridgeApplication:
    """The ASGI application of the EventBridge endpoint of ``region``."""

    def __init__(self, buses: Buses, verifier: Verifier, region: str) -> None:
        self._buses = buses
        self._verifier = verifier
        self._region = region
        self._actions: dict[str, Callable[[str, str, dict[str, str]], Any]] = {
            "CreateEventBus": self._create_event_bus,
            "CreateRule": self._create_rule,
            "PutEvents": self._put_events,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        received = Received.from_scope(scope, await request.body())
        request_id = str(uuid.uuid4()).upper()
        try:
            status, answer = 200, self._act(received)
        except (SignatureRefused, EventBridgeError) as problem:
            status = problem.status
            answer = {"Code": problem.code, "Message": problem.message, "Success": False}
        host = received.headers.get("host", "")
        response = JSONResponse({"RequestId": request_id, "HostId": host, **answer}, status_code=status)
        await response(scope, receive, send)

    def _act(self, received: Received) -> dict[str, Any]:
        account_id = self._verifier.acs3(received).account.account_id
        name = received.headers.get("x-acs-action", "")
        action = self._actions.get(name)
        if action is None or received.headers.get("x-acs-version") != VERSION:
            raise OperationNotPlayed(f"The local cloud does not implement {name or 'this request'} of EventBridge.")
        parameters = dict(parse_qsl(received.query, keep_blank_values=True))
        if received.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            parameters |= dict(parse_qsl(received.body.decode("utf-8", "replace"), keep_blank_values=True))
        region = parameters.get("RegionId") or self._region
        return {"Code": "Success", "Success": True, "Data": action(account_id, region, parameters)}

    def _create_event_bus(self, account_id: str, region: str, parameters: dict[str, str]) -> dict[str, Any]:
        name = _required(parameters, "EventBusName")
        self._buses.create_bus(account_id, region, name)
        return {"EventBusARN": f"acs:eventbridge:{region}:{account_id}:eventbus/{name}"}

    def _create_rule(self, account_id: str, region: str, parameters: dict[str, str]) -> dict[str, Any]:
        bus, name = _required(parameters, "EventBusName"), _required(parameters, "RuleName")
        status = parameters.get("Status", "ENABLE")
        if status not in {"ENABLE", "DISABLE"}:
            raise InvalidArgument("Status is ENABLE or DISABLE.")
        try:
            pattern = Pattern.parse(_required(parameters, "FilterPattern"))
        except InvalidPattern as problem:
            raise InvalidArgument(str(problem)) from None
        targets = tuple(_target(each) for each in _objects(parameters, "EventTargets"))
        rule = Rule(name=name, pattern=pattern, targets=targets, enabled=status == "ENABLE")
        self._buses.create_rule(account_id, region, bus, rule)
        return {"RuleARN": f"acs:eventbridge:{region}:{account_id}:eventbus/{bus}/rule/{name}"}

    def _put_events(self, account_id: str, region: str, parameters: dict[str, str]) -> dict[str, Any]:
        """Each event succeeds or fails for itself; a failed one is an entry with an ErrorCode."""
        bus = _required(parameters, "EventBusName")
        entries = _objects(parameters, "EventList")
        if not 1 <= len(entries) <= EVENT_LIMIT:
            raise InvalidArgument(f"A request has 1 to {EVENT_LIMIT} events.")
        if len(parameters["EventList"].encode()) > REQUEST_BYTES:
            raise InvalidArgument(f"A request has at most {REQUEST_BYTES} bytes.")
        self._buses.rules(account_id, region, bus)  # a missing bus fails the whole request
        results = [self._put_event(account_id, region, bus, entry) for entry in entries]
        failed = sum(result["ErrorCode"] != "Success" for result in results)
        return {"FailedEntryCount": failed, "EntryList": results}

    def _put_event(self, account_id: str, region: str, bus: str, entry: dict[str, Any]) -> dict[str, Any]:
        result = {"EventId": entry.get("Id"), "TraceId": secrets.token_hex(16).upper(), "ErrorMessage": ""}
        try:
            if len(json.dumps(entry, ensure_ascii=False).encode()) > EVENT_BYTES:
                raise InvalidArgument(f"An event has at most {EVENT_BYTES} bytes.")
            self._buses.put_event(account_id, region, bus, _cloud_event(entry))
        except EventBridgeError as problem:
            return result | {"ErrorCode": problem.code, "ErrorMessage": problem.message}
        return result | {"ErrorCode": "Success"}


def _required(parameters: dict[str, str], name: str) -> str:
    try:
        return parameters[name]
    except KeyError:
        raise InvalidArgument(f"The parameter {name} is missing.") from None


def _objects(parameters: dict[str, str], name: str) -> list[dict[str, Any]]:
    try:
        value = json.loads(_required(parameters, name))
    except json.JSONDecodeError:
        raise InvalidArgument(f"The parameter {name} is not JSON.") from None
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise InvalidArgument(f"The parameter {name} is not a list of objects.")
    return value


def _cloud_event(entry: dict[str, Any]) -> dict[str, Any]:
    """The CloudEvent of an entry. There are no extension attributes: what the API does not name is left out."""
    event = {attribute: entry[name] for name, attribute in _ATTRIBUTES.items() if entry.get(name) is not None}
    data = entry.get("Data")
    if isinstance(data, str) and str(event.get("datacontenttype", "")).startswith("application/json"):
        try:
            data = json.loads(data)
        except json.JSONDecodeError:
            raise InvalidArgument("Data is not JSON although DataContentType says so.") from None
    return event if data is None else event | {"data": data}


def _target(source: dict[str, Any]) -> Target:
    """A target of CreateRule: Id, Type, Endpoint (``acs:<service>:<region>:<account>:<resource>``) and ParamList.

    Only the whole event can be the Body (Form ORIGINAL); the transformations are not played.
    """
    kind, endpoint = str(source.get("Type", "")), str(source.get("Endpoint", ""))
    constants: dict[str, str] = {}
    for parameter in source.get("ParamList") or []:
        if not isinstance(parameter, dict):
            raise InvalidArgument("ParamList is a list of objects.")
        key, form = str(parameter.get("ResourceKey", "")), parameter.get("Form")
        if form == "CONSTANT":
            constants[key] = str(parameter.get("Value", ""))
        elif form != "ORIGINAL" or key not in {"Body", "body"}:
            raise InvalidArgument(f"The local cloud does not transform events: {key} has the form {form}.")
    if kind not in _NAME_KEYS:
        raise InvalidArgument(f"The target type {kind} is not played by the local cloud.")
    name = constants.get(_NAME_KEYS[kind])
    if not name or not source.get("Id"):
        raise InvalidArgument(f"A target of the type {kind} needs an Id and the constant {_NAME_KEYS[kind]}.")
    _, _, region, account_id, *_ = [*endpoint.split(":"), "", "", "", ""]
    return Target(
        target_id=str(source["Id"]),
        type=kind,
        name=name,
        account_id=constants.get("AccountId", account_id),
        region=constants.get("RegionId", region),
        base64_body=constants.get("IsBase64Encode", "false").lower() == "true",
        dead_letter_queue=_dead_letter_queue(source.get("DeadLetterQueue")),
    )


def _dead_letter_queue(source: Any) -> str:
    """The queue of ``{"Arn": "acs:mns:<region>:<account>:/queues/<queue>"}``; "" without one."""
    if source is None:
        return ""
    arn = source.get("Arn") if isinstance(source, dict) else None
    if not isinstance(arn, str) or not arn.startswith("acs:mns:"):
        raise InvalidArgument("The local cloud plays dead-letter queues of MNS only.")
    return arn.rsplit("/", 1)[-1]
