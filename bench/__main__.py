"""``make bench``: everything in one run, interleaved, within some minutes."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from bench import cold_start, on_postgresql, reconciliation, vlans
from bench.one_event import check
from bench.processes import in_process
from bench.report import RESULTS, ROOT, Bar, Report

ROUNDS = 5
#: Connections of one round; a slow peer gets fewer, so that a round stays short.
CONNECTIONS = 100
_OF_SLOW = {"dbos": 20}
_PARTS = ("sqlite", "cold-start", "vlans", "postgresql")
#: Asked for by name alone: its store has ports without VBRs and without documents, and a pass reads the connections of
#: such ports since it looks for VBRs that are missing (bench/findings.md).
_BY_NAME = ("reconciliation",)
_SQLITE = ("floor", "powertools", "dbos", "crossport")


def main(arguments: list[str]) -> int:
    """Measure what is asked for and write the results; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=(*_PARTS, *_BY_NAME), action="append")
    parser.add_argument("--growth", type=int, default=1_000_000, help="connections of the large store; 0: leave it out")
    options = parser.parse_args(arguments)
    asked = options.only or _PARTS
    report = Report(rounds=options.rounds)
    # Not on a file system in memory: a flush must be one.
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        place = Path(folder)
        if "sqlite" in asked:
            one_event_on_sqlite(report, place, options.rounds)
        if "cold-start" in asked:
            cold_starts(report, place, options.rounds)
        if "vlans" in asked:
            vlan_ids(report, place)
        if "reconciliation" in asked:
            reconciliation.measure(report, place)
    report.left_out.append("The real Function Compute, a database over a network: never tried.")
    if "postgresql" in asked:
        on_postgresql.measure(report, options.rounds, options.growth)
    report.write()
    for bar in report.bars:
        verdict = "met" if bar.met else "MISSED"
        print(f"{bar.number:4} {bar.what:60} {bar.measured:8.4g}{bar.unit} {bar.asked:>10}  {verdict}")
    print(f"written: {RESULTS.relative_to(ROOT)}")
    return 0


def one_event_on_sqlite(report: Report, place: Path, rounds: int) -> None:
    """P1 on SQLite, and the profile."""
    rates: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        # Another one goes first in every round.
        for name in (*_SQLITE[number % len(_SQLITE) :], *_SQLITE[: number % len(_SQLITE)]):
            url = f"sqlite:///{place / f'{name}-{number}.db'}"
            connections = _OF_SLOW.get(name, CONNECTIONS)
            in_process("bench.one_event", "seed", name, url, str(connections))
            measured = json.loads(in_process("bench.one_event", "run", name, url, "0", str(connections), "1"))
            check(name, url, connections)
            rates[name].append(measured["events"] / measured["seconds"])
            cpu[name].append(measured["cpu"] / measured["events"])
    rate = {name: statistics.median(rates[name]) for name in _SQLITE}
    report.bars.append(
        Bar(
            number="P1",
            what="one event, SQLite: crossport / one-statement floor",
            least=0.73,
            measured=rate["crossport"] / rate["floor"],
        )
    )
    report.bars.append(
        Bar(
            number="P1", what="one event, SQLite: crossport / DBOS", least=13, measured=rate["crossport"] / rate["dbos"]
        )
    )
    report.tables["One event on SQLite, one worker"] = [
        ("candidate", "events/s", "lowest and highest round", "client CPU, µs/event", "x floor"),
        *(
            (
                name,
                f"{rate[name]:,.0f}",
                f"{min(rates[name]):,.0f} – {max(rates[name]):,.0f}",
                f"{statistics.median(cpu[name]) * 1e6:,.0f}",
                f"{rate[name] / rate['floor']:.2f}",
            )
            for name in _SQLITE
        ),
    ]
    report.charts["events a second, SQLite, one event at a time"] = [(name, rate[name]) for name in _SQLITE]
    lines = in_process("bench.profile", f"sqlite:///{place / 'profile.db'}", str(CONNECTIONS)).splitlines()
    parts = (line.split("\t") for line in lines)
    report.profile = "Shares under cProfile, which makes small functions look dearer than they are.\n\n" + "\n".join(
        ["| share | part |", "|---|---|", *(f"| {float(share):.0%} | {part} |" for share, part in parts)]
    )


def cold_starts(report: Report, place: Path, rounds: int) -> None:
    """P6 on SQLite."""
    urls = {name: f"sqlite:///{place / f'cold-{name}.db'}" for name in ("crossport", "naive")}
    for name, url in urls.items():
        in_process("bench.one_event", "seed", name, url, str(rounds + 1))
    cold_start.compare(report, "SQLite", 0.20, urls, rounds)


def vlan_ids(report: Report, place: Path) -> None:
    """P8."""
    measured = vlans.measured(f"sqlite:///{place / 'vlans.db'}")
    report.bars += [
        Bar(number="P8", what="VLAN pick at the worst fill", measured=measured.pick * 1e6, most=1, unit=" µs"),
        Bar(
            number="P8",
            what="allocation rate, last tenth of a circuit / first tenth",
            least=0.9,
            measured=measured.last_tenth / measured.first_tenth,
        ),
        Bar(
            number="P8",
            what="two processes, 2,999 VLAN IDs: different ones taken",
            measured=measured.different,
            least=2_999,
        ),
    ]
    if measured.taken != measured.different:
        raise AssertionError(f"{measured.taken} VLAN IDs were taken, {measured.different} different ones")
    report.tables["2,999 VLAN IDs of one circuit, two processes, SQLite"] = [
        ("first tenth, IDs/s", "last tenth, IDs/s", "races lost and decided again"),
        (f"{measured.first_tenth:,.0f}", f"{measured.last_tenth:,.0f}", str(measured.lost)),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
