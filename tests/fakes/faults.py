"""What a call of the fake cloud may suffer."""

from __future__ import annotations

from dataclasses import dataclass

from crossport.application.ports import CloudFailure


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What the next call of a method suffers. With ``after_effect`` the call is done and its answer is lost."""

    failure: CloudFailure
    cloud_code: str
    after_effect: bool = False


THROTTLED = Fault(failure=CloudFailure.RETRYABLE, cloud_code="Throttling.User")
UNAVAILABLE = Fault(failure=CloudFailure.RETRYABLE, cloud_code="ServiceUnavailable")
NO_PRIVILEGE = Fault(failure=CloudFailure.PRIVILEGE, cloud_code="InvalidParameter.Bandwidth")
LOST_REQUEST = Fault(failure=CloudFailure.UNKNOWN, cloud_code="NoAnswer")
LOST_ANSWER = Fault(failure=CloudFailure.UNKNOWN, cloud_code="NoAnswer", after_effect=True)
ANSWER_LOST_IN_5XX = Fault(failure=CloudFailure.RETRYABLE, cloud_code="ServiceUnavailable", after_effect=True)
