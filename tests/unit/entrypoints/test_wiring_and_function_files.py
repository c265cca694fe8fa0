"""The composition root is lazy, and the function files are as thin as they promise."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from crossport.application.errors import NotConfiguredError
from crossport.application.ports import Store
from crossport.entrypoints.clock import OffsetClock, SystemClock
from crossport.entrypoints.settings import Settings
from crossport.entrypoints.wiring import POLICIES_FRESH, build
from tests.fakes.manual_clock import ManualClock

FUNCTIONS = Path(__file__).resolve().parents[3] / "functions"
NAMES = ["billing", "dead_letters", "deadlines", "notices", "orders", "port_events", "reconcile", "relay", "vbr_events"]
HEAVY = [
    "pydantic",
    "mns",
    "alibabacloud_vpc20160428",
    "alibabacloud_tea_openapi",
    "jinja2",
    "babel",
    "holidays",
    "sqlite3",
]

PORTS = Settings(database_url="sqlite:////nowhere/x.db", region="us-east-1")


def loaded_after(code: str) -> list[str]:
    """Which heavy packages a fresh interpreter has loaded after running the code."""
    script = f"{code}\nimport sys, json\nprint(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    names: list[str] = json.loads(result.stdout)
    return names


@pytest.mark.parametrize("name", NAMES)
def test_function_offers_what_s_yaml_calls_and_loads_nothing_heavy(name: str) -> None:
    code = f"import sys; sys.path.insert(0, {str(FUNCTIONS / name)!r}); import index\n"
    code += "assert all(callable(getattr(index, hook)) for hook in ('handler', 'initialize', 'pre_stop'))"
    assert loaded_after(code) == []


def test_opening_an_envelope_and_reading_the_record_needs_no_pydantic() -> None:
    code = "from crossport.entrypoints.records import to_record\n"
    code += "from crossport.entrypoints.envelope import open_envelope\n"
    code += "[to_record(one) for one in open_envelope(b'{}')]"
    assert loaded_after(code) == []


@pytest.mark.parametrize("name", NAMES)
def test_function_file_is_thin_and_says_what_triggers_it(name: str) -> None:
    text = (FUNCTIONS / name / "index.py").read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert 10 <= len(text.splitlines()) <= 30
    assert "Triggered by" in (ast.get_docstring(tree) or "")
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert imported
    assert all(module is not None and module.startswith("crossport.entrypoints.") for module in imported)
    assert not any(isinstance(node, ast.Import) for node in ast.walk(tree))


def test_there_are_no_other_functions() -> None:
    assert sorted(file.parent.name for file in FUNCTIONS.glob("*/index.py")) == NAMES


def test_clock_is_the_one_that_the_settings_name(tmp_path: Path) -> None:
    assert isinstance(build(PORTS, {}).clock, SystemClock)
    local = Settings(database_url="sqlite:///x", region="us-east-1", clock_file=tmp_path / "clock")
    assert isinstance(build(local, {}).clock, OffsetClock)


@dataclass
class Configured:
    """A store of which only the configuration is asked."""

    answers: list[tuple[int, dict[str, Any]] | None]
    asked: int = 0
    closed: bool = False

    def configuration(self) -> tuple[int, dict[str, Any]] | None:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]

    def close(self) -> None:
        self.closed = True


def document(account_id: str) -> dict[str, Any]:
    contact = {"name": "NOC", "email": "noc@partner.example", "language": "en", "zone": "UTC"}
    account = {
        "account_id": account_id,
        "name": "Partner",
        "site": "international",
        "regions": ["us-east-1"],
        "currency": "USD",
        "contact": contact,
    }
    return {"version": 1, "partner": {"name": "Partner"}, "accounts": [account]}


def test_policies_are_read_again_when_they_have_aged_and_parsed_when_their_version_changes() -> None:
    app, clock = build(PORTS, {}), ManualClock()
    store = Configured([(1, document("1111")), (1, {"never": "read"}), (2, document("2222")), (3, document("3333"))])
    app.given_store, app.clock = cast("Store", store), clock
    seen = []
    for age in (timedelta(0), POLICIES_FRESH - timedelta(seconds=1), timedelta(seconds=1), POLICIES_FRESH):
        clock.advance(age)
        seen.append(app.policies())
    assert seen[0] is seen[1] is seen[2]
    assert [list(policies.accounts()) for policies in (seen[0], seen[3])] == [["1111"], ["2222"]]
    clock.advance(timedelta(hours=-1))
    assert list(app.policies().accounts()) == ["3333"], "a clock that is set back does not keep them"


def test_nothing_applied_yet_is_an_error_with_a_code() -> None:
    app = build(PORTS, {})
    app.given_store = cast("Store", Configured([None]))
    with pytest.raises(NotConfiguredError):
        app.policies()


def test_close_closes_what_is_open() -> None:
    app = build(PORTS, {})
    store = Configured([None])
    app.given_store = cast("Store", store)
    app.given_queue = SimpleNamespace(send=lambda queue, body: "m")
    app.close()
    assert store.closed


def test_without_a_queue_service_there_is_no_poke() -> None:
    app = build(PORTS, {})
    app.poke()
    assert app.given_poke_queue is None


def test_without_a_mail_server_there_is_no_sender() -> None:
    assert build(PORTS, {}).senders() == []


def test_mail_server_makes_a_mail_sender() -> None:
    local = Settings(
        database_url="sqlite:///x", region="us-east-1", smtp_url="smtp://127.0.0.1:25", mail_from="noc@partner.example"
    )
    (sender,) = build(local, {}).senders()
    assert sender.channel == "mail"
