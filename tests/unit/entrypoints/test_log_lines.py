"""Log lines: JSON, one each, without secrets."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest

from crossport.entrypoints.logging import MAX_LINE, Redaction, configure

SECRET = "8fZ0q1kPz+uY/7Qk9XwT"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure({"ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET, "ALIBABA_CLOUD_ACCESS_KEY_ID": "localpartnerkey"}, stream)
    yield stream
    logging.getLogger("crossport").handlers.clear()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line_has_time_level_event_and_fields(stream: io.StringIO) -> None:
    logging.getLogger("crossport.x").warning("record", extra={"verdict": "retry", "vlan_id": 0})
    (line,) = lines(stream)
    assert line["time"].endswith("+00:00")
    assert (line["level"], line["event"], line["verdict"], line["vlan_id"]) == ("warning", "record", "retry", 0)


def test_line_stays_one_line_whatever_is_in_it(stream: io.StringIO) -> None:
    logging.getLogger("crossport.x").info("a\nb", extra={"name_of": "\ud800\u2028", "thing": object()})
    assert len(stream.getvalue().splitlines()) == 1
    assert lines(stream)[0]["event"] == "a\nb"


def test_traceback_is_in_the_line(stream: io.StringIO) -> None:
    def connect() -> None:
        raise ValueError("postgresql://crossport:hunter2hunter2@db/crossport is down")

    try:
        connect()
    except ValueError:
        logging.getLogger("crossport.x").exception("run_failed")
    (line,) = lines(stream)
    assert line["error"] == "ValueError"
    assert "test_traceback_is_in_the_line" in line["traceback"]
    assert "hunter2" not in line["traceback"]
    assert "@db/crossport is down" in line["traceback"]


def test_values_of_the_environment_are_hidden_wherever_they_stand(stream: io.StringIO) -> None:
    logging.getLogger("crossport.x").info(
        "sent %s", SECRET, extra={"deep": {"list": [f"x{SECRET}y", "localpartnerkey"]}}
    )
    assert SECRET not in stream.getvalue()
    assert lines(stream)[0]["deep"]["list"] == ["x***y", "***"]


def test_long_lines_are_cut_and_still_json(stream: io.StringIO) -> None:
    logging.getLogger("crossport.x").info("big", extra={"body": "專" * MAX_LINE})
    assert len(stream.getvalue().encode()) <= MAX_LINE + 1
    assert lines(stream)[0]["event"] == "big"


def test_configuring_twice_does_not_log_twice(stream: io.StringIO) -> None:
    configure({}, stream)
    logging.getLogger("crossport.x").info("once")
    assert len(lines(stream)) == 1


def test_what_has_not_changed_is_not_set_up_again() -> None:
    stream = io.StringIO()
    logger = configure({"MY_PASSWORD": "hunter2hunter2"}, stream)
    (handler,) = logger.handlers
    configure({"MY_PASSWORD": "hunter2hunter2"}, stream)
    assert logger.handlers == [handler]
    for environ, out in (
        ({"MY_PASSWORD": "hunter3hunter3"}, stream),
        ({"MY_PASSWORD": "hunter2hunter2", "CROSSPORT_LOG_LEVEL": "debug"}, stream),
        ({"MY_PASSWORD": "hunter2hunter2"}, io.StringIO()),
    ):
        assert configure(environ, out).handlers != [handler]
    logger.handlers.clear()


def test_rotated_credentials_of_the_process_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    for secret in ("first-security-token", "second-security-token"):
        monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", secret)
        configure(os.environ, stream)
        logging.getLogger("crossport.x").info(f"before {secret} after")
    logging.getLogger("crossport").handlers.clear()
    assert [line["event"] for line in lines(stream)] == ["before *** after"] * 2


def test_a_secret_that_joins_the_process_later_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.delenv("LATE_PASSWORD", raising=False)
    configure(os.environ, stream)
    monkeypatch.setenv("LATE_PASSWORD", "hunter2hunter2")
    configure(os.environ, stream)
    logging.getLogger("crossport.x").info("it is hunter2hunter2")
    logging.getLogger("crossport").handlers.clear()
    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "https://u:hunter2hunter2@host/path",
        "smtp://mailer:hunter2hunter2@localhost:25",
        "GET /?AccessKeyId=hunter2hunter2&Action=X",
        "https://h/hook?access_token=hunter2hunter2",
        "https://h/hook?token=hunter2hunter2",
        "host=h password=hunter2hunter2 dbname=x",
        '{"SecurityToken": "hunter2hunter2"}',
        '{"access_key_secret": "hunter2hunter2"}',
        "{'Authorization': 'hunter2hunter2'}",
        json.dumps(json.dumps({"password": "hunter2hunter2"})),
        "key LTAI5hunter2hunter2Abc is",
        "STS.NUhunter2hunter2Abcdef",
    ],
)
def test_secrets_by_their_form(text: str) -> None:
    assert "hunter2" not in Redaction()(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"ClientToken": "crossport-c-1"}',
        '{"token": "crossport-c-1"}',
        "1111|acs.vpc|e-1",
        "https://host:8443/path",
        "mail to ops@partner.example",
        "2026-01-05T09:00:00+08:00",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redaction(["short"])(text) == text
