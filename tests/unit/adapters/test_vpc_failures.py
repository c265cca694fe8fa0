"""What failures of the VPC API mean, as the real SDK raises them against a loopback server."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

import pytest
import stamina

from crossport.adapters.credentials import Credentials, MissingCredentialsError
from crossport.adapters.vpc import VpcCloud
from crossport.adapters.vpc.failures import RULES, failure_of
from crossport.application.ports import CloudFailure
from tests.fakes.loopback_server import Break, LoopbackServer, Reply
from tests.fakes.manual_clock import ManualClock
from tests.unit.adapters.vpc_samples import (
    CREATE,
    SECRETS,
    cloud_at,
    create,
    failure,
    ports,
    read,
    refusal,
)

RETRYABLE, UNKNOWN, PERMANENT, PRIVILEGE = (
    CloudFailure.RETRYABLE,
    CloudFailure.UNKNOWN,
    CloudFailure.PERMANENT,
    CloudFailure.PRIVILEGE,
)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture(autouse=True)
def no_waiting_between_attempts() -> Iterator[None]:
    """Two attempts as in production, without the pause between them."""
    with stamina.set_testing(True, attempts=2):
        yield


# --- Failures ---------------------------------------------------------------------------------------------------------

ANSWERS: dict[str, tuple[Reply | Break, CloudFailure, CloudFailure, str]] = {
    "throttled": (refusal(429, "Throttling.User"), RETRYABLE, RETRYABLE, "Throttling.User"),
    "throttled, 400": (refusal(400, "Throttling.Api"), RETRYABLE, RETRYABLE, "Throttling.Api"),
    "throttled, other spelling": (refusal(400, "Rejected.Throttling"), RETRYABLE, RETRYABLE, "Rejected.Throttling"),
    "retry-after": (refusal(403, "Flow", **{"x-acs-retry-after": "100"}), RETRYABLE, RETRYABLE, "Flow"),
    "unavailable": (refusal(503, "ServiceUnavailable"), RETRYABLE, RETRYABLE, "ServiceUnavailable"),
    "internal": (refusal(500, "InternalError"), RETRYABLE, RETRYABLE, "InternalError"),
    "task conflict": (refusal(400, "TaskConflict"), RETRYABLE, RETRYABLE, "TaskConflict"),
    "old token": (refusal(400, "InvalidSecurityToken.Expired"), RETRYABLE, RETRYABLE, "InvalidSecurityToken.Expired"),
    "mismatch": (refusal(400, "IdempotentParameterMismatch"), PERMANENT, PERMANENT, "IdempotentParameterMismatch"),
    "not found": (refusal(404, "ResourceNotFound.X"), PERMANENT, PERMANENT, "ResourceNotFound.X"),
    "forbidden": (refusal(403, "Forbidden.RAM"), PERMANENT, PERMANENT, "Forbidden.RAM"),
    "not implemented": (
        refusal(501, "InvalidAction.NotImplemented"),
        PERMANENT,
        PERMANENT,
        "InvalidAction.NotImplemented",
    ),
    "privilege": (refusal(400, "InvalidParameter.Bandwidth"), PRIVILEGE, PRIVILEGE, "InvalidParameter.Bandwidth"),
    "large spec": (
        refusal(400, "InvalidBandwidth.NotSupported"),
        PRIVILEGE,
        PRIVILEGE,
        "InvalidBandwidth.NotSupported",
    ),
    "HTML 502": (
        Reply(status=502, body="<html>Bad Gateway</html>", content_type="text/html"),
        UNKNOWN,
        RETRYABLE,
        "BadAnswer",
    ),
    "HTML 200": (Reply(body="<html>login</html>", content_type="text/html"), UNKNOWN, RETRYABLE, "BadAnswer"),
    "reset": (Break.RESET, UNKNOWN, RETRYABLE, "NoAnswer"),
    "closed": (Break.CLOSE, UNKNOWN, RETRYABLE, "NoAnswer"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_a_failure_of_a_write_means(server: LoopbackServer, name: str) -> None:
    answer, write, _, code = ANSWERS[name]
    server.answer(answer)
    error = failure(lambda: create(cloud_at(server)))
    assert (error.failure, error.cloud_code, error.action) == (write, code, "CreateVirtualPhysicalConnection")
    assert len(server.requests) == 1, "a write is never repeated inside the call"


@pytest.mark.parametrize("name", ANSWERS)
def test_what_a_failure_of_a_read_means(server: LoopbackServer, name: str) -> None:
    answer, _, expected, code = ANSWERS[name]
    server.answer(answer)
    error = failure(lambda: read(cloud_at(server)))
    assert (error.failure, error.cloud_code) == (expected, code)
    assert len(server.requests) == (2 if expected is RETRYABLE else 1)


def test_a_time_out_after_sending_leaves_it_open_what_happened(server: LoopbackServer) -> None:
    server.answer(Break.SILENCE)
    error = failure(lambda: create(cloud_at(server, read_timeout_ms=100)))
    assert (error.failure, error.cloud_code) == (UNKNOWN, "NoAnswer")
    assert len(server.requests) == 1
    assert failure(lambda: read(cloud_at(server, read_timeout_ms=100))).failure is RETRYABLE


def test_a_refused_connection_means_that_nothing_was_sent(server: LoopbackServer) -> None:
    server.stop()
    error = failure(lambda: create(cloud_at(server)))
    assert (error.failure, error.cloud_code) == (RETRYABLE, "NotReached")


def test_a_read_that_fails_once_is_repeated(server: LoopbackServer) -> None:
    server.answer(refusal(503, "ServiceUnavailable"), Break.RESET, ports())
    with stamina.set_testing(True, attempts=3):
        assert read(cloud_at(server)).port is None
    assert len(server.requests) == 3


def test_missing_credentials_mean_that_nothing_was_sent(server: LoopbackServer) -> None:
    def none(account_id: str) -> Credentials:
        raise MissingCredentialsError(f"no credentials of {account_id}", account_id=account_id)

    cloud = VpcCloud(credentials=none, endpoint=server.address, clock=ManualClock())
    error = failure(lambda: create(cloud))
    assert (error.failure, error.cloud_code) == (RETRYABLE, "NoCredentials")
    assert server.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        refusal(400, "SignatureDoesNotMatch", f"server string to sign is: {SECRETS[0]} {SECRETS[2]} {CREATE.token}"),
        refusal(400, "IdempotentParameterMismatch", f"the token {CREATE.token} was used"),
        Break.RESET,
        Break.CLOSE,
        Reply(status=502, body="<html></html>"),
    ],
)
def test_no_key_token_or_signature_is_in_an_error_or_its_traceback(
    server: LoopbackServer, answer: Reply | Break
) -> None:
    server.answer(answer)
    error = failure(lambda: create(cloud_at(server, security_token=SECRETS[2])))
    text = "".join(traceback.format_exception(error)) + repr(error.fields)
    signature = server.requests[0].headers["authorization"].rpartition("Signature=")[2]
    assert signature
    for secret in (*SECRETS, CREATE.token, signature):
        assert secret not in text
    assert error.__context__ is None
    assert error.__cause__ is None


def test_the_sentence_of_the_cloud_and_its_request_id_are_kept_for_people(server: LoopbackServer) -> None:
    server.answer(refusal(400, "OperationDenied.InsufficientBandwidth", "Insufficient bandwidth resources."))
    message = str(failure(lambda: create(cloud_at(server))))
    assert message == (
        "CreateVirtualPhysicalConnection: OperationDenied.InsufficientBandwidth (400): "
        "Insufficient bandwidth resources. [request R-9]"
    )


def test_codes_decide_in_the_order_of_the_table() -> None:
    for rule in RULES:
        assert failure_of(rule.pattern.replace("*", "X"), 400) is rule.failure
        assert rule.source
    assert failure_of("InvalidParameter.Bandwidth.Throttling", 400) is RETRYABLE
    assert failure_of("Whatever", 599) is RETRYABLE
    assert failure_of("Whatever", 499) is PERMANENT
    assert failure_of("Whatever", None) is PERMANENT
