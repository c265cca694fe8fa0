"""``crossport import`` as an operator runs it, through the official SDK against the local cloud's VPC."""

from __future__ import annotations

import pytest

from crossport.cli.main import main
from tests.contract.cloud_worlds import PARTNER, LocalWorld
from tests.integration.operator_world import crossport, running_port


def test_day_one(world: LocalWorld, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    ports = [running_port(world, 0)]
    dry = crossport(capsys, "import", "--dry-run")
    assert (dry["counts"], dry["complete"]) == ({"imported": 1}, True)
    assert crossport(capsys, "connections", "list") == []

    done = crossport(capsys, "import", "--actor", "noc")
    assert [port["port_id"] for port in done["ports"]] == ports
    assert done["ports"][0]["findings"] == ["port_without_contract"]
    (connection,) = crossport(capsys, "connections", "list")
    assert (connection["origin"], connection["phase"], connection["vlan_id"]) == ("import", "active", 0)
    assert connection["vbr_id"] is not None
    assert crossport(capsys, "notices", "list") == []

    again = crossport(capsys, "import")
    assert (again["counts"], again["ports"]) == ({"known": 1}, [])


def test_a_circuit_that_cannot_be_listed_is_told_and_nothing_counts_as_gone(
    world: LocalWorld, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    running_port(world, 100)
    for _ in range(2):
        world.throttle_next("list_ports")
    failed = crossport(capsys, "import", code=1)
    assert failed["complete"] is False
    assert failed["circuits"][0]["reason"].startswith("Throttling")
    assert crossport(capsys, "import")["counts"] == {"imported": 1}


def test_a_table_for_people(world: LocalWorld, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    port_id = running_port(world, 100)
    assert main(["import", "--circuit", world.circuit_id, "--account", PARTNER]) == 0
    shown = capsys.readouterr().out
    assert port_id in shown
    assert "1 circuits: 1 imported" in shown
    assert main(["import"]) == 0
    assert "Nothing that is not known already." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--account", "9999999999999999"], "is no partner account of ours"),
        (["--circuit", "pc-elsewhere"], "is no circuit of account"),
    ],
)
def test_what_is_not_ours_is_refused(
    database: str, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["import", *arguments]) == 1
    assert says in capsys.readouterr().err


def test_without_a_key_it_says_so_at_once(
    database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    capsys.readouterr()
    assert main(["import"]) == 1
    assert "ALIBABA_CLOUD_ACCESS_KEY_SECRET" in capsys.readouterr().err
