"""The measurements on PostgreSQL: a server of the bench's own, with its flushes on."""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict

from bench import cold_start, ours
from bench.one_event import check
from bench.processes import in_process, started
from bench.report import Bar, Report
from bench.work import distinct, events, poisoned
from tests.postgresql_server import PostgresServer

CONNECTIONS = 100
_OF_SLOW = {"dbos": 20}
_ONE = ("floor", "two trips", "powertools", "dbos", "crossport")
_BATCH = 16
#: Flushes of the log by those who commit, and transactions of one database.
_FLUSHES = "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal' AND backend_type = 'client backend'"
_TRANSACTIONS = "SELECT xact_commit FROM pg_stat_database WHERE datname = '{}'"
_BUFFERS = "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = '{}'"
_TOUCHED = ("connection", "route", "inbox", "audit", "outbox")
_INDEXES = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public' AND tablename IN ({})"
#: Connections that nothing happens to, with a route, an inbox key, an audit row and a finished outbox row each.
_FILL = (
    """INSERT INTO connection (
        id, version, account_id, region, circuit_id, tenant_uid, port_id, vlan_id, spec, order_mode, flow, origin,
        group_id, phase, violations, port_glance, vbrs_glance, port_over, document, created_at, updated_at
    )
    SELECT 'filler-' || n, version, account_id, region, 'pc-filler-' || n / 3000, tenant_uid, 'pc-filler-port-' || n,
        vlan_id, spec, order_mode, flow, origin, group_id, 'active', violations, port_glance, vbrs_glance, port_over,
        document, created_at, updated_at
    FROM (SELECT * FROM connection ORDER BY id LIMIT 1) AS one, generate_series(1, {0}) AS n""",
    "INSERT INTO route SELECT 'port:pc-filler-port-' || n, 'filler-' || n FROM generate_series(1, {0}) AS n",
    """INSERT INTO inbox SELECT '1180000000000001|acs.vpc|filler-' || n, repeat('d', 64), 'applied', 'filler-' || n,
        '2026-02-01T00:00:00.000000Z' FROM generate_series(1, {0}) AS n""",
    """INSERT INTO audit (at, kind, event_key, connection_id) SELECT '2026-02-01T00:00:00.000000Z', 'input',
        'filler-' || n, 'filler-' || n FROM generate_series(1, {0}) AS n""",
    """INSERT INTO outbox (key, kind, target, payload, connection_id, state, created_at)
    SELECT 'filler-' || n, 'offer', 'queue:notices', '{{}}', 'filler-' || n, 'done', '2026-02-01T00:00:00.000000Z'
    FROM generate_series(1, {0}) AS n""",
    "VACUUM ANALYZE",
)
_CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'"


class Bench:
    """One server, a fresh database for every candidate and round."""

    def __init__(self, server: PostgresServer, report: Report, rounds: int, growth: int) -> None:
        self._server = server
        self._report = report
        self._rounds = rounds
        self._growth = growth

    def everything(self) -> None:
        """All parts, one after another."""
        self.one_event()
        self.batches()
        self.two_processes()
        self.cold_starts()
        if self._growth:
            self.growth()

    def one_event(self) -> None:
        """P1, P3 and P4: one event an invocation, one worker."""
        rates: dict[str, list[float]] = defaultdict(list)
        cpu: dict[str, list[float]] = defaultdict(list)
        flushes: dict[str, list[float]] = defaultdict(list)
        trips: dict[str, list[float]] = defaultdict(list)
        for number in range(self._rounds):
            for name in (*_ONE[number % len(_ONE) :], *_ONE[: number % len(_ONE)]):
                connections = _OF_SLOW.get(name, CONNECTIONS)
                database = self._seeded(name, connections)
                before = self._counters(database)
                measured = self._run(name, database, 0, connections, 1)
                after = self._counters(database)
                check(name, self._server.url(database), connections)
                rates[name].append(measured["events"] / measured["seconds"])
                cpu[name].append(measured["cpu"] / measured["events"])
                flushes[name].append((after[0] - before[0]) / distinct(connections))
                trips[name].append((after[1] - before[1]) / distinct(connections))
                self._drop(database)
        rate = {name: statistics.median(rates[name]) for name in _ONE}
        spent = {name: statistics.median(cpu[name]) for name in _ONE}
        own = rate["crossport"]
        add = self._report.bars.append
        compared = "one event, PostgreSQL: crossport / "
        add(Bar(number="P1", what=compared + "two-trip reference", least=0.80, measured=own / rate["two trips"]))
        add(Bar(number="P1", what=compared + "Powertools", least=1.8, measured=own / rate["powertools"]))
        add(Bar(number="P1", what=compared + "DBOS", least=10, measured=own / rate["dbos"]))
        flushed = statistics.median(flushes["crossport"])
        add(Bar(number="P3", what="WAL flushes an applied event", most=1.02, measured=flushed))
        compared = "client CPU an event: crossport / two-trip reference"
        add(Bar(number="P4", what=compared, most=1.5, measured=spent["crossport"] / spent["two trips"]))
        self._report.tables["One event on PostgreSQL, one worker"] = [
            ("candidate", "events/s", "lowest and highest round", "client CPU, µs/event", "WAL flushes/applied event",
             "transactions/applied event", "x floor"),
            *(
                (name, f"{rate[name]:,.0f}", f"{min(rates[name]):,.0f} – {max(rates[name]):,.0f}",
                 f"{spent[name] * 1e6:,.0f}", f"{statistics.median(flushes[name]):.2f}",
                 f"{statistics.median(trips[name]):.2f}", f"{rate[name] / rate['floor']:.2f}")
                for name in _ONE
            ),
        ]  # fmt: skip
        self._report.charts["events a second, PostgreSQL, one event at a time"] = [(name, rate[name]) for name in _ONE]

    def batches(self) -> None:
        """P2 and the flushes of P3: batches of 16 with a verdict for each event."""
        names = ("floor, pipelined", "crossport")
        rates: dict[str, list[float]] = defaultdict(list)
        flushes: list[float] = []
        for _ in range(self._rounds):
            for name in names:
                database = self._seeded(name, CONNECTIONS)
                before = self._counters(database)
                measured = self._run(name, database, 0, CONNECTIONS, _BATCH)
                after = self._counters(database)
                check(name, self._server.url(database), CONNECTIONS)
                rates[name].append(measured["events"] / measured["seconds"])
                if name == "crossport":
                    flushes.append((after[0] - before[0]) / len(events(CONNECTIONS)))
                self._drop(database)
            rates["crossport, one poison event in each"].append(self._poisoned())
        rate = {name: statistics.median(found) for name, found in rates.items()}
        with_poison = rate["crossport, one poison event in each"] / rate["floor, pipelined"]
        self._report.bars += [
            Bar(number="P2", what="the same with one poison event in each batch", least=0.50, measured=with_poison,
                informative=True),
            Bar(number="P2", what="batches of 16, PostgreSQL: crossport / pipelined floor", least=0.70,
                measured=rate["crossport"] / rate["floor, pipelined"]),
            Bar(number="P3", what="WAL flushes an event, batches of 16", most=round(1.05 / _BATCH, 4),
                measured=statistics.median(flushes)),
        ]  # fmt: skip
        self._report.tables["Batches of 16 on PostgreSQL, one worker"] = [
            ("candidate", "events/s"),
            *((name, f"{each:,.0f}") for name, each in rate.items()),
        ]

    def _poisoned(self) -> float:
        """Events a second when every batch has one that breaks a constraint: it alone ends as a dead letter."""
        count = len(poisoned(events(CONNECTIONS), _BATCH, CONNECTIONS))
        database = self._seeded("crossport", CONNECTIONS + 2 * count)
        measured = self._run("crossport", database, 0, CONNECTIONS, _BATCH, task="poison")
        url = self._server.url(database)
        found = ours.dead_letters(url), ours.end_state(url)["inbox"]
        if found != (count, distinct(CONNECTIONS) + count):
            raise AssertionError(f"(dead letters, inbox) are {found} with {count} poison events")
        self._drop(database)
        return measured["events"] / measured["seconds"]

    def two_processes(self) -> None:
        """P5: two workers beside one, on connections of their own."""
        ratios = []
        for _ in range(self._rounds):
            together = {}
            for workers in (1, 2):
                database = self._seeded("crossport", CONNECTIONS)
                share = CONNECTIONS // workers
                url = self._server.url(database)
                running = [
                    started("bench.one_event", "run", "crossport", url, str(worker * share), str(share), "1")
                    for worker in range(workers)
                ]
                answers = [json.loads(process.communicate()[0]) for process in running]
                together[workers] = sum(answer["events"] / answer["seconds"] for answer in answers)
                check("crossport", url, CONNECTIONS)
                self._drop(database)
            ratios.append(together[2] / together[1])
        self._report.bars.append(
            Bar(number="P5", what="two processes / one, PostgreSQL", least=1.35, measured=statistics.median(ratios),
                informative=True)
        )  # fmt: skip

    def cold_starts(self) -> None:
        """P6 on PostgreSQL."""
        databases = {}
        for name in ("crossport", "naive"):
            databases[name] = self._seeded(name, self._rounds + 1)
        urls = {name: self._server.url(database) for name, database in databases.items()}
        cold_start.compare(self._report, "PostgreSQL", 0.38, urls, self._rounds)
        for database in databases.values():
            self._drop(database)

    def growth(self) -> None:
        """P9: the same events in a store of a thousand connections and of a million."""
        sizes = (1_000, self._growth)
        databases = {size: self._seeded("crossport", CONNECTIONS) for size in sizes}
        for size, database in databases.items():
            for statement in _FILL:
                self._server.execute(statement.format(size), database)
        share = CONNECTIONS // self._rounds
        seconds: dict[int, list[float]] = defaultdict(list)
        buffers: dict[int, list[float]] = defaultdict(list)
        for number in range(self._rounds):
            for size, database in databases.items():
                before = self._touched(database)
                measured = self._run("crossport", database, number * share, share, 1)
                touched = self._touched(database) - before
                seconds[size].append(measured["seconds"] / measured["events"])
                buffers[size].append(touched / len(events(share, number * share)))
        names = ", ".join(f"'{name}'" for name in _TOUCHED)
        ((indexes,),) = self._server.execute(_INDEXES.format(names), databases[sizes[0]])
        small, large = (statistics.median(buffers[size]) for size in sizes)
        time_small, time_large = (statistics.median(seconds[size]) for size in sizes)
        grown = f"{self._growth:,} connections beside 1,000"
        self._report.bars += [
            Bar(number="P9", what=f"{grown}: more buffers an event, for each of {indexes} indexes", most=2,
                measured=(large - small) / indexes),
            Bar(number="P9", what=f"{grown}: time an event", most=1.25, measured=time_large / time_small),
        ]  # fmt: skip
        self._report.tables["Growth, PostgreSQL, one event at a time"] = [
            ("connections", "buffers touched an event, all of it", "µs/event"),
            (f"{sizes[0]:,}", f"{small:,.0f}", f"{time_small * 1e6:,.0f}"),
            (f"{sizes[1]:,}", f"{large:,.0f}", f"{time_large * 1e6:,.0f}"),
        ]
        for database in databases.values():
            self._drop(database)

    def _seeded(self, name: str, connections: int) -> str:
        database = self._server.create_database()
        in_process("bench.one_event", "seed", name, self._server.url(database), str(connections))
        return database

    def _run(
        self, name: str, database: str, first: int, connections: int, batch: int, task: str = "run"
    ) -> dict[str, float]:
        url = self._server.url(database)
        answer = in_process("bench.one_event", task, name, url, str(first), str(connections), str(batch))
        measured: dict[str, float] = json.loads(answer)
        return measured

    def _counters(self, database: str) -> tuple[int, int]:
        """(flushes, transactions) so far."""
        self._wait(database)
        ((flushes,),) = self._server.execute(_FLUSHES)
        ((transactions,),) = self._server.execute(_TRANSACTIONS.format(database))
        return int(flushes), int(transactions)

    def _touched(self, database: str) -> int:
        """Buffers touched in the database so far."""
        self._wait(database)
        return int(self._server.execute(_BUFFERS.format(database))[0][0])

    def _wait(self, database: str) -> None:
        """A backend hands its numbers in when it ends: wait for that."""
        for _ in range(100):
            if self._server.execute(_CONNECTED.format(database))[0][0] == 0:
                break
            time.sleep(0.05)

    def _drop(self, database: str) -> None:
        self._server.drop_database(database)


def measure(report: Report, rounds: int, growth: int) -> None:
    """Start a server, measure, stop it."""
    with PostgresServer(durable=True, shared_buffers="128MB") as server:
        report.postgresql = str(server.execute("SHOW server_version")[0][0])
        Bench(server, report, rounds, growth).everything()
