"""What an events function imports before its first committed event: the cold start, as a set and not as a time.

Every name here that appears anew costs milliseconds in each new instance; ``bench/`` says how many.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crossport.adapters.configuration import load_configuration
from crossport.adapters.migrations import migrate
from crossport.adapters.store.open import open_store
from crossport.application.ports import Save
from crossport.domain.connection import Connection, Terms
from crossport.domain.facts import merge_port
from crossport.domain.observation import PortObservation
from crossport.domain.vocabulary import Flow, OrderMode, Origin, Phase, Source

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
#: What the interpreter's own set-up may have loaded: the hooks of editable installations.
OF_THE_ENVIRONMENT = ("_distutils_hack", "_virtualenv", "_editable", "__editable")
#: Modules of the standard library that are dear and that nothing on this path needs.
DEAR = {"asyncio", "concurrent", "email", "http", "importlib.metadata", "importlib.resources", "multiprocessing",
        "socket", "ssl", "unittest", "uuid", "xml", "zipfile", "zoneinfo"}  # fmt: skip
#: How packages begin that the PostgreSQL driver is made of, or cannot do without.
DRIVER = ("psycopg", "typing_extensions", "cython_runtime", "_cython", "_sysconfigdata")
#: Parts of the project that other functions are for, or people.
OF_OTHERS = (
    "crossport.adapters.configuration.document", "crossport.adapters.configuration.reading",
    "crossport.adapters.messages", "crossport.adapters.migrations", "crossport.adapters.mns",
    "crossport.adapters.notify", "crossport.adapters.vpc", "crossport.application.bill",
    "crossport.application.commands", "crossport.application.place_order", "crossport.application.relay",
    "crossport.application.send_notices", "crossport.cli", "crossport.entrypoints.inputs",
)  # fmt: skip
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import index
print(index.handler(sys.stdin.buffer.read(), None))
print(*sorted(sys.modules))
"""


@dataclass(frozen=True)
class Started:
    """A cold start: the verdict of the first event, and every module that was loaded by then."""

    verdict: str
    modules: frozenset[str]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with the scenarios' configuration and the connection that the catalogue's events are about."""
    url = f"sqlite:///{tmp_path_factory.mktemp('cold') / 'store.db'}"
    migrate(url)
    fill(url)
    return url


def fill(url: str) -> None:
    offered = Connection(
        connection_id="conn-1",
        account_id="1180000000000001",
        region="us-east-1",
        circuit_id="pc-dc11equinix0000001",
        tenant_uid="1290000000000011",
        flow=Flow.NEW,
        origin=Origin.ORDER,
        terms=Terms(spec="50M", vlan_id=121, order_mode=OrderMode.TENANT_PAYS),
        created_at=NOW,
        port=merge_port(None, PortObservation(at=NOW, source=Source.OWN_ANSWER, port_id="pc-local000000000002")),
    )
    with open_store(url) as store:
        document = load_configuration(ROOT / "events" / "scenarios" / "partner.yaml").document()
        store.put_configuration(document, actor="test", reason="test", at=NOW)
        store.save([Save(connection=offered, phase=Phase.OFFERED, violations=(), version=None, at=NOW)])


def start(function: str, file: str, database: str) -> Started:
    event = json.dumps(json.loads((ROOT / "events" / file).read_text(encoding="utf-8"))["event"])
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(ROOT / "functions" / function)],
        input=event,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.defpath, "CROSSPORT_DB": database, "CROSSPORT_REGION": "us-east-1"},
    )
    *_, answer, modules = result.stdout.splitlines()
    (verdict,) = json.loads(answer)["verdicts"]
    return Started(verdict["verdict"], frozenset(modules.split()))


@pytest.fixture(
    scope="module",
    params=[
        ("port_events", "port_events.port-accepted.own-bus.json"),
        ("vbr_events", "vbr_events.vbr-created.own-bus.json"),
    ],
    ids=["port_events", "vbr_events"],
)
def started(request: pytest.FixtureRequest, database: str) -> Started:
    """A new instance that has committed one event of a known connection."""
    function, file = request.param
    return start(function, file, database)


@pytest.fixture
def started_on_postgresql(postgresql_url: str) -> Started:
    """The same on PostgreSQL."""
    fill(postgresql_url)
    return start("port_events", "port_events.port-accepted.own-bus.json", postgresql_url)


def test_the_event_was_committed(started: Started) -> None:
    assert started.verdict == "applied"


def test_nothing_but_the_project_and_the_standard_library_is_loaded(started: Started) -> None:
    assert of_others(started) == set()


def test_no_dear_module_of_the_standard_library_is_loaded(started: Started) -> None:
    assert started.modules & DEAR == set()


def test_no_part_of_the_project_that_others_are_for_is_loaded(started: Started) -> None:
    assert {name for name in started.modules if name.startswith(OF_OTHERS)} == set()
    assert "crossport.application.observe" in started.modules


def test_on_postgresql_its_driver_is_loaded_and_nothing_else(started_on_postgresql: Started) -> None:
    assert started_on_postgresql.verdict == "applied"
    found = of_others(started_on_postgresql)
    assert {name for name in found if not name.startswith(DRIVER)} == set()
    assert "psycopg" in found
    assert {name for name in started_on_postgresql.modules if name.startswith((*OF_OTHERS, "sqlite3"))} == set()


def of_others(started: Started) -> set[str]:
    """Packages that are neither the project's nor the standard library's."""
    known = sys.stdlib_module_names | {"__main__", "crossport", "index", "sitecustomize", "usercustomize"}
    tops = {name.partition(".")[0] for name in started.modules}
    return {name for name in tops - known if not name.startswith(OF_THE_ENVIRONMENT)}
