"""Crossport on the unit of work: the handler that Function Compute calls, with logging and every check."""

from __future__ import annotations

from pathlib import Path

from bench import plain
from bench.work import ACCOUNT, BEGAN, REGION, TENANT, Subject, subjects
from crossport.adapters.configuration import load_configuration
from crossport.adapters.migrations import migrate
from crossport.adapters.store.open import open_store
from crossport.application.ports import Save
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection, Terms
from crossport.domain.vocabulary import Flow, OrderMode, Origin, Phase

ROOT = Path(__file__).resolve().parent.parent


def seed(url: str, connections: int) -> None:
    """A migrated store with the configuration, and connections whose create calls are on their way."""
    migrate(url)
    store = open_store(url)
    document = load_configuration(ROOT / "events" / "scenarios" / "partner.yaml").document()
    store.put_configuration(document, actor="bench", reason="bench", at=BEGAN)
    everyone = list(subjects(connections))
    for start in range(0, len(everyone), 500):
        store.save([ordered(one) for one in everyone[start : start + 500]])
    store.close()


def put_circuit(url: str, circuit_id: str) -> None:
    """A circuit that has room for 2,999 ports."""
    store = open_store(url)
    circuit = Circuit(account_id=ACCOUNT, region=REGION, circuit_id=circuit_id, name="bench", access_point="ap-bench",
                      line_operator="bench", bandwidth_mbps=1_000_000)  # fmt: skip
    store.put_circuit(circuit, actor="bench", reason="bench", at=BEGAN)
    store.close()


def ordered(subject: Subject) -> Save:
    """The first save of a connection whose create call is on its way."""
    connection = Connection(
        connection_id=subject.connection_id,
        account_id=ACCOUNT,
        region=REGION,
        circuit_id=subject.circuit_id,
        tenant_uid=TENANT,
        flow=Flow.NEW,
        origin=Origin.ORDER,
        terms=Terms(spec="50M", vlan_id=subject.vlan_id, order_mode=OrderMode.TENANT_PAYS),
        created_at=BEGAN,
        intended_at=BEGAN,
    )
    return Save(connection=connection, phase=Phase.PROVISIONING, violations=(), version=None, at=BEGAN)


def dead_letters(url: str) -> int:
    """How many inputs could not be saved."""
    database = plain.opened(url)
    ((found,),) = database.execute("SELECT count(*) FROM audit WHERE verdict = 'dead_letter'").fetchall()
    database.close()
    return int(found)


def end_state(url: str) -> dict[str, int]:
    """As ``plain.end_state``: connections with an accepted port and a VBR, and the rows of each kind."""
    database = plain.opened(url)
    queries = {
        "done": "SELECT count(*) FROM connection WHERE phase = 'accepted'",
        "inbox": "SELECT count(*) FROM inbox",
        "audit": "SELECT count(*) FROM audit WHERE kind = 'input'",
        "outbox": "SELECT count(*) FROM outbox",
        "route": "SELECT count(*) FROM route",
    }
    found = {name: database.execute(query).fetchone()[0] for name, query in queries.items()}
    vbrs = database.execute("SELECT count(*) FROM route WHERE substr(route, 1, 4) = 'vbr:'").fetchone()[0]
    database.close()
    return found if vbrs == found["done"] else {**found, "done": vbrs}
