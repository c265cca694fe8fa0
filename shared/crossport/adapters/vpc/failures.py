"""What a failed call means: one table, by the cloud's error code and by how far the request came; never by texts.

Texts mislead: "Invalid Bandwidth parameter" means that a permission has expired (partner guide, FAQ), and transport
errors quote the URL with its parameters. No text of a transport error enters a message of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from crossport.adapters.tea import causes
from crossport.application.errors import CloudCallError
from crossport.application.ports import CloudFailure
from crossport.domain.errors import CrossportError

#: The SDK could not parse the answer, or the answer has not the documented shape.
BAD_ANSWER = "BadAnswer"
#: The request was not sent: refused, unresolved, or no connection in time.
NOT_REACHED = "NotReached"
#: The request was sent, in part at least, and no answer came: time-out or a broken connection.
NO_ANSWER = "NoAnswer"
#: There were no credentials to sign the request with; nothing was sent.
NO_CREDENTIALS = "NoCredentials"
#: The code with which CreateVirtualPhysicalConnection reports a passed dry run (API reference, parameter DryRun).
DRY_RUN_PASSED = "DRYRUN.SUCCESS"
#: In every code that means too many calls.
THROTTLING = "Throttling"


#: Codes by which a delete call says that there is nothing left to delete; the second of each is [INF].
PORT_GONE = frozenset({"InvalidPhysicalConnectionId.NotFound", "ResourceNotFound.PhysicalConnectionId"})
VBR_GONE = frozenset({"InvalidVbrId.NotFound", "ResourceNotFound.VbrId"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: codes that match ``pattern`` (shell style, case matters) mean ``failure``; ``source`` says why."""

    pattern: str
    failure: CloudFailure
    source: str


#: The first match decides. Codes without a row: 5xx is RETRYABLE, everything else PERMANENT.
RULES = (
    # Permission to create ports. The guide gives the texts only; the codes are [INF], as the local cloud has them.
    Rule(
        "InvalidParameter.Bandwidth",
        CloudFailure.PRIVILEGE,
        'partner guide, FAQ: "Invalid Bandwidth parameter" means that the permission has expired; code [INF]',
    ),
    Rule(
        "InvalidBandwidth.NotSupported",
        CloudFailure.PRIVILEGE,
        'partner guide, FAQ: "The specified bandwidth is invalid" means that the permission has expired; code [INF]',
    ),
    # The request was turned away before it was looked at.
    Rule(f"*{THROTTLING}*", CloudFailure.RETRYABLE, "Terraform provider alicloud, NeedRetry: any code with Throttling"),
    Rule("ServiceUnavailable*", CloudFailure.RETRYABLE, "Terraform provider alicloud, NeedRetry"),
    Rule("TaskConflict", CloudFailure.RETRYABLE, "Terraform provider alicloud, VBR resources: another task runs"),
    Rule("SignatureNonceUsed", CloudFailure.RETRYABLE, "common error codes; the next try has a new nonce"),
    Rule("InvalidTimeStamp.Expired", CloudFailure.RETRYABLE, "common error codes; the next try has a new timestamp"),
    Rule(
        "InvalidSecurityToken.Expired",
        CloudFailure.RETRYABLE,
        "common error codes; the next try reads the credentials again",
    ),
    # Never a matter of time, whatever their HTTP status.
    Rule("IdempotentParameterMismatch", CloudFailure.PERMANENT, "VPC, How to ensure idempotence"),
    Rule("InvalidAction*", CloudFailure.PERMANENT, "common error codes: no such operation"),
)

#: The texts of these refusals quote what was signed, access key and nonce included.
_TEXT_QUOTES_THE_REQUEST = ("Signature*", "IncompleteSignature*", "InvalidAccessKeyId*", "InvalidSecurityToken*")
_LONGEST_TEXT = 200


def failure_of(code: str, status: int | None) -> CloudFailure:
    """What an error answer with this code and HTTP status means."""
    for rule in RULES:
        if fnmatchcase(code, rule.pattern):
            return rule.failure
    return CloudFailure.RETRYABLE if status is not None and status >= 500 else CloudFailure.PERMANENT


def bad_answer(action: str, what: str, *, write: bool) -> CloudCallError:
    """An answer that is not what the API documents. After a write nobody knows what happened."""
    failure = CloudFailure.UNKNOWN if write else CloudFailure.RETRYABLE
    return CloudCallError(f"{action}: {what}", failure=failure, cloud_code=BAD_ANSWER, action=action)


def translate(error: Exception, action: str, *, write: bool, hidden: str = "") -> CloudCallError:
    """The SDK's exception as ours. ``hidden`` (the idempotency token) is struck out of the cloud's sentence."""
    code = getattr(error, "code", None)
    if isinstance(code, str) and code not in {"", "None"}:
        return _refusal(error, code, action, hidden)
    ours = next((cause for cause in causes(error) if isinstance(cause, CrossportError)), None)
    if ours is not None:
        return CloudCallError(
            f"{action}: {ours.message}", failure=CloudFailure.RETRYABLE, cloud_code=NO_CREDENTIALS, action=action
        )
    if any(_is_before_sending(cause) for cause in causes(error)):
        return CloudCallError(
            f"{action}: the endpoint was not reached",
            failure=CloudFailure.RETRYABLE,
            cloud_code=NOT_REACHED,
            action=action,
        )
    if any(isinstance(cause, OSError) for cause in causes(error)):
        failure = CloudFailure.UNKNOWN if write else CloudFailure.RETRYABLE
        return CloudCallError(f"{action}: no answer came", failure=failure, cloud_code=NO_ANSWER, action=action)
    return bad_answer(action, "the answer could not be parsed", write=write)


def _refusal(error: Exception, code: str, action: str, hidden: str) -> CloudCallError:
    status = _attribute(error, "status_code")
    throttled = _attribute(error, "retry_after") is not None
    failure = CloudFailure.RETRYABLE if throttled else failure_of(code, status)
    data = _attribute(error, "data")
    text = str(data.get("Message") or "")[:_LONGEST_TEXT] if isinstance(data, dict) else ""
    if any(fnmatchcase(code, pattern) for pattern in _TEXT_QUOTES_THE_REQUEST):
        text = ""
    if hidden:
        text = text.replace(hidden, "***")
    request_id = _attribute(error, "request_id")
    parts = [f"{action}: {code}", f" ({status})" if status is not None else "", f": {text}" if text else ""]
    if isinstance(request_id, str) and request_id not in {"", "None"}:
        parts.append(f" [request {request_id}]")
    return CloudCallError("".join(parts), failure=failure, cloud_code=code, action=action)


def _is_before_sending(cause: BaseException) -> bool:
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    # NewConnectionError: refused, unreachable or (its subclass) a name that does not resolve.
    return isinstance(cause, NewConnectionError | ConnectTimeoutError)


def _attribute(error: BaseException, name: str) -> Any:
    return getattr(error, name, None)
