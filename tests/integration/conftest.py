"""An operator with the example partner's configuration, against the VPC of a local cloud, through the official SDK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crossport.adapters.migrations import migrate
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
