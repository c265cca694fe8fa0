"""``crossport reconcile`` as an operator runs it, through the official SDK against the local cloud's VPC."""

from __future__ import annotations

from typing import Any

import pytest

from crossport.cli.main import main
from tests.contract.cloud_worlds import LocalWorld
from tests.integration.operator_world import crossport, offered_port, running_port


def reconciled(world: LocalWorld, capsys: pytest.CaptureFixture[str], *options: str, code: int = 0) -> Any:
    """A run over the circuit that this cloud has."""
    return crossport(capsys, "reconcile", "--circuit", world.circuit_id, *options, code=code)


def test_what_no_event_told_is_shown_and_then_healed(
    world: LocalWorld, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    port_id = offered_port(world, 100)
    crossport(capsys, "import", "--actor", "noc")
    assert reconciled(world, capsys)["differences"] == []

    world.accept(port_id)
    found = reconciled(world, capsys, "--dry-run")
    (difference,) = found["differences"]
    assert (difference["fields"], difference["outcome"]) == (["acceptance", "status"], "found")
    assert [event["event_name"] for event in difference["missed_events"]] == ["ConfirmPhysicalConnection"]
    assert [row["phase"] for row in crossport(capsys, "connections", "list")] == ["offered"]

    assert [one["outcome"] for one in reconciled(world, capsys)["differences"]] == ["healed"]
    assert [row["phase"] for row in crossport(capsys, "connections", "list")] == ["accepted"]
    assert reconciled(world, capsys)["differences"] == []


def test_a_port_that_nobody_told_of_is_asked_for(
    world: LocalWorld, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    port_id = running_port(world, 100)
    (difference,) = reconciled(world, capsys)["differences"]
    assert (difference["kind"], difference["port_id"], difference["outcome"]) == ("unknown_port", port_id, "asked")
    assert [event["event_name"] for event in difference["missed_events"]] == ["CreateVirtualPhysicalConnection"]


def test_a_list_that_breaks_off_is_said_so_and_changes_nothing(
    world: LocalWorld, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    running_port(world, 100)
    crossport(capsys, "import", "--actor", "noc")
    for _ in range(4):
        world.throttle_next("list_ports")
    found = reconciled(world, capsys, code=1)
    assert (found["differences"], found["circuits"][0]["complete"]) == ([], False)
    assert "Throttling" in found["circuits"][0]["why"]


def test_a_table_for_people(world: LocalWorld, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    running_port(world, 100)
    capsys.readouterr()
    assert main(["reconcile", "--dry-run", "--circuit", world.circuit_id]) == 0
    told = capsys.readouterr().out
    assert "unknown_port" in told
    assert "1 circuits, 1 ports (dry run: nothing was saved)." in told
