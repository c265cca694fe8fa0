"""Credentials from the environment."""

from __future__ import annotations

import pytest

from crossport.adapters.credentials import (
    Credentials,
    EnvironmentCredentials,
    MissingCredentialsError,
    from_environment,
)

VARIABLES = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI1",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret-1",
    "ALIBABA_CLOUD_SECURITY_TOKEN": "token-1",
}


def test_the_environment_is_read_anew_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert from_environment().security_token == "token-1"
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "token-2")
    assert from_environment().security_token == "token-2"
    monkeypatch.delenv("ALIBABA_CLOUD_SECURITY_TOKEN")
    assert from_environment() == Credentials(access_key_id="LTAI1", access_key_secret="secret-1")


@pytest.mark.parametrize("name", ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
def test_half_a_key_is_no_key(name: str) -> None:
    with pytest.raises(MissingCredentialsError):
        from_environment({**VARIABLES, name: ""})


def test_credentials_never_cross_accounts() -> None:
    provide = EnvironmentCredentials("1", VARIABLES)
    assert provide("1").access_key_id == "LTAI1"
    with pytest.raises(MissingCredentialsError) as caught:
        provide("2")
    assert caught.value.fields == {"account_id": "2"}


def test_secrets_are_in_no_repr() -> None:
    text = repr(from_environment(VARIABLES)) + repr(EnvironmentCredentials("1", VARIABLES))
    assert "secret-1" not in text
    assert "token-1" not in text
