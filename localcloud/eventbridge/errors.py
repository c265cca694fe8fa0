"""The errors of EventBridge. [INF] The code names follow the example of the API reference (EventBusNotExist)."""

from __future__ import annotations


class EventBridgeError(Exception):
    """An answer with status 4xx or 5xx; ``code`` and ``status`` are fixed by the class."""

    code = "InternalError"
    status = 500

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class EventBusNotExist(EventBridgeError):  # noqa: N818 - the cloud's own name
    """No bus of this name in the account and region."""

    code, status = "EventBusNotExist", 404


class EventBusAlreadyExist(EventBridgeError):  # noqa: N818
    """A bus of this name exists."""

    code, status = "EventBusAlreadyExist", 409


class EventRuleNotExist(EventBridgeError):  # noqa: N818
    """No rule of this name on the bus."""

    code, status = "EventRuleNotExist", 404


class EventRuleAlreadyExist(EventBridgeError):  # noqa: N818
    """A rule of this name exists on the bus."""

    code, status = "EventRuleAlreadyExist", 409


class InvalidArgument(EventBridgeError):  # noqa: N818
    """A value is missing or outside its range."""

    code, status = "InvalidArgument", 400


class OperationNotPlayed(EventBridgeError):  # noqa: N818
    """An action of the real service that the local cloud does not have; it fails loudly instead of pretending."""

    code, status = "NotImplemented", 501
