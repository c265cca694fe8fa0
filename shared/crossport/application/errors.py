"""Errors of the use cases, one class for each situation."""

from __future__ import annotations

from typing import ClassVar

from crossport.application.ports import CloudFailure
from crossport.domain.errors import CrossportError


class CloudCallError(CrossportError):
    """A call to the cloud failed. ``failure`` says what may be done; ``cloud_code`` is the cloud's own error code."""

    code: ClassVar[str] = "cloud_call_failed"

    def __init__(self, message: str, *, failure: CloudFailure, cloud_code: str, action: str) -> None:
        super().__init__(message, failure=str(failure), cloud_code=cloud_code, action=action)
        self.failure = failure
        self.cloud_code = cloud_code
        self.action = action


class QueueUnavailableError(CrossportError):
    """A queue could not be reached or did not take the message."""

    code: ClassVar[str] = "queue_unavailable"
    retryable: ClassVar[bool] = True


class FunctionUnavailableError(CrossportError):
    """Function Compute could not be reached, or could not run the function now. It may have run."""

    code: ClassVar[str] = "function_unavailable"
    retryable: ClassVar[bool] = True


class SendFailedError(CrossportError):
    """A channel did not take a message; it may take it later."""

    code: ClassVar[str] = "send_failed"
    retryable: ClassVar[bool] = True


class SendRefusedError(CrossportError):
    """A channel refused a message for good, such as an address that does not exist."""

    code: ClassVar[str] = "send_refused"


class StoreUnavailableError(CrossportError):
    """The store could not be reached or is locked. Nothing was written, or a lost connection left that unknown.

    Doing it again is safe either way: versions, leases and inbox keys tell what was written.
    """

    code: ClassVar[str] = "store_unavailable"
    retryable: ClassVar[bool] = True


class NotConfiguredError(CrossportError):
    """The store holds no configuration yet: run ``crossport apply``."""

    code: ClassVar[str] = "not_configured"
    retryable: ClassVar[bool] = True


class StoreNotMigratedError(CrossportError):
    """The database has no tables of Crossport's yet: run ``crossport migrate``."""

    code: ClassVar[str] = "store_not_migrated"
    retryable: ClassVar[bool] = True


class UnknownStoreError(CrossportError):
    """The store's URL names no engine that this installation has."""

    code: ClassVar[str] = "unknown_store"


class IntegrityConflictError(CrossportError):
    """A write broke a promise of the store, such as one hold for a VLAN ID; nothing of the call was written.

    Of a batch, ``connection_id`` names the save that did it: save the others without it, then its events alone.
    """

    code: ClassVar[str] = "integrity_conflict"

    def __init__(self, message: str, *, connection_id: str | None = None) -> None:
        super().__init__(message, connection_id=connection_id)
        self.connection_id = connection_id


class UnreadableDocumentError(CrossportError):
    """A stored document has a layout that this release does not know: it was written by another one."""

    code: ClassVar[str] = "unreadable_document"
