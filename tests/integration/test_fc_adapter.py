"""``adapters.fc`` through the official SDK against the local Function Compute: answers, failures, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crossport.adapters.credentials import Credentials, MissingCredentialsError
from crossport.adapters.fc import FunctionCompute, FunctionRefusedError
from crossport.application.errors import FunctionUnavailableError
from tests.integration.localcloud.test_fc_sdk import Served, call

__all__ = ["call"]

Call = Callable[[Callable[[Served], Any]], Any]


def compute(api: Served, secret: str = "", endpoint: str = "") -> FunctionCompute:
    """The adapter with the key of the functions' owner."""
    key = Credentials(access_key_id=api.owner.access_key_id, access_key_secret=secret or api.owner.access_key_secret)
    return FunctionCompute(region="us-east-1", endpoint=endpoint or api.address, credentials=lambda: key)


def test_bytes_go_and_come_unchanged(call: Call) -> None:
    def client_code(api: Served) -> None:
        adapter = compute(api)
        for payload in (b"\x00abc\xff", b"", bytes(range(256)) * 700):
            answer = adapter.invoke("f", payload)
            assert (answer.payload, answer.error_type) == (payload[::-1], "")

    call(client_code)


def test_a_function_that_failed_is_an_answer(call: Call) -> None:
    def client_code(api: Served) -> None:
        answer = compute(api).invoke("f", b"bad")
        assert answer.error_type == "UnhandledInvocationError"
        assert b"bad VLAN" in answer.payload

    call(client_code)


def test_what_the_service_refuses_is_refused_for_good_and_says_nothing_of_the_key(call: Call) -> None:
    def client_code(api: Served) -> None:
        for adapter, name, code in (
            (compute(api), "nothing", "FunctionNotFound"),
            (compute(api, secret="wrong-secret"), "f", "SignatureDoesNotMatch"),
        ):
            with pytest.raises(FunctionRefusedError) as caught:
                adapter.invoke(name, b"")
            assert caught.value.fields["cloud_code"] == code
            assert not caught.value.retryable
            assert "secret" not in caught.value.message

    call(client_code)


def test_a_service_that_is_out_of_reach_may_be_asked_again(call: Call) -> None:
    def client_code(api: Served) -> None:
        with pytest.raises(FunctionUnavailableError) as caught:
            compute(api, endpoint="127.0.0.1:9").invoke("f", b"")
        assert caught.value.retryable

    call(client_code)


def test_without_a_key_nothing_is_asked(call: Call) -> None:
    def none() -> Credentials:
        raise MissingCredentialsError("no key")

    def client_code(api: Served) -> None:
        adapter = FunctionCompute(region="us-east-1", endpoint=api.address, credentials=none)
        with pytest.raises(MissingCredentialsError):
            adapter.invoke("f", b"")

    call(client_code)
