"""``crossport obligations`` and ``crossport circuits``: what a network operations centre asks first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.unit.cli.conftest import CIRCUIT, TENANT

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
    assert "Without this circuit 1 of 1 connections are cut off (1 tenants), 0 are carried by a sibling." in shown.out
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
