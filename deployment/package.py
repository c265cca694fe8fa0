"""``make package``: build/functions/<name>, and the same as build/functions/<name>.zip, for every function.

A package holds the function's ``index.py``, the content of the project's wheel and the function's own locked
dependencies for Function Compute (Python 3.12, Linux x86_64), each module with its byte code. Dates, order and
permissions are fixed: the same sources give the same bytes, so that a deployment uploads only what has changed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from deployment.functions import PYTHON, ROOT, extras, lock_file
from deployment.wheels import PackageError, build, compile_all, copied, download, names_in, unpack

#: The date of every file, UTC: the first that a zip can hold, one day later for every time zone.
_DATE = (1980, 1, 2, 0, 0, 0)
_SECONDS = 315_619_200
#: Which interpreter compiles: this variable, else this very one if it fits, else ``python3.12`` on the path.
VARIABLE = "PYTHON312"


@dataclass(frozen=True, kw_only=True)
class Package:
    """One built package; sizes in bytes, ``modules`` counts those that can be imported."""

    name: str
    folder: Path
    archive: Path
    unpacked: int
    packed: int
    modules: int


def runtime_python() -> str:
    """The interpreter of the runtime's version. Raises PackageError that says how to name one."""
    given = os.environ.get(VARIABLE, "").strip()
    for candidate in (given,) if given else (sys.executable, f"python{PYTHON}"):
        if _version(candidate) == PYTHON:
            return candidate
    tried = f"{VARIABLE}={given} is none" if given else f"there is no working python{PYTHON} on the path"
    raise PackageError(
        f"make package compiles for Function Compute's runtime and needs Python {PYTHON}; {tried}. "
        f"Install it, or name it: make package {VARIABLE}=/path/to/python{PYTHON}"
    )


def build_packages(output: Path, names: tuple[str, ...], wheels: Path) -> list[Package]:
    """Build the packages of these functions into ``output``, replacing what is there; ``wheels`` keeps downloads."""
    python = runtime_python()
    chosen = [lock_file(name) for name in names]
    shutil.rmtree(wheels, ignore_errors=True)
    found = download(sorted(set(chosen)), wheels)
    packages = []
    with tempfile.TemporaryDirectory() as scratch:
        staged = _staged(found, Path(scratch), python)
        for name in names:
            folder = output / name
            shutil.rmtree(folder, ignore_errors=True)
            for distribution in sorted(names_in(lock_file(name)) | {"crossport"}):
                copied(staged[distribution], folder)
            copied(_compiled_index(name, Path(scratch), python), folder)
            packages.append(_finished(name, folder))
    return packages


def _staged(wheels: dict[str, Path], scratch: Path, python: str) -> dict[str, Path]:
    """Each distribution unpacked and compiled by itself: what a function leaves out cannot change the rest."""
    own = scratch / "own"
    build(ROOT, own)
    staged = {}
    for name, wheel in {**wheels, "crossport": next(own.glob("crossport-*.whl"))}.items():
        staged[name] = scratch / "staged" / name
        unpack(wheel, staged[name])
        compile_all(staged[name], python)
    return staged


def _compiled_index(name: str, scratch: Path, python: str) -> Path:
    folder = scratch / "index" / name
    folder.mkdir(parents=True)
    shutil.copyfile(ROOT / "functions" / name / "index.py", folder / "index.py")
    compile_all(folder, python)
    return folder


def _finished(name: str, folder: Path) -> Package:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    archive = folder.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for file in files:
            file.chmod(0o644)
            os.utime(file, (_SECONDS, _SECONDS))
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _DATE)
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            target.writestr(entry, file.read_bytes())
    return Package(
        name=name,
        folder=folder,
        archive=archive,
        unpacked=sum(file.stat().st_size for file in files),
        packed=archive.stat().st_size,
        modules=sum(file.suffix == ".py" or file.name.endswith(".so") for file in files),
    )


def _version(python: str) -> str:
    try:
        result = subprocess.run(
            [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            check=False,
            capture_output=True,
            text=True,
        )
    except OSError:
        return ""
    return result.stdout.strip()


def main(arguments: list[str]) -> int:
    """Build what is named, or everything, and print sizes and module counts; returns the exit code."""
    every = extras()
    parser = argparse.ArgumentParser(prog="make package", description="Build packages for Function Compute.")
    parser.add_argument("names", nargs="*", metavar="function", help=f"any of {', '.join(every)}; default: all")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "functions")
    parser.add_argument("--wheels", type=Path, default=ROOT / "build" / "wheels")
    options = parser.parse_args(arguments)
    names = tuple(options.names or every)
    if unknown := [name for name in names if name not in every]:
        parser.error(f"unknown function: {', '.join(unknown)}")
    try:
        packages = build_packages(options.output, names, options.wheels)
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{'function':<14}{'zip, MB':>10}{'unpacked, MB':>15}{'modules':>10}  extras")
    for package in packages:
        sizes = f"{package.packed / 1e6:>10.1f}{package.unpacked / 1e6:>15.1f}"
        print(f"{package.name:<14}{sizes}{package.modules:>10}  {', '.join(every[package.name])}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
