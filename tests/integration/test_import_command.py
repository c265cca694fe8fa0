"""``crossport import`` as an operator runs it, through the official SDK against the local cloud's VPC."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crossport.adapters.migrations import migrate
from crossport.application.ports import CreatePort
from crossport.cli.main import main
from tests.contract.cloud_worlds import PARTNER, TENANT, LocalWorld
from tests.integration.localcloud.conftest import LoopThread

EXAMPLE = Path(__file__).parents[2] / "events" / "scenarios" / "partner.yaml"


@pytest.fixture
def world() -> Iterator[LocalWorld]:
    thread = LoopThread()
    local = LocalWorld(thread)
    yield local
    local.close()
    thread.stop()


@pytest.fixture
def database(world: LocalWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store in which the example partner is the one of this cloud, with its key in the environment."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for theirs, ours in (
        ("1180000000000001", PARTNER),
        ("1290000000000011", TENANT),
        ("pc-dc11equinix0000001", world.circuit_id),
    ):
        text = text.replace(theirs, ours)
    config = tmp_path / "partner.yaml"
    config.write_text(text, encoding="utf-8")
    url = f"sqlite:///{tmp_path / 'crossport.db'}"
    migrate(url)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", world.partner_key.access_key_id)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", world.partner_key.access_key_secret)
    monkeypatch.setenv("CROSSPORT_VPC_ENDPOINT", world.endpoint)
    monkeypatch.setenv("CROSSPORT_DB", url)
    assert main(["apply", str(config), "--actor", "noc", "--reason", "first day"]) == 0
    return url


def running_port(world: LocalWorld, vlan_id: int) -> str:
    """A port with its VBR, paid by the partner."""
    request = CreatePort(
        account_id=PARTNER,
        region=world.region,
        circuit_id=world.circuit_id,
        tenant_uid=TENANT,
        vlan_id=vlan_id,
        spec="200M",
        order_mode="PayByPhysicalConnectionOwner",
        name="by-hand",
        token=f"by-hand-{vlan_id}",
    )
    port_id = world.cloud.create_port(request, dry_run=False).value
    world.accept(port_id)
    world.cloud.pay_port(
        account_id=PARTNER, region=world.region, port_id=port_id, months=1, auto_renew=False, token=f"pay-{vlan_id}"
    )
    world.create_vbr(port_id, vlan_id)
    return port_id


def crossport(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


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
