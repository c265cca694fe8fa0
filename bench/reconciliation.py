"""Reconciliation (P7): a million ports against a TEMP table, in memory that does not grow, within the quota of calls.

Both sides get the same pages of 100 ports, in no order, 25 of them for a circuit of 2,500 ports. The reference is what
one would write in an afternoon: every listed port into a TEMP table, then a join with the known ones. Each reconciles
in a process of its own, on SQLite; what the pages themselves cost is measured and taken off both.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.processes import in_process
from bench.report import Bar, Report
from bench.work import ACCOUNT, BEGAN, REGION, TENANT
from crossport.adapters.migrations import migrate
from crossport.adapters.store.open import open_store
from crossport.application.ports import PortPage
from crossport.application.quota import SharedQuota
from crossport.application.reconcile import Reconciler
from crossport.domain import glance
from crossport.domain.circuit import Circuit
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Presence, Source

LARGE, SMALL = 1_000_000, 10_000
PAGE, PORTS_A_CIRCUIT = 100, 2_500
#: One port in so many is locked in the cloud, and we do not know it.
DIFFERS = 10_000
#: The cloud's quota for each API, account and region.
CALLS, PERIOD = 300, timedelta(seconds=60)
#: Coprime to the ports of a circuit: a list that comes in no order.
_STRIDE = 1_213
_LATER = BEGAN + timedelta(days=10)
_FIELDS = ("acceptance", "status", "business_status", "spec", "expect_spec", "vlan_id", "tenant_uid", "order_mode",
           "circuit_id", "enabled_time", "end_time", "presence")  # fmt: skip


def port(circuit_id: str, circuit: int, number: int, *, locked: bool) -> PortObservation:
    """The port of a circuit with this number, as a list shows it."""
    return PortObservation(
        at=_LATER,
        source=Source.READ,
        port_id=f"pc-bench{circuit * PORTS_A_CIRCUIT + number:012d}",
        acceptance="Confirmed",
        status="Enabled",
        business_status="FinancialLocked" if locked else "Normal",
        spec="200M",
        expect_spec="",
        vlan_id=number + 1,
        tenant_uid=TENANT,
        order_mode="PayByVirtualPhysicalConnectionOwner",
        circuit_id=circuit_id,
        enabled_time=BEGAN,
        end_time=_LATER,
        presence=Presence.PRESENT,
    )


def circuit_ids(ports: int) -> list[str]:
    """The circuits of so many ports."""
    return [f"pc-circuit{number:08d}" for number in range(ports // PORTS_A_CIRCUIT)]


@dataclass
class Listing:
    """The simulated cloud: lists, and nothing else. ``calls``: when each page was asked for, by ``clock``."""

    clock: Any
    #: Asked before each page; None where the quota is not the question.
    quota: SharedQuota | None = None
    calls: int = 0
    throttled: int = 0
    _latest: deque[datetime] = field(default_factory=deque)

    def list_ports(self, *, account_id: str, region: str, circuit_id: str) -> Iterator[PortPage]:
        """See ``application.ports.Cloud``."""
        circuit = int(circuit_id.removeprefix("pc-circuit"))
        for first in range(0, PORTS_A_CIRCUIT, PAGE):
            self._call(account_id, region)
            numbers = [place * _STRIDE % PORTS_A_CIRCUIT for place in range(first, first + PAGE)]
            ports = tuple(
                [port(circuit_id, circuit, n, locked=(circuit * PORTS_A_CIRCUIT + n) % DIFFERS == 0) for n in numbers]
            )
            yield PortPage(started=_LATER, ports=ports, total=PORTS_A_CIRCUIT)

    def list_vbrs(self, **_: str) -> tuple[VbrObservation, ...]:
        """None is shown."""
        return ()

    def _call(self, account_id: str, region: str) -> None:
        if self.quota is not None:
            self.quota.take(account_id, region, "ListVirtualPhysicalConnections")
        self.calls += 1
        if self.quota is not None:
            now = self.clock.now()
            while self._latest and self._latest[0] <= now - PERIOD:
                self._latest.popleft()
            self.throttled += len(self._latest) >= CALLS
            self._latest.append(now)


class _Clock:
    def __init__(self) -> None:
        self._now = _LATER

    def now(self) -> datetime:
        return self._now

    def sleep(self, pause: timedelta) -> None:
        self._now += pause


class _Policies:
    def of(self, account_id: str) -> Policy:
        return {ACCOUNT: _POLICY}[account_id]


_POLICY = Policy(account_id=ACCOUNT)


# --- What is known ----------------------------------------------------------------------------------------------------


def fill(path: str, ports: int) -> None:
    """A store that knows so many ports, all of them unlocked, and the reference's own table of them."""
    migrate(f"sqlite:///{path}")
    database = sqlite3.connect(path)
    with database:
        database.executemany(
            "INSERT INTO connection (id, version, account_id, region, circuit_id, tenant_uid, port_id, vlan_id, spec,"
            " order_mode, flow, origin, group_id, phase, violations, port_glance, vbrs_glance, port_over, document,"
            f" created_at, updated_at) VALUES ('conn-' || ?1, 1, '{ACCOUNT}', '{REGION}', ?2, '{TENANT}', ?1, ?3,"
            " '200M', '', '', '', '', 'active', '[]', ?4, '', 0, '{}', '', '')",
            (
                (one.port_id, circuit_id, one.vlan_id, glance.of_listed(one))
                for circuit, circuit_id in enumerate(circuit_ids(ports))
                for one in (port(circuit_id, circuit, n, locked=False) for n in range(PORTS_A_CIRCUIT))
            ),
        )
    database.close()
    plain = sqlite3.connect(f"{path}.plain")
    columns = ", ".join(_FIELDS)
    with plain:
        plain.execute(f"CREATE TABLE known (port_id TEXT PRIMARY KEY, {columns}) WITHOUT ROWID")
        plain.executemany(
            f"INSERT INTO known VALUES (?{', ?' * len(_FIELDS)})",
            (
                _row(port(circuit_id, circuit, n, locked=False))
                for circuit, circuit_id in enumerate(circuit_ids(ports))
                for n in range(PORTS_A_CIRCUIT)
            ),
        )
    plain.close()


def _row(seen: PortObservation) -> tuple[Any, ...]:
    values = (getattr(seen, name) for name in _FIELDS)
    return (seen.port_id, *(value.isoformat() if isinstance(value, datetime) else value for value in values))


# --- The two sides, and the pages alone -------------------------------------------------------------------------------


def crossport(path: str, ports: int, cloud: Listing) -> int:
    """Reconcile every circuit; how many differences there were."""
    store = open_store(f"sqlite:///{path}")
    reconciler = Reconciler(
        store=store,
        cloud=cloud,
        policies=_Policies(),
        clock=cloud.clock,
        dry_run=True,  # type: ignore[arg-type]
    )
    return sum(len(reconciler.circuit(_circuit(circuit_id)).healed) for circuit_id in circuit_ids(ports))


def reference(path: str, ports: int, cloud: Listing) -> int:
    """Every listed port into a TEMP table, then a join in both directions."""
    database = sqlite3.connect(f"{path}.plain")
    database.execute(f"CREATE TEMP TABLE listed (port_id TEXT PRIMARY KEY, {', '.join(_FIELDS)}) WITHOUT ROWID")
    insert = f"INSERT INTO listed VALUES (?{', ?' * len(_FIELDS)})"
    for circuit_id in circuit_ids(ports):
        for page in cloud.list_ports(account_id=ACCOUNT, region=REGION, circuit_id=circuit_id):
            database.executemany(insert, map(_row, page.ports))
    other = " OR ".join(f"known.{name} IS NOT listed.{name}" for name in _FIELDS)
    rows = database.execute(f"SELECT * FROM listed FULL JOIN known USING (port_id) WHERE {other}")
    return sum(1 for _ in rows)


def pages(_: str, ports: int, cloud: Listing) -> int:
    """The pages and nothing else."""
    shown = 0
    for circuit_id in circuit_ids(ports):
        for page in cloud.list_ports(account_id=ACCOUNT, region=REGION, circuit_id=circuit_id):
            shown += len(page.ports)
    return shown


def _circuit(circuit_id: str) -> Circuit:
    return Circuit(
        circuit_id=circuit_id,
        account_id=ACCOUNT,
        region=REGION,
        name="",
        access_point="",
        line_operator="",
        bandwidth_mbps=PORTS_A_CIRCUIT * 200,
    )


def in_quota(path: str, ports: int) -> dict[str, float]:
    """Reconcile as fast as the quota lets, on a simulated clock: calls, those throttled, and the share used."""
    clock = _Clock()
    store = open_store(f"sqlite:///{path}")
    quota = SharedQuota(lambda: store, clock, sleep=clock.sleep)
    quota.until = datetime.max.replace(tzinfo=_LATER.tzinfo)
    cloud = Listing(clock, quota)
    crossport(path, ports, cloud)
    granted = (clock.now() - _LATER) / PERIOD * CALLS
    return {"calls": cloud.calls, "throttled": cloud.throttled, "share": cloud.calls / granted}


# --- The measurement --------------------------------------------------------------------------------------------------

BOTH = ("crossport", "reference")
SIDES = {"crossport": crossport, "reference": reference, "pages": pages}


def measure(report: Report, place: Path, rounds: int = 2) -> None:
    """P7."""
    large, small = str(place / "large.db"), str(place / "small.db")
    for path, ports in ((large, LARGE), (small, SMALL)):
        in_process("bench.reconciliation", "fill", path, str(ports))
    taken: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
    for number in range(rounds):
        names = list(SIDES) if number % 2 == 0 else list(reversed(SIDES))
        for name in names:
            taken[name].append(_run(name, large, LARGE))
    net, cpu = (
        {name: min(one[kind] for one in taken[name]) - min(one[kind] for one in taken["pages"]) for name in BOTH}
        for kind in ("seconds", "cpu")
    )
    found = {name: {one["found"] for one in taken[name]} for name in net}
    if found["crossport"] != found["reference"] or found["crossport"] != {LARGE // DIFFERS}:
        raise AssertionError(f"different differences: {found}")
    peak = {name: max(one["peak"] for one in taken[name]) for name in net}
    growth = {name: peak[name] - _run(name, small, SMALL)["peak"] for name in net}
    quota = json.loads(in_process("bench.reconciliation", "quota", large, str(LARGE)))
    calls = -(-LARGE // PAGE)
    add = report.bars.append
    add(Bar(number="P7", what="reconcile 1,000,000 ports: crossport / TEMP table", least=0.80,
            measured=net["reference"] / net["crossport"]))  # fmt: skip
    add(Bar(number="P7", what="peak memory at 1,000,000 ports less that at 10,000", most=8,
            measured=growth["crossport"], unit=" MiB"))  # fmt: skip
    add(Bar(number="P7", what=f"list calls beyond the {calls:,} that {LARGE:,} ports take", most=0,
            measured=abs(quota["calls"] - calls)))  # fmt: skip
    add(Bar(number="P7", what="calls throttled", most=0, measured=quota["throttled"]))
    add(Bar(number="P7", what="share of the quota used, simulated clock", least=0.95, measured=quota["share"]))
    report.tables["Reconciling 1,000,000 ports of 400 circuits, SQLite; the pages themselves taken off"] = [
        ("candidate", "s", "CPU s", "ports/s", "peak memory, MiB", "more than at 10,000 ports, MiB"),
        *(
            (
                name,
                f"{net[name]:.2f}",
                f"{cpu[name]:.2f}",
                f"{LARGE / net[name]:,.0f}",
                f"{peak[name]:.0f}",
                f"{growth[name]:.1f}",
            )
            for name in net
        ),
    ]


def _run(name: str, path: str, ports: int) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(in_process("bench.reconciliation", name, path, str(ports)))
    return answer


def main(task: str, path: str, ports: int) -> None:
    """One task in a process of its own."""
    if task == "fill":
        fill(path, ports)
    elif task == "quota":
        print(json.dumps(in_quota(path, ports)))
    else:
        began, busy = time.perf_counter(), time.process_time()
        found = SIDES[task](path, ports, Listing(_Clock()))
        seconds, cpu = time.perf_counter() - began, time.process_time() - busy
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "cpu": cpu, "found": found, "peak": peak}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            alone = Report()
            measure(alone, Path(folder))
            for bar in alone.bars:
                print(bar)
            print(alone.tables)
