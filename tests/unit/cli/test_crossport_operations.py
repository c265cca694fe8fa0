"""``crossport obligations`` and ``crossport circuits``: what a network operations centre asks first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.unit.cli.conftest import ACCOUNT, CIRCUIT, TENANT

#: The fixture ``run``: arguments in, exit code, stdout and stderr out.
Run = Callable[..., Any]
SECOND = "pc-dc11equinix0000002"


def test_broken_obligations_come_with_their_evidence_and_exit_code_1(run: Run, lived: str) -> None:
    shown = run("obligations", "--db", lived)
    assert shown.code == 1
    assert "1 of 1 circuits at DC11 Virginia" in shown.out
    assert "2 are promised" in " ".join(shown.out.split())
    told = run("obligations", "--db", lived, "--json").json
    assert told["kept"] is False
    assert {one["obligation"] for one in told["broken"]} == {"circuits_an_access_point"}
    assert {one["name"]: one["state"] for one in told["obligations"]}["arp_limited"] == "cannot check"


def test_kept_obligations_end_with_exit_code_0(run: Run, empty: str) -> None:
    shown = run("obligations", "--db", empty)
    assert shown.code == 0
    assert "Every obligation that can be checked is kept." in shown.out
    assert run("obligations", "--db", empty, "--json").json["kept"] is True


def test_circuits_are_listed_with_what_lies_on_them(run: Run, lived: str) -> None:
    shown = run("circuits", "list", "--db", lived)
    assert shown.code == 0
    assert CIRCUIT in shown.out
    rows = {row["circuit_id"]: row for row in run("circuits", "list", "--db", lived, "--json").json}
    assert (rows[CIRCUIT]["ports"], rows[CIRCUIT]["tenants"], rows[CIRCUIT]["held_mbps"]) == (1, 1, 200)
    assert rows[SECOND]["ports"] == 0


def test_the_impact_of_a_circuit_names_connections_siblings_and_who_is_told(run: Run, lived: str) -> None:
    shown = run("circuits", "impact", CIRCUIT, "--db", lived)
    assert shown.code == 0
    assert "Without this circuit 1 of 1 connections are cut off (1 tenant), 0 are carried by a sibling." in shown.out
    assert "noc@partner.example" in shown.out
    told = run("circuits", "impact", CIRCUIT, "--db", lived, "--json").json
    (connection,) = told["connections"]
    assert (connection["phase"], connection["vlan_id"], connection["without_it"]) == ("active", 0, "cut off")
    assert connection["tenant"] == "Tenant One"
    assert [(each["party"], each["tenant_uid"], each["cut_off"]) for each in told["told"]] == [
        ("partner", "1180000000000001", 1),
        ("tenant", TENANT, 1),
    ]


def test_the_impact_of_an_unknown_circuit_is_an_error_in_one_line(run: Run, lived: str) -> None:
    shown = run("circuits", "impact", "pc-nowhere", "--db", lived)
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == "crossport: no circuit pc-nowhere\n"


def test_a_pause_is_told_by_every_list_and_by_the_status(run: Run, lived: str) -> None:
    assert run("status", "--db", lived).out.count("running") == 1
    shown = run("pause", "--db", lived, "--actor", "wang", "--reason", "a fibre is cut")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("PAUSED: commands to the cloud wait in all accounts.")
    told = "crossport: PAUSED in all accounts by wang: a fibre is cut (commands to the cloud wait: crossport resume)\n"
    for words in (("connections", "list"), ("outbox", "list", "--json"), ("circuits", "impact", CIRCUIT), ("status",)):
        assert run(*words, "--db", lived).err == told
    assert "PAUSED in all accounts since" in run("status", "--db", lived).out
    status = run("status", "--db", lived, "--json").json
    assert (status["paused"], status["pauses"][0]["reason"]) == (True, "a fibre is cut")
    assert run("resume", "--db", lived, "--actor", "wang", "--reason", "mended").code == 0
    assert run("connections", "list", "--db", lived).err == ""


def test_the_first_pause_stands_and_a_second_is_told_of_it(run: Run, lived: str) -> None:
    assert run("pause", "--db", lived, "--actor", "wang", "--reason", "first", "--json").json["changed"] is True
    again = run("pause", "--db", lived, "--actor", "li", "--reason", "second", "--json").json
    assert (again["changed"], again["actor"], again["reason"]) == (False, "wang", "first")
    assert "by wang: first. Nothing has changed." in run("pause", "--db", lived, "--reason", "third").out


def test_an_accounts_pause_outlives_the_end_of_the_pause_of_everything(run: Run, lived: str) -> None:
    for account in ((), ("--account", ACCOUNT)):
        assert run("pause", "--db", lived, "--reason", "a reason", "--actor", "wang", *account).code == 0
    shown = run("resume", "--db", lived, "--reason", "mended")
    assert "STILL PAUSED: account 1180000000000001" in shown.out
    assert run("resume", "--db", lived, "--reason", "mended", "--account", ACCOUNT, "--json").json["pauses"] == []
    assert run("resume", "--db", lived, "--reason", "mended").out == "Nothing was paused in all accounts.\n"


def test_a_pause_that_would_hold_nothing_or_says_nothing_is_refused(run: Run, lived: str) -> None:
    assert run("pause", "--db", lived, "--reason", "x", "--account", "42").code == 1
    assert run("pause", "--db", lived, "--reason", " ").code == 2
    assert run("pause", "--db", lived).code == 2
    assert run("status", "--db", lived, "--json").json["pauses"] == []


def test_the_status_counts_what_waits_and_what_was_given_up(run: Run, lived: str) -> None:
    told = run("status", "--db", lived, "--json").json
    assert told["connections"] == {"active": 1, "rejected": 1}
    assert told["outbox"]["notices"]["due"] > 0
    assert told["outbox"]["commands"]["failed"] == 0
    assert told["circuits"] == {"known": 2, "compared": 0, "broken_off": 0, "oldest": None}
    shown = run("status", "--db", lived).out
    assert "1 active, 1 rejected" in shown
    assert "0 of 2 with the cloud: crossport reconcile" in shown


PLAN = ("maintenance", "plan", "--circuit", CIRCUIT, "--zone", "America/New_York", "--cause", "a card is replaced")


def test_planned_work_is_told_listed_and_cleared(run: Run, lived: str) -> None:
    shown = run(*PLAN, "--from", "2099-07-01T02:00", "--until", "2099-07-01T06:00", "--db", lived)
    assert shown.code == 0
    assert "from 2099-07-01 06:00:00 UTC until 2099-07-01 10:00:00 UTC" in shown.out
    assert "1 connection of 1 tenant and the partner are told" in shown.out
    assert "No sibling carries for conn-" in shown.out
    (row,) = run("maintenance", "list", "--db", lived, "--json").json
    assert (row["state"], row["side"], row["starts_at"]) == ("planned", "partner", "2099-07-01T06:00:00Z")
    assert row["record_id"] in run("maintenance", "list", "--db", lived).out
    assert row["record_id"] in run("circuits", "impact", CIRCUIT, "--db", lived).out
    cleared = run("maintenance", "clear", row["record_id"], "--reason", "not needed", "--db", lived)
    assert f"{row['record_id']} is called off; 1 connection of 1 tenant" in cleared.out
    assert run("maintenance", "list", "--db", lived).out == "No circuit is under maintenance or out.\n"
    again = run("maintenance", "clear", row["record_id"], "--reason", "not needed", "--db", lived)
    assert "It is called off already" in again.out
    kinds = [each["kind"] for each in run("notices", "list", "--db", lived, "--json").json]
    assert (kinds.count("maintenance_planned"), kinds.count("maintenance_cleared")) == (2, 2)


def test_an_outage_is_cleared_by_its_circuit_and_shown_by_the_status(run: Run, lived: str) -> None:
    start = ("maintenance", "start", "--circuit", CIRCUIT, "--cause", "a fibre is cut", "--db", lived)
    assert run(*start).code == 0
    again = run(*start, "--json")
    assert (again.code, again.json["refused"][0]["code"]) == (1, "maintenance_overlaps")
    assert "clear it first" in again.err
    assert "outage mnt-" in run("status", "--db", lived).out
    assert run("status", "--db", lived, "--json").json["maintenance"][0]["state"] == "in force"
    assert run("maintenance", "clear", CIRCUIT, "--reason", "mended", "--db", lived).code == 0
    assert run("status", "--db", lived, "--json").json["maintenance"] == []
    (row,) = run("maintenance", "list", "--cleared", "--db", lived, "--json").json
    assert (row["state"], row["outcome"]) == ("cleared", "mended")


def test_a_window_that_cannot_be_is_refused(run: Run, lived: str) -> None:
    backwards = run(*PLAN, "--from", "2099-07-01T06:00", "--until", "2099-07-01T02:00", "--db", lived)
    assert (backwards.code, backwards.err) == (1, "crossport: window_backwards: the window ends before it begins\n")
    past = run(*PLAN, "--from", "2020-07-01T02:00", "--until", "2020-07-01T06:00", "--db", lived)
    assert (past.code, past.err) == (1, "crossport: window_over: the window lies in the past\n")
    odd = run(*PLAN, "--from", "tomorrow", "--until", "2099-07-01T06:00", "--db", lived)
    assert (odd.code, odd.err.count("\n")) == (2, 1)
    nowhere = run("maintenance", "start", "--circuit", "pc-nowhere", "--cause", "x", "--db", lived)
    assert (nowhere.code, nowhere.err) == (1, "crossport: no circuit pc-nowhere\n")
    assert run("maintenance", "clear", CIRCUIT, "--reason", "x", "--db", lived).code == 1
