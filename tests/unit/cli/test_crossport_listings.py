"""Lists: exact JSON, tables that fit, empty states, and what is said when there is nothing to read."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

#: The fixture ``run``: arguments in, exit code, stdout and stderr out.
Run = Callable[..., Any]
PORT = "pc-0xi5p1vb2c9w7d4e8f6g3"
VBR = "vbr-0xi9k2m4n6p8r1s3t5u7"
TENANT = "1290000000000011"
LISTS = ("connections", "ledger", "notices", "events", "findings")


@pytest.mark.parametrize("name", LISTS)
def test_an_empty_store_says_so(run: Run, empty: str, name: str) -> None:
    table = run(name, "list", "--db", empty)
    assert (table.code, table.err) == (0, "")
    assert re.fullmatch(r"No [a-z ]+\.\n", table.out)
    listed = run(name, "list", "--db", empty, "--json")
    assert (listed.code, listed.json) == (0, [])


@pytest.mark.parametrize("name", LISTS)
def test_a_database_that_is_not_there_is_not_created(run: Run, tmp_path: Path, name: str) -> None:
    path = tmp_path / "nowhere.db"
    result = run(name, "list", "--db", f"sqlite:///{path}", "--json")
    assert (result.code, result.out) == (1, "")
    assert result.err == f"crossport: there is no database at {path}: run crossport migrate\n"
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_tables_asks_for_a_migration(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE stranger (id)")
    connection.close()
    result = run("connections", "list", "--db", f"sqlite:///{path}")
    assert result.code == 1
    assert result.err.endswith("run crossport migrate\n")


def test_a_file_that_is_no_database(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough")
    result = run("ledger", "list", "--db", f"sqlite:///{path}")
    assert (result.code, result.err) == (1, f"crossport: {path} is not a SQLite database\n")
    assert run("ledger", "list", "--db", f"sqlite:///{tmp_path}").code == 1


@pytest.mark.parametrize("url", ["x", "sqlite://x", "mysql://user:secret@host/db", "sqlite:///:memory:"])
def test_a_url_that_no_engine_serves_is_misuse_and_is_not_repeated(run: Run, url: str) -> None:
    result = run("events", "list", "--db", url)
    assert result.code == 2
    assert "sqlite:////absolute/path" in result.err
    assert "secret" not in result.err


def test_without_a_database_the_option_and_the_variable_are_named(run: Run) -> None:
    result = run("notices", "list")
    assert result.code == 2
    assert "--db" in result.err
    assert "CROSSPORT_DB" in result.err


def test_the_database_may_come_from_the_environment(run: Run, empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSPORT_DB", empty)
    assert run("connections", "list", "--json").json == []


def test_connections_as_json(run: Run, lived: str) -> None:
    listed = run("connections", "list", "--db", lived, "--json").json
    active = next(row for row in listed if row["phase"] == "active")
    assert active["vlan_id"] == 0
    assert (active["port_id"], active["vbr_id"], active["tenant_uid"]) == (PORT, VBR, TENANT)
    assert {each["code"] for each in active["violations"]} == {"second_vbr", "wrong_vlan"}
    assert {
        "connection_id", "phase", "flow", "origin", "account_id", "region", "circuit_id", "port_id", "vlan_id",
        "vbr_id", "tenant_uid", "spec", "order_mode", "violations", "updated_at",
    } <= set(active)  # fmt: skip
    assert len(listed) == 2


def test_connections_by_phase(run: Run, lived: str) -> None:
    listed = run("connections", "list", "--phase", "rejected", "--db", lived, "--json").json
    assert [row["phase"] for row in listed] == ["rejected"]
    assert run("connections", "list", "--phase", "offered", "--db", lived).out == "No connections are offered.\n"
    wrong = run("connections", "list", "--phase", "lost", "--db", lived)
    assert wrong.code == 2
    assert "'lost' is not one of 'rejected'" in wrong.err


def test_one_connection(run: Run, lived: str) -> None:
    listed = run("connections", "list", "--phase", "active", "--db", lived, "--json").json
    connection_id = listed[0]["connection_id"]
    shown = run("connections", "show", connection_id, "--db", lived, "--json")
    assert listed[0].items() <= shown.json.items()
    told = run("connections", "show", connection_id, "--db", lived).out
    for part in ("second_vbr vbr-2: ", "VLAN ID           0\n", "last_mile_ready, noc", "port_usage", "No findings."):
        assert part in told


def test_a_refused_order_shows_every_reason(run: Run, lived: str) -> None:
    listed = run("connections", "list", "--phase", "rejected", "--db", lived, "--json").json
    told = " ".join(run("connections", "show", listed[0]["connection_id"], "--db", lived).out.split())
    for refusal in listed[0]["refusals"]:
        assert f"{refusal['code']}: {refusal['message']}" in told
    assert {"spec_not_offered", "vlan_taken"} <= {refusal["code"] for refusal in listed[0]["refusals"]}


@pytest.mark.parametrize("command", [("connections", "show", "conn-x"), ("ledger", "list", "--connection", "conn-x")])
def test_an_unknown_connection(run: Run, lived: str, command: tuple[str, ...]) -> None:
    result = run(*command, "--db", lived, "--json")
    assert (result.code, result.out, result.err) == (1, "", "crossport: no connection conn-x\n")


def test_amounts_are_exact_text(run: Run, lived: str) -> None:
    listed = run("ledger", "list", "--db", lived, "--json").json
    usage = next(row for row in listed if row["kind"] == "port_usage")
    assert (usage["amount"], usage["unit_price"], usage["currency"], usage["payer"]) == ("55.00", "55", "USD", TENANT)
    same = run("ledger", "list", "--connection", usage["connection_id"], "--db", lived, "--json").json
    assert same == listed
    told = run("ledger", "list", "--db", lived).out
    assert "55.00 USD" in told
    assert "2026-12-24 19:10" in told  # UTC+8, as the heading says


def test_notices_tell_where_each_was_sent(run: Run, lived: str) -> None:
    listed = run("notices", "list", "--db", lived, "--json").json
    sent = [row for row in listed if row["receipts"]]
    assert [receipt["recipient"] for row in sent for receipt in row["receipts"]] == ["network@tenant-one.example"]
    told = run("notices", "list", "--db", lived).out
    assert "mail to network@tenant-one.example" in told
    assert "waiting" in told


def test_events_with_a_limit(run: Run, lived: str) -> None:
    listed = run("events", "list", "--db", lived, "--json").json
    assert {row["verdict"] for row in listed} == {"applied", "rejected", "ignored"}
    assert run("events", "list", "--limit", 1, "--db", lived, "--json").json == listed[:1]
    assert run("events", "list", "--limit", 0, "--db", lived).code == 2


def test_no_escape_sequence_of_a_stranger_reaches_the_terminal(run: Run, lived: str) -> None:
    for arguments in (("--json",), ()):
        assert "\x1b" not in run("events", "list", "--db", lived, *arguments).out


@pytest.mark.parametrize("name", LISTS)
def test_tables_fit_a_hundred_columns_and_end_no_line_with_blanks(run: Run, lived: str, name: str) -> None:
    for line in run(name, "list", "--db", lived).out.splitlines():
        assert len(line) <= 100
        assert line == line.rstrip()


def test_tables_never_shorten_an_id(run: Run, lived: str) -> None:
    told = run("connections", "list", "--db", lived).out
    for row in run("connections", "list", "--db", lived, "--json").json:
        assert row["connection_id"] in told
    assert PORT in told
    assert VBR in told
    assert TENANT in told
    assert "…" not in told
