"""The life that is killed: its steps, what the parties do in the cloud before each of them, and where it is kept."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg

from crossport.application.ports import Store
from crossport.domain.circuit import Circuit
from crossport.domain.orders import Contract, Tenant
from crossport.domain.vocabulary import OrderMode
from tests.fakes.memory_state import State
from tests.kills.life import BEGINNING, Files, Job, act, empty_cloud, opened
from tests.simulation.cloud_model import ModelPort, ModelVbr
from tests.simulation.engines import state_of
from tests.simulation.migrating_cloud import MigratingCloud
from tests.simulation.world import CIRCUITS, PARTNER, REGION, TENANTS

ROOT = Path(__file__).resolve().parents[2]
HOUR = timedelta(hours=1)


def _port(cloud: MigratingCloud) -> ModelPort:
    return next(port for port in cloud.ports.values() if port.token)


def _vbr(cloud: MigratingCloud) -> ModelVbr:
    return next(iter(cloud.vbrs.values()))


def _nothing(cloud: MigratingCloud) -> None:
    """The parties do nothing."""


def _vbr_is_made(cloud: MigratingCloud) -> None:
    cloud.make_vbr(_port(cloud), _port(cloud).tenant_uid, _port(cloud).vlan_id)


def _made_in_the_console(cloud: MigratingCloud) -> None:
    cloud.make_port(
        circuit_id="pc-south", tenant_uid=TENANTS[1], vlan_id=7, spec="100M", order_mode=str(OrderMode.TENANT_PAYS)
    )


#: What the parties do, and the step that follows: one for each type of input, and the relay after it.
STEPS: tuple[tuple[Callable[[MigratingCloud], object], str], ...] = (
    (_nothing, "orders:new"),
    (_nothing, "orders:milestones"),
    (_nothing, "relay:create"),
    (_nothing, "events:CreateVirtualPhysicalConnection"),
    (lambda cloud: cloud.accept(_port(cloud)), "events:ConfirmPhysicalConnection"),
    (lambda cloud: cloud.pay(_port(cloud)), "events:CreatePhysicalConnectionOccupancyOrder"),
    (_nothing, "relay:paid"),
    (_vbr_is_made, "events:CreateVirtualBorderRouter"),
    (_nothing, "relay:vbr"),
    (lambda cloud: cloud.switch_vbr(_vbr(cloud), "terminated"), "events:TerminateVirtualBorderRouter"),
    (lambda cloud: cloud.switch_vbr(_vbr(cloud), "active"), "events:RecoverVirtualBorderRouter"),
    (_nothing, "billing:usage"),
    (_nothing, "billing:seal"),
    (_nothing, "notices:"),
    (_nothing, "orders:change_spec"),
    (_nothing, "relay:change"),
    (_made_in_the_console, "events:CreateVirtualPhysicalConnection"),
    (_nothing, "relay:adopt"),
    (_nothing, "orders:cease"),
    (lambda cloud: cloud.drop_vbr(_vbr(cloud), TENANTS[0]), "events:DeleteVirtualBorderRouter"),
    (lambda cloud: cloud.terminate(_port(cloud), PARTNER), "events:TerminatePhysicalConnection"),
    (lambda cloud: cloud.delete(_port(cloud), PARTNER), "events:DeletePhysicalConnection"),
    (_nothing, "relay:end"),
)


class Zygote:
    """Forks a process for each job (tests/kills/zygote.py)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.kills.zygote"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def run(self, job: Job) -> int:
        """The exit status of the job's process, as ``os.waitpid`` has it: 0, or the signal that killed it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(pickle.dumps(job))
        self._process.stdin.flush()
        status: int = pickle.load(self._process.stdout)
        return status

    def close(self) -> None:
        """No more jobs."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


class Place:
    """Where a life is kept: a database and files, which can be copied and brought back."""

    def __init__(self, folder: Path, database: Sqlite | Postgresql) -> None:
        self._folder = folder
        self.database = database
        self.files = Files(self.now)
        self.now.mkdir()

    @property
    def now(self) -> Path:
        """The folder of the files in use."""
        return self._folder / "now"

    def mark(self) -> None:
        """Remember everything as it is."""
        self.database.mark()
        shutil.copytree(self.now, self._folder / "mark", dirs_exist_ok=True)

    def back(self) -> None:
        """Everything is again as it was at the mark."""
        self.database.back()
        shutil.rmtree(self.now)
        shutil.copytree(self._folder / "mark", self.now)

    def begin(self) -> None:
        """An empty cloud, and a store with circuits, tenants and contracts."""
        cloud = empty_cloud()
        self.files.keep(cloud)
        said: dict[str, Any] = {"actor": "test", "reason": "kills", "at": BEGINNING}
        with opened(self.database.url, cloud.clock, lambda where: None) as store:
            for circuit_id, mbps in CIRCUITS.items():
                circuit = Circuit(
                    circuit_id=circuit_id,
                    account_id=PARTNER,
                    region=REGION,
                    name=circuit_id,
                    access_point="ap-us-east-1-equinix-dc11",
                    line_operator="Equinix",
                    bandwidth_mbps=mbps,
                )
                store.put_circuit(circuit, **said)
            for uid in TENANTS[:2]:
                store.put_tenant(Tenant(tenant_uid=uid, name=uid, email=f"noc@{uid}.example"), **said)
                contract = Contract(
                    number=uid,
                    account_id=PARTNER,
                    tenant_uid=uid,
                    signed_on=date(2026, 1, 1),
                    valid_from=date(2026, 1, 1),
                )
                store.put_contract(contract, **said)

    def parties_act(self, number: int) -> None:
        """An hour of its own for each step; then what the parties do before it."""
        cloud = self.files.cloud()
        cloud.clock.advance(BEGINNING + (number + 1) * HOUR - cloud.clock.now())
        cloud.settle()
        STEPS[number][0](cloud)
        self.files.keep(cloud)

    def do(
        self, work: Callable[[Store, MigratingCloud, Files], None], tell: Callable[[str], None] = lambda where: None
    ) -> None:
        """Work in this process, to which nothing happens; ``tell`` hears of every statement."""
        cloud = self.files.cloud()
        with opened(self.database.url, cloud.clock, tell) as store:
            work(store, cloud, self.files)
        self.files.keep(cloud)

    def step(self, number: int) -> None:
        """One step, done to its end."""
        self.do(lambda store, cloud, files: act(STEPS[number][1], store, cloud, files, lambda where: None))

    def live(self, until: int) -> None:
        """The life up to a step."""
        for number in range(until):
            self.parties_act(number)
            self.step(number)

    def state(self) -> State:
        """Everything that the store keeps."""
        return self.database.state()


class Sqlite:
    """A SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.url = f"sqlite:///{path}"

    def mark(self) -> None:
        """Remember the file; nobody has it open."""
        shutil.copy(self._path, self._path.with_suffix(".mark"))

    def back(self) -> None:
        """The file as it was. What a killed process left beside it goes."""
        for left in (self._path.with_name(f"{self._path.name}-{what}") for what in ("wal", "shm")):
            left.unlink(missing_ok=True)
        shutil.copy(self._path.with_suffix(".mark"), self._path)

    def state(self) -> State:
        """Everything that it keeps."""
        import sqlite3

        connection = sqlite3.connect(self._path)
        try:
            return state_of(lambda statement: connection.execute(statement).fetchall())
        finally:
            connection.close()


class Postgresql:
    """A PostgreSQL database; what is remembered stands in a schema beside."""

    def __init__(self, url: str) -> None:
        self.url = url

    def mark(self) -> None:
        """Remember every table."""
        with self._connected() as run:
            run("DROP SCHEMA IF EXISTS mark CASCADE")
            run("CREATE SCHEMA mark")
            for table in self._tables(run):
                run(f'CREATE TABLE mark."{table}" AS TABLE public."{table}"')

    def back(self) -> None:
        """Every table as it was; what a killed process was doing is over first."""
        with self._connected() as run:
            run(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            run("SET session_replication_role = replica")
            tables = self._tables(run)
            run("TRUNCATE " + ", ".join(f'public."{table}"' for table in tables))
            for table in tables:
                run(f'INSERT INTO public."{table}" OVERRIDING SYSTEM VALUE TABLE mark."{table}"')

    def state(self) -> State:
        """Everything that it keeps."""
        with self._connected() as run:
            return state_of(run)

    @contextmanager
    def _connected(self) -> Iterator[Callable[[str], list[Any]]]:
        with psycopg.connect(self.url, autocommit=True) as connection:

            def run(statement: str) -> list[Any]:
                cursor = connection.execute(statement.encode())
                return cursor.fetchall() if cursor.description else []

            yield run

    @staticmethod
    def _tables(run: Callable[[str], list[Any]]) -> list[str]:
        rows = run("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'")
        return sorted(table for (table,) in rows)
