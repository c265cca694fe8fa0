"""Runs mutmut over ``crossport.domain`` and says how many mutants the fast tests kill (``make mutants``).

mutmut knows a source root only as ``src``, leaves functions with decorators alone and writes into the tree that it
works on. So it works on a staged copy under ``build/mutants``, in which ``shared`` is called ``src`` and a property is
a plain function wrapped afterwards, which it does mutate. Results are kept there: a run takes up where the last one
stopped, and mutants of unchanged functions are not tried again, unless they are named.

    python tests/mutants.py                      run what has no result yet
    python tests/mutants.py history billing      only these modules
    python tests/mutants.py --again [module]     try the survivors once more, after tests were added
    python tests/mutants.py --show [module]      the survivors, as differences
    python tests/mutants.py --figures            only the figures of what has run
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAGE = ROOT / "build" / "mutants"
SUMMARY = ROOT / "build" / "mutants.json"
MUTMUT = Path(sys.executable).parent / "mutmut"
DOMAIN = Path("src/crossport/domain")
#: What the staged tests read beside the code.
BESIDE = ("tests", "docs", "pyproject.toml")
#: Share of the examples and of the enumerated cases that a mutant is tried with.
SHARE = "0.02"
GOAL = 85
#: Exit codes of a mutant's tests (mutmut.stats.status_by_exit_code).
_STATUS = {
    0: "survived", 1: "killed", 3: "killed", 5: "no_test", 33: "no_test", 36: "timed_out", 24: "timed_out",
    -24: "timed_out", 152: "timed_out", 255: "timed_out",
}  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """What became of the mutants of one module, or of all."""

    mutants: int
    killed: int
    survived: int
    timed_out: int
    no_test: int
    other: int
    not_run: int

    @property
    def percent(self) -> float:
        """Killed of those that ran; a mutant that never ends was noticed too."""
        ran = self.mutants - self.not_run
        return round(100 * (self.killed + self.timed_out) / ran, 1) if ran else 0.0


def stage() -> None:
    """Bring the copy up to date; files that are the same keep their time, by which mutmut knows them."""
    written = set()
    for source in sorted((ROOT / "shared").rglob("*")):
        if source.is_file() and "__pycache__" not in source.parts:
            target = STAGE / "src" / source.relative_to(ROOT / "shared")
            _write(target, _properties_bared(source) if _is_domain(source) else source.read_bytes())
            written.add(target)
    for stale in set((STAGE / "src").rglob("*.py")) - written:
        stale.unlink()
        (STAGE / "mutants" / stale.relative_to(STAGE)).unlink(missing_ok=True)
    # Which tests reach which function is asked anew: a test that was edited has kept its name.
    (STAGE / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    for name in BESIDE:
        for copy in (STAGE / name, STAGE / "mutants" / name):
            if copy.is_dir():
                shutil.rmtree(copy)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, STAGE / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, STAGE / name)


def _is_domain(source: Path) -> bool:
    return source.suffix == ".py" and source.is_relative_to(ROOT / "shared/crossport/domain")


def _write(target: Path, content: bytes) -> None:
    if not target.is_file() or target.read_bytes() != content:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _properties_bared(source: Path) -> bytes:
    """The module with each ``@property`` as a plain method that the next line wraps."""
    text = source.read_text(encoding="utf-8")
    lines = text.splitlines()
    found = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and [ast.unparse(each) for each in node.decorator_list] == ["property"]
    ]
    for node in sorted(found, key=lambda node: node.lineno, reverse=True):
        assert node.end_lineno is not None
        lines.insert(node.end_lineno, f"{' ' * node.col_offset}{node.name} = property({node.name})")
        del lines[node.decorator_list[0].lineno - 1]
    return ("\n".join(lines) + "\n").encode()


def results() -> dict[str, dict[str, str]]:
    """Module to its mutants to what became of each, as mutmut recorded it."""
    found: dict[str, dict[str, str]] = {}
    for meta in sorted((STAGE / "mutants" / DOMAIN).rglob("*.py.meta")):
        source = meta.with_suffix("").relative_to(STAGE / "mutants")
        codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
        if codes and (STAGE / source).is_file():
            module = str(source.relative_to(DOMAIN).with_suffix("")).replace(os.sep, ".")
            found[module] = {
                name: "not_run" if code is None else _STATUS.get(code, "other") for name, code in codes.items()
            }
    return found


def figures(statuses: Iterator[str]) -> Figures:
    """Count them."""
    count = Counter(statuses)
    names = ("killed", "survived", "timed_out", "no_test", "other", "not_run")
    return Figures(mutants=count.total(), **{name: count[name] for name in names})


def report() -> Figures:
    """Print the table, write the summary, return the total."""
    by_module = results()
    rows = {module: figures(iter(statuses.values())) for module, statuses in by_module.items()}
    total = figures(status for statuses in by_module.values() for status in statuses.values())
    print(f"\n| {'module':<18} | mutants | killed | survived | timed out | no test | other | not run | percent |")
    print(f"|{'-' * 20}|{'|'.join(['---:'] * 8)}|")
    for module, row in [*rows.items(), ("all", total)]:
        counts = asdict(row).values()
        print(f"| {module:<18} | {' | '.join(str(count) for count in counts)} | {row.percent} |")
    summary = {
        "goal_percent": GOAL,
        "total": asdict(total) | {"percent": total.percent},
        "modules": {module: asdict(row) | {"percent": row.percent} for module, row in rows.items()},
        "not_killed": {
            name: status
            for statuses in by_module.values()
            for name, status in statuses.items()
            if status not in {"killed", "timed_out", "not_run"}
        },
    }
    SUMMARY.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    print(
        f"\n{total.percent} % of {total.mutants - total.not_run} mutants killed, the goal is {GOAL} %: {SUMMARY.name}"
    )
    return total


def not_killed(modules: list[str]) -> list[str]:
    """The mutants of these modules, or of all, that no test noticed."""
    return [
        name
        for module, statuses in results().items()
        for name, status in statuses.items()
        if (not modules or module in modules) and status in {"survived", "no_test", "other"}
    ]


def mutmut(*arguments: str, quiet: bool = False) -> int:
    """Run mutmut in the staged copy with a share of the examples."""
    environment = os.environ | {"CROSSPORT_TEST_SHARE": SHARE, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    # Its progress redraws one line thousands of times.
    output = subprocess.PIPE if quiet else None
    done = subprocess.run([str(MUTMUT), *arguments], cwd=STAGE, env=environment, stdout=output, text=True, check=False)
    if quiet and done.returncode:
        print((done.stdout or "")[-4000:])
    return done.returncode


def main(arguments: list[str]) -> int:
    """Stage, run and report; 1 when mutmut failed or the goal was missed."""
    flags = [each for each in arguments if each.startswith("--")]
    modules = [each for each in arguments if not each.startswith("--")]
    if "--show" in flags:
        for name in not_killed(modules):
            mutmut("show", name)
        return 0
    if "--figures" not in flags:
        stage()
        names = not_killed(modules) if "--again" in flags else [f"crossport.domain.{each}.x*" for each in modules]
        if "--again" not in flags or names:
            code = mutmut("run", "--max-children", os.environ.get("MUTANTS_AT_ONCE", "1"), *names, quiet=True)
            if code:
                return 1
    return 0 if report().percent >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
