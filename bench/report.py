"""What was measured, as ``bench/RESULTS.md`` and a plot."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "RESULTS.md"
PLOT = ROOT / "bench" / "results.svg"
#: What people have found out about missed bars, kept by hand; copied into the results.
FINDINGS = ROOT / "bench" / "findings.md"
_VERSIONS = ("crossport", "pydantic", "psycopg", "sqlalchemy", "aws-lambda-powertools", "dbos",
             "alibabacloud-vpc20160428", "alibabacloud-fc20230330", "aliyun-mns-sdk")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar: its number, what is compared, the ratio or figure measured and the one that is asked for."""

    number: str
    what: str
    measured: float
    least: float | None = None
    most: float | None = None
    unit: str = ""
    #: Reported, but blocks nothing.
    informative: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure is on the right side."""
        above = self.least is None or self.measured >= self.least
        return above and (self.most is None or self.measured <= self.most)

    @property
    def asked(self) -> str:
        """The bar in words."""
        return f"≥ {self.least:g}{self.unit}" if self.least is not None else f"≤ {self.most:g}{self.unit}"


@dataclass(kw_only=True)
class Report:
    """The whole run."""

    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])
    bars: list[Bar] = field(default_factory=list)
    #: Title to rows of a table, the first row its head.
    tables: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    #: Title to (name, value) of a bar chart.
    charts: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    profile: str = ""
    postgresql: str = ""
    rounds: int = 0

    def write(self) -> None:
        """Write the page and the plot."""
        RESULTS.write_text(self.page(), encoding="utf-8")
        PLOT.write_text(plot(self.charts), encoding="utf-8")

    def page(self) -> str:
        """The page."""
        lines = [
            "# Measured",
            "",
            "Written by `make bench`; every figure is of one run, candidates interleaved, medians.",
        ]
        lines += ["The whole handler is measured: bytes in, answer out, with its log and every check.", ""]
        lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in self._circumstances()), ""]
        lines += ["## Bars", "", "| Bar | Compared | Asked | Measured | |", "|---|---|---|---|---|"]
        for bar in self.bars:
            verdict = "met" if bar.met else "**missed**"
            note = " (reported only)" if bar.informative else ""
            lines.append(
                f"| {bar.number} | {bar.what} | {bar.asked} | {bar.measured:.4g}{bar.unit} | {verdict}{note} |"
            )
        lines += ["", "![events a second](results.svg)", ""]
        for title, rows in self.tables.items():
            head, *rest = rows
            lines += [f"## {title}", "", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
            lines += [f"| {' | '.join(row)} |" for row in rest] + [""]
        if self.profile:
            lines += ["## Where one event's CPU time goes", "", self.profile, ""]
        if FINDINGS.is_file():
            lines += [FINDINGS.read_text(encoding="utf-8").strip(), ""]
        if self.left_out:
            lines += ["## Not measured", "", *(f"- {sentence}" for sentence in self.left_out), ""]
        return "\n".join(lines)

    def _circumstances(self) -> Iterable[tuple[str, str]]:
        yield "date", f"{self.began:%Y-%m-%d %H:%M} UTC"
        yield "commit", _commit()
        yield "machine", f"{_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
        yield "rounds", str(self.rounds)
        yield "load, 1 minute", f"{self.load_before:.2f} before, {os.getloadavg()[0]:.2f} after{_other_load(self)}"
        yield "a write and its flush", f"{_flush() * 1e6:,.0f} µs (median of 100, in the folder of the databases)"
        yield "Python, SQLite", f"{platform.python_version()}, {sqlite3.sqlite_version} (WAL, synchronous=FULL)"
        if self.postgresql:
            yield "PostgreSQL", f"{self.postgresql} (fsync on), Unix socket, same machine"
        yield "versions", ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _VERSIONS)


def plot(charts: dict[str, list[tuple[str, float]]]) -> str:
    """The charts under one another, each with its own scale, as SVG."""
    parts: list[str] = []
    y = 10
    for title, rows in charts.items():
        y += 22
        parts.append(f'<text x="10" y="{y}" class="title">{_escaped(title)}</text>')
        highest = max(value for _, value in rows)
        for name, value in rows:
            y += 24
            own = ' class="own"' if name == "crossport" else ""
            parts.append(f'<text x="140" y="{y}" text-anchor="end">{_escaped(name)}</text>')
            width = max(1, round(400 * value / highest))
            parts.append(f'<rect x="150" y="{y - 13}" width="{width}" height="16" rx="2"{own}/>')
            parts.append(f'<text x="{156 + width}" y="{y}">{value:,.4g}</text>')
        y += 14
    style = (
        "text{font:13px sans-serif;fill:#24292f}.title{font-weight:bold}rect{fill:#9aa7b5}.own{fill:#e8590c}"
        "@media(prefers-color-scheme:dark){text{fill:#d0d7de}}"
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="660" height="{y + 10}" viewBox="0 0 660 {y + 10}" role="img">'
    )
    return "\n".join(
        [head, "<title>Crossport beside floors and peers</title>", f"<style>{style}</style>", *parts, "</svg>\n"]
    )


def _other_load(report: Report) -> str:
    return "; others were at work, so times are inflated and ratios are rough" if report.load_before > 0.7 else ""


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench") else ""
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + changed


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), "?")


def _flush() -> float:
    times = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(100):
            began = time.perf_counter()
            os.pwrite(file.fileno(), b"x" * 4_096, 0)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times)
