"""The errors of the Function Compute API: HTTP status, code and message.

Codes of which no documentation was found are marked [INF] where they are set.
"""

from __future__ import annotations


class FcError(Exception):
    """An error that the API answers with: ``status`` is the HTTP status, ``code`` FC's own name for it."""

    status = 500
    code = "InternalServerError"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class FunctionNotFound(FcError):  # noqa: N818  # the cloud's own name
    """There is no function of this name."""

    status = 404
    code = "FunctionNotFound"

    def __init__(self, name: str) -> None:
        super().__init__(f"function '{name}' does not exist")


class InvalidArgument(FcError):  # noqa: N818  # the cloud's own name
    """A parameter or header has a value that it cannot have."""

    status = 400
    code = "InvalidArgument"


class PayloadTooLarge(FcError):  # noqa: N818  # the cloud's own name
    """The event exceeds the limit, given in bytes; the code is [INF]."""

    status = 413
    code = "RequestEntityTooLarge"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the payload exceeds {limit} bytes")


class TaskAlreadyExists(FcError):  # noqa: N818  # the cloud's own name
    """An asynchronous task with this id was accepted before. 409 is documented, the code is [INF]."""

    status = 409
    code = "AsyncTaskAlreadyExists"

    def __init__(self, task_id: str) -> None:
        super().__init__(f"the async task '{task_id}' already exists")


class ResourceExhausted(FcError):  # noqa: N818  # the cloud's own name
    """All instances that the account may have are busy (HTTP 429)."""

    status = 429
    code = "ResourceExhausted"

    def __init__(self, name: str) -> None:
        super().__init__(f"the instance limit is reached while '{name}' is invoked")


class AccessDenied(FcError):  # noqa: N818  # the cloud's own name
    """The signature is valid and belongs to somebody else's account."""

    status = 403
    code = "AccessDenied"
