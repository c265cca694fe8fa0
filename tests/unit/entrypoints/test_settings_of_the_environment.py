"""Settings: complete, checked at once, and silent about secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossport.entrypoints.errors import SettingsError
from crossport.entrypoints.settings import Settings

CLOUD = {
    "CROSSPORT_DB": "postgresql://crossport:hunter2hunter2@db.internal:5432/crossport",
    "CROSSPORT_REGION": "us-east-1",
    "CROSSPORT_MNS_ENDPOINT": "https://1111.mns.us-east-1.aliyuncs.com",
    "CROSSPORT_VPC_ENDPOINT": "vpc.us-east-1.aliyuncs.com",
    "FC_FUNCTION_NAME": "relay",
    "FC_ACCOUNT_ID": "1111",
}
LOCAL = {
    "CROSSPORT_DB": "sqlite:////tmp/x.db",
    "CROSSPORT_REGION": "us-east-1",
    "CROSSPORT_MNS_ENDPOINT": "http://127.0.0.1:8101",
    "CROSSPORT_VPC_ENDPOINT": "127.0.0.1:8100",
    "CROSSPORT_FC_ENDPOINT": "[::1]:8102",
    "CROSSPORT_SMTP_URL": "smtp://mailer:hunter2hunter2@localhost:2525",
    "CROSSPORT_MAIL_FROM": "noc@partner.example",
    "CROSSPORT_CLOCK": "/tmp/clock",
    "FC_FUNCTION_NAME": "relay",
}


def problems(environ: dict[str, str], *needs: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        Settings.read(environ, needs=needs)
    return caught.value.problems


def test_on_function_compute() -> None:
    settings = Settings.read(CLOUD)
    assert settings.region == "us-east-1"
    assert settings.account_id == "1111"
    assert settings.clock_file is None


def test_in_the_local_cloud() -> None:
    settings = Settings.read(LOCAL)
    assert settings.database_url == "sqlite:////tmp/x.db"
    assert settings.clock_file == Path("/tmp/clock")
    assert settings.vpc_endpoint == "127.0.0.1:8100"


def test_secrets_are_in_no_repr() -> None:
    assert "hunter2" not in repr(Settings.read(CLOUD)) + repr(Settings.read(LOCAL))


def test_everything_that_is_missing_is_said_at_once() -> None:
    assert problems({}, "CROSSPORT_MNS_ENDPOINT") == (
        "CROSSPORT_DB is missing",
        "CROSSPORT_REGION is missing",
        "CROSSPORT_MNS_ENDPOINT is missing",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CROSSPORT_DB", "mysql://root:hunter2hunter2@h/db"),
        ("CROSSPORT_DB", "postgresql://"),
        ("CROSSPORT_DB", "postgresql:///crossport"),
        ("CROSSPORT_DB", "postgresql:///crossport?host=hunter2hunter2"),
        ("CROSSPORT_DB", "sqlite:x.db"),
        ("CROSSPORT_DB", "/tmp/hunter2hunter2.db"),
        ("CROSSPORT_DB", "postgresql://u:hunter2hunter2@h:99999999/db"),
        ("CROSSPORT_REGION", "Virginia hunter2hunter2"),
        ("CROSSPORT_VPC_ENDPOINT", "https://hunter2hunter2"),
        ("CROSSPORT_VPC_ENDPOINT", "127.0.0.1:99999"),
        ("CROSSPORT_MNS_ENDPOINT", "127.0.0.1:8101"),
        ("CROSSPORT_MNS_ENDPOINT", "http://["),
        ("CROSSPORT_SMTP_URL", "http://u:hunter2hunter2@h"),
        ("CROSSPORT_MAIL_FROM", "hunter2hunter2"),
        ("CROSSPORT_MAIL_FROM", "a@b.example\r\nBcc: hunter2hunter2@c.example"),
    ],
)
def test_wrong_values_are_named_but_never_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.read({**LOCAL, name: value})
    assert any(problem.startswith(name) for problem in caught.value.problems)
    assert "hunter2" not in str(caught.value)


def test_mail_needs_a_sender() -> None:
    environ = {**CLOUD, "CROSSPORT_SMTP_URL": "smtps://u:p@smtp.partner.example"}
    assert problems(environ) == ("CROSSPORT_MAIL_FROM is missing (CROSSPORT_SMTP_URL needs it)",)
    named = {**environ, "CROSSPORT_MAIL_FROM": "Partner NOC <noc@partner.example>"}
    assert Settings.read(named).mail_from == "Partner NOC <noc@partner.example>"


def test_the_local_mail_server_takes_any_sender() -> None:
    environ = {name: value for name, value in LOCAL.items() if name != "CROSSPORT_MAIL_FROM"}
    assert Settings.read(environ).mail_from == "crossport@localhost"


def test_embedded_database_is_refused_on_function_compute() -> None:
    (problem,) = problems({**CLOUD, "CROSSPORT_DB": "sqlite:////tmp/x.db"})
    assert problem.startswith("CROSSPORT_DB must be PostgreSQL")


def test_embedded_database_is_fine_on_one_host() -> None:
    environ = {name: value for name, value in CLOUD.items() if name != "FC_FUNCTION_NAME"}
    assert Settings.read({**environ, "CROSSPORT_DB": "sqlite:///x.db"}).database_url == "sqlite:///x.db"


@pytest.mark.parametrize(
    "change",
    [
        {"CROSSPORT_MNS_ENDPOINT": "https://1111.mns.us-east-1.aliyuncs.com"},
        {"CROSSPORT_VPC_ENDPOINT": "vpc.us-east-1.aliyuncs.com"},
        {"CROSSPORT_VPC_ENDPOINT": "127.0.0.1.example.com"},
        {"CROSSPORT_FC_ENDPOINT": "10.0.0.1:80"},
    ],
)
def test_one_real_endpoint_is_enough_to_refuse_what_is_local(change: dict[str, str]) -> None:
    found = problems({**LOCAL, **change})
    assert any(problem.startswith("CROSSPORT_DB") for problem in found)
    assert "CROSSPORT_CLOCK is for loopback endpoints only" in found


def test_without_any_endpoint_the_clock_is_refused() -> None:
    environ = {name: LOCAL[name] for name in ("CROSSPORT_DB", "CROSSPORT_REGION", "CROSSPORT_CLOCK")}
    assert problems(environ) == ("CROSSPORT_CLOCK is for loopback endpoints only",)


def test_a_postgresql_server_may_be_a_unix_socket() -> None:
    for url in ("postgresql:///crossport?host=/run/postgresql", "postgresql://me@/db?connect_timeout=3&host=%2Frun"):
        assert Settings.read({**LOCAL, "CROSSPORT_DB": url}).database_url == url
