"""``crossport orders``: everything wrong with a file at once, and all of it sent or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crossport.cli import orders
from tests.fakes.memory_queue import MemoryQueue
from tests.unit.cli.conftest import ACCOUNT, CIRCUIT, START, TENANT

Run = Callable[..., Any]

ENDPOINT = "http://127.0.0.1:1"
ORDER: dict[str, Any] = {
    "type": "order.new",
    "client_order_id": "PO-1",
    "account_id": ACCOUNT,
    "circuit_id": CIRCUIT,
    "tenant_uid": TENANT,
    "spec": "200M",
    "order_mode": "PayByVirtualPhysicalConnectionOwner",
    "vlan_id": 0,
}
CEASE = {"type": "order.cease", "client_order_id": "END-1", "account_id": ACCOUNT, "order": "PO-1", "actor": "noc"}
HEADER = "client_order_id,account_id,circuit_id,tenant_uid,spec,order_mode,vlan_id,purchase_order,milestones"


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> MemoryQueue:
    queue = MemoryQueue(SimpleNamespace(now=lambda: START), ["orders"])
    monkeypatch.delenv("CROSSPORT_MNS_ENDPOINT", raising=False)
    monkeypatch.setattr(orders, "open_queue", {ENDPOINT: queue}.__getitem__)
    return queue


def sent(queue: MemoryQueue) -> list[Any]:
    return [json.loads(message.body) for message in queue.receive("orders", 16)]


def written(folder: Path, content: Any, name: str = "orders.json") -> Path:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def row(number: str, vlan_id: str = "", milestones: str = "") -> str:
    mode = "PayByVirtualPhysicalConnectionOwner"
    return f"{number},{ACCOUNT},{CIRCUIT},{TENANT},200M,{mode},{vlan_id},,{milestones}"


def test_one_message_is_checked_and_sent_as_it_stands(run: Run, queue: MemoryQueue, tmp_path: Path) -> None:
    file = written(tmp_path, ORDER)
    checked = run("orders", "validate", file)
    assert (checked.code, checked.err) == (0, "")
    assert "1 message in" in checked.out
    assert sent(queue) == []
    result = run("orders", "submit", file, "--mns-endpoint", ENDPOINT)
    assert (result.code, result.err) == (0, "")
    assert sent(queue) == [ORDER]


def test_an_array_of_orders_and_requests_is_sent_in_its_order(
    run: Run, queue: MemoryQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSPORT_MNS_ENDPOINT", ENDPOINT)
    result = run("orders", "submit", written(tmp_path, [ORDER, CEASE]), "--json")
    assert result.code == 0
    assert result.json["sent"] == 2
    assert sent(queue) == [ORDER, CEASE]


def test_a_csv_file_holds_one_new_order_a_row(run: Run, queue: MemoryQueue, tmp_path: Path) -> None:
    milestones = '"[{""name"": ""quoted"", ""at"": ""2026-01-05T09:00:00Z"", ""actor"": ""sales""}]"'
    content = "\ufeff" + "\r\n".join([HEADER, row("PO-1", "0"), "", row("PO-2", milestones=milestones)]) + "\r\n"
    result = run("orders", "submit", written(tmp_path, content, "orders.csv"), "--mns-endpoint", ENDPOINT)
    assert (result.code, result.err) == (0, "")
    first, second = sent(queue)
    assert first == ORDER
    assert "vlan_id" not in second
    assert second["milestones"][0]["name"] == "quoted"


def test_every_reason_of_every_row_is_told_and_nothing_is_sent(run: Run, queue: MemoryQueue, tmp_path: Path) -> None:
    content = "\n".join([HEADER, row("PO-1", "12a"), row("PO-2", "3000") + ",surplus", row("PO-3"), row("PO-3", "7")])
    file = written(tmp_path, content, "orders.csv")
    result = run("orders", "submit", file, "--mns-endpoint", ENDPOINT)
    assert (result.code, result.out) == (2, "")
    lines = result.err.splitlines()
    assert lines[0] == f"crossport: 4 problems in {file}:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["row 2", "row 3", "row 3", "row 5"]
    for code in ("vlan_malformed", "vlan_out_of_range", "unknown_field", "duplicate_id"):
        assert f"({code})" in result.err
    assert sent(queue) == []
    told = run("orders", "validate", file, "--json")
    assert told.code == 2
    assert told.json["valid"] is False
    assert [problem["row"] for problem in told.json["problems"]] == [2, 3, 3, 5]


def test_a_dry_run_needs_no_queue_and_sends_nothing(run: Run, queue: MemoryQueue, tmp_path: Path) -> None:
    result = run("orders", "submit", written(tmp_path, [ORDER]), "--dry-run")
    assert result.code == 0
    assert "would be sent" in result.out
    assert sent(queue) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "not JSON"),
        ("a.json", "[]", "no orders in it"),
        ("a.csv", "", "no orders in it"),
        ("a.csv", "client_order_id,vlan\nPO-1,7\n", "row 1: vlan is no field of order.new"),
        ("a.csv", "spec;vlan_id\n1G;7\n", "row 1: semicolons between the cells; save it with commas"),
        ("a.csv", "spec\tvlan_id\n1G\t7\n", "row 1: tabs between the cells; save it with commas"),
        ("a.csv", "spec,spec\n1G,1G\n", "row 1: spec stands there twice"),
        ("a.csv", f'{HEADER}\n"PO-1', "not CSV"),
        ("a.json", '{"type": "outbox.poke"}', "not a message of the queue orders"),
        ("a.json", '["order.new"]', "not JSON (not_json)"),
    ],
)
def test_a_file_without_orders_is_refused(
    run: Run, queue: MemoryQueue, tmp_path: Path, name: str, content: str, message: str
) -> None:
    result = run("orders", "submit", written(tmp_path, content, name), "--mns-endpoint", ENDPOINT)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert name in result.err


def test_a_file_that_is_not_there_or_no_text_is_misuse(run: Run, tmp_path: Path) -> None:
    assert "cannot be read" in run("orders", "validate", tmp_path / "none.json").err
    file = tmp_path / "a.csv"
    file.write_bytes(b"\xff\xfe")
    result = run("orders", "validate", file)
    assert (result.code, "not UTF-8" in result.err) == (2, True)


def test_without_a_queue_service_nothing_is_sent(run: Run, queue: MemoryQueue, tmp_path: Path) -> None:
    result = run("orders", "submit", written(tmp_path, ORDER))
    assert (result.code, "CROSSPORT_MNS_ENDPOINT" in result.err) == (2, True)


def test_an_interruption_says_how_far_it_came(run: Run, queue: MemoryQueue, tmp_path: Path) -> None:
    other = {**ORDER, "client_order_id": "PO-2"}
    queue.fail_next_send("orders")
    result = run("orders", "submit", written(tmp_path, [ORDER, other]), "--mns-endpoint", ENDPOINT)
    assert (result.code, result.out) == (1, "")
    assert "row 1 could not be sent, 0 of 2 were" in result.err


def test_credentials_come_from_the_environment(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"):
        monkeypatch.delenv(name, raising=False)
    result = run("orders", "submit", written(tmp_path, ORDER), "--mns-endpoint", ENDPOINT)
    assert (result.code, "ALIBABA_CLOUD_ACCESS_KEY_ID" in result.err) == (1, True)
