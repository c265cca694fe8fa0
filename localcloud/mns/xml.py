"""The XML of MNS: what requests hold and what answers look like (API reference, version 2015-06-06)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from localcloud.mns.errors import InvalidArgument, MalformedXML, MnsError
from localcloud.mns.queue import DEFAULT_PRIORITY, Message, Property, QueueAttributes
from localcloud.mns.queues import QueueDescription

NAMESPACE = "http://mns.aliyuncs.com/doc/v1/"

_NUMBERS = {
    "VisibilityTimeout": "visibility_timeout",
    "MaximumMessageSize": "maximum_message_size",
    "MessageRetentionPeriod": "message_retention_period",
    "DelaySeconds": "delay_seconds",
    "PollingWaitSeconds": "polling_wait_seconds",
}


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A message of a send request."""

    body: str
    delay_seconds: int | None
    priority: int
    group_id: str
    user_properties: tuple[Property, ...]
    system_properties: tuple[Property, ...]


def parse(body: bytes, *roots: str) -> ET.Element:
    """The root of a request body, which must be one of ``roots``. Raises MalformedXML."""
    try:
        # The sender is a local client that has proved its key; expat itself stops entity expansion.
        root = ET.fromstring(body)  # noqa: S314
    except ET.ParseError:
        raise MalformedXML from None
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    if root.tag not in roots:
        raise MalformedXML
    return root


def read_attributes(body: bytes, base: QueueAttributes) -> QueueAttributes:
    """The attributes in a Queue element on top of ``base``; an empty body changes nothing.

    The dead-letter policy has no place in this version's XML and stays. Raises MalformedXML or InvalidArgument.
    """
    if not body:
        return base
    root = parse(body, "Queue")
    numbers = {field: _integer(root, name) for name, field in _NUMBERS.items()}
    chosen = {field: getattr(base, field) if value is None else value for field, value in numbers.items()}
    logging = root.findtext("LoggingEnabled")
    return QueueAttributes(
        **chosen,
        logging_enabled=base.logging_enabled if logging is None else logging.lower() == "true",
        dead_letter=base.dead_letter,
    )


def read_outgoing(element: ET.Element) -> Outgoing:
    """A Message element of a send request. Raises MalformedXML or InvalidArgument."""
    body = element.findtext("MessageBody")
    if body is None:
        raise MalformedXML
    priority = _integer(element, "Priority")
    return Outgoing(
        body=body,
        delay_seconds=_integer(element, "DelaySeconds"),
        priority=DEFAULT_PRIORITY if priority is None else priority,
        group_id=element.findtext("MessageGroupId", ""),
        user_properties=_properties(element, "UserProperties/PropertyValue"),
        system_properties=_properties(element, "SystemProperties/SystemPropertyValue"),
    )


def read_handles(body: bytes) -> list[str]:
    """The receipt handles of a batch delete. Raises MalformedXML."""
    return [element.text or "" for element in parse(body, "ReceiptHandles").findall("ReceiptHandle")]


def error(problem: MnsError, request_id: str, host_id: str) -> bytes:
    """The Error element; the official SDKs need all four parts."""
    return _document("Error", Code=problem.code, Message=problem.message, RequestId=request_id, HostId=host_id)


def sent(message: Message) -> bytes:
    """The answer to SendMessage."""
    root = _root("Message")
    _sent_parts(root, message)
    if message.receipt_handle:
        _add(root, "ReceiptHandle", message.receipt_handle)
    return _bytes(root)


def sent_batch(results: Iterable[Message | MnsError]) -> bytes:
    """The answer to BatchSendMessage: one element for each message, in the order of the request."""
    root = _root("Messages")
    for result in results:
        element = ET.SubElement(root, "Message")
        if isinstance(result, MnsError):
            _add(element, "ErrorCode", result.code)
            _add(element, "ErrorMessage", result.message)
        else:
            _sent_parts(element, result)
    return _bytes(root)


def messages(found: list[Message], milliseconds: Callable[[float], int], *, batch: bool, received: bool) -> bytes:
    """Received or peeked messages: a Messages element for a batch call, else one Message element."""
    root = _root("Messages" if batch else "Message")
    for message in found:
        element = ET.SubElement(root, "Message") if batch else root
        _sent_parts(element, message)
        _add(element, "MessageBody", message.body)
        _add(element, "EnqueueTime", milliseconds(message.enqueued_at))
        first = message.first_dequeued_at if message.dequeue_count else message.enqueued_at
        _add(element, "FirstDequeueTime", milliseconds(first))
        _add(element, "DequeueCount", message.dequeue_count)
        _add(element, "Priority", message.priority)
        if received:
            _add(element, "ReceiptHandle", message.receipt_handle)
            _add(element, "NextVisibleTime", milliseconds(message.next_visible_at))
        _add_properties(element, "UserProperties", "PropertyValue", message.user_properties)
        _add_properties(element, "SystemProperties", "SystemPropertyValue", message.system_properties)
    return _bytes(root)


def delete_errors(failures: Iterable[tuple[str, MnsError]]) -> bytes:
    """The answer to a BatchDeleteMessage of which some parts failed: the failed handles only."""
    root = _root("Errors")
    for handle, problem in failures:
        element = ET.SubElement(root, "Error")
        _add(element, "ErrorCode", problem.code)
        _add(element, "ErrorMessage", problem.message)
        _add(element, "ReceiptHandle", handle)
    return _bytes(root)


def visibility(handle: str, next_visible_milliseconds: int) -> bytes:
    """The answer to ChangeMessageVisibility."""
    return _document("ChangeVisibility", ReceiptHandle=handle, NextVisibleTime=next_visible_milliseconds)


def queue(description: QueueDescription, milliseconds: Callable[[float], int]) -> bytes:
    """The answer to GetQueueAttributes."""
    attributes = description.attributes
    return _document(
        "Queue",
        QueueName=description.name,
        # This call has whole seconds, unlike the message calls (API reference, GetQueueAttributes).
        CreateTime=milliseconds(description.created_at) // 1000,
        LastModifyTime=milliseconds(description.modified_at) // 1000,
        **{name: getattr(attributes, field) for name, field in _NUMBERS.items()},
        LoggingEnabled=attributes.logging_enabled,
        ActiveMessages=description.depth.visible,
        InactiveMessages=description.depth.in_flight,
        DelayMessages=description.depth.delayed,
    )


def queue_list(urls: list[str], next_marker: str) -> bytes:
    """The answer to ListQueue."""
    root = _root("Queues")
    for url in urls:
        _add(ET.SubElement(root, "Queue"), "QueueURL", url)
    if next_marker:
        _add(root, "NextMarker", next_marker)
    return _bytes(root)


def _integer(element: ET.Element, name: str) -> int | None:
    text = element.findtext(name)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise InvalidArgument(f"The value of {name} is not a number.") from None


def _properties(element: ET.Element, path: str) -> tuple[Property, ...]:
    return tuple(
        Property(name=part.findtext("Name", ""), value=part.findtext("Value", ""), type=part.findtext("Type", ""))
        for part in element.findall(path)
    )


def _add_properties(element: ET.Element, group: str, name: str, properties: tuple[Property, ...]) -> None:
    if not properties:
        return
    parent = ET.SubElement(element, group)
    for each in properties:
        part = ET.SubElement(parent, name)
        _add(part, "Name", each.name)
        _add(part, "Value", each.value)
        _add(part, "Type", each.type)


def _sent_parts(element: ET.Element, message: Message) -> None:
    _add(element, "MessageId", message.message_id)
    _add(element, "MessageBodyMD5", message.body_md5)
    if message.group_id:
        _add(element, "MessageGroupId", message.group_id)


def _root(name: str) -> ET.Element:
    return ET.Element(name, {"xmlns": NAMESPACE})


def _add(element: ET.Element, name: str, value: object) -> None:
    ET.SubElement(element, name).text = str(value)


def _document(root_name: str, **parts: object) -> bytes:
    root = _root(root_name)
    for name, value in parts.items():
        _add(root, name, value)
    return _bytes(root)


def _bytes(root: ET.Element) -> bytes:
    encoded: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return encoded
