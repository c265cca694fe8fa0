"""What an operator finds in the cloud, and how it runs ``crossport`` in this process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crossport.application.ports import CreatePort
from crossport.cli.main import main
from tests.contract.cloud_worlds import PARTNER, TENANT, LocalWorld


def offered_port(world: LocalWorld, vlan_id: int) -> str:
    """A port that the partner made by hand; the partner is to pay."""
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
    return world.cloud.create_port(request, dry_run=False).value


def running_port(world: LocalWorld, vlan_id: int) -> str:
    """A port with its VBR, paid by the partner."""
    port_id = offered_port(world, vlan_id)
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
