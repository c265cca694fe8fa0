"""Distributions for the functions: downloaded by hash, built where there is no wheel, unpacked and compiled once."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from deployment.functions import PLATFORMS, PYTHON, ROOT, built_from_source

#: Where a package lies on Function Compute, so that tracebacks name the files as they are there.
CODE = "/code"
_PIP = ("-m", "pip", "--quiet", "--quiet", "--disable-pip-version-check")
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


class PackageError(Exception):
    """A package cannot be built; the message says what to do."""


def names_in(lock: Path) -> frozenset[str]:
    """Names of the distributions that a lock file pins, normalised."""
    return frozenset(normalised(name) for name in _PINNED.findall(lock.read_text(encoding="utf-8")))


def normalised(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def download(locks: Iterable[Path], folder: Path) -> dict[str, Path]:
    """Distribution to its wheel, each checked against the hashes of the lock files.

    Raises PackageError for a distribution that has no wheel and is not one of ``built-from-source``.
    """
    target = [option for platform in PLATFORMS for option in ("--platform", platform)]
    target += ["--python-version", PYTHON, "--implementation", "cp"]
    target += [option for abi in (f"cp{PYTHON.replace('.', '')}", "abi3", "none") for option in ("--abi", abi)]
    folder.mkdir(parents=True, exist_ok=True)
    for lock in locks:
        # The lock is complete: nothing is resolved, so nothing can creep in.
        _pip("download", "--no-deps", "--no-build-isolation", "--prefer-binary", "--require-hashes", *target,
             "--dest", str(folder), "--requirement", str(lock))  # fmt: skip
    for source in sorted(folder.glob("*.tar.gz")):
        name = normalised(source.name.rpartition("-")[0])
        if name not in built_from_source():
            raise PackageError(f"{source.name}: there is no wheel for Python {PYTHON} on Function Compute")
        build(source, folder)
        source.unlink()
    return {normalised(wheel.name.partition("-")[0]): wheel for wheel in sorted(folder.glob("*.whl"))}


def build(source: Path, folder: Path) -> None:
    """A pure wheel of a source archive or folder, built with the build tools of this environment."""
    _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(source))


def unpack(wheel: Path, folder: Path) -> None:
    """What a wheel installs into site-packages. Raises PackageError for a wheel of another platform's layout."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in sorted(archive.infolist(), key=lambda info: info.filename):
            place = _place(entry.filename)
            if entry.is_dir() or place is None:
                continue
            if place.is_absolute() or ".." in place.parts:
                raise PackageError(f"{wheel.name} holds {entry.filename}, which leads out of its folder")
            file = folder / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(archive.read(entry))


def compile_all(folder: Path, python: str) -> None:
    """Byte code beside every module of a folder, for ``python``'s own version.

    ``unchecked-hash``: the loader looks at nothing but the magic number, because the dates of a zip mean nothing. One
    process and a fixed hash seed: both leave traces in the byte code. Syntax that the version does not have (a
    library's file for a later one) is left without.
    """
    command = [python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", CODE]
    environment = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}
    subprocess.run([*command, str(folder)], env=environment, check=True, stdout=subprocess.DEVNULL)


def copied(folder: Path, into: Path) -> None:
    """Lay one distribution's files into a package."""
    shutil.copytree(folder, into, dirs_exist_ok=True)


def _place(name: str) -> PurePosixPath | None:
    """Where a wheel's entry goes, relative to site-packages; None for scripts and other things that no import needs."""
    place = PurePosixPath(name)
    if not place.parts[0].endswith(".data"):
        return place
    return PurePosixPath(*place.parts[2:]) if place.parts[1] in {"purelib", "platlib"} else None


def _pip(*arguments: str) -> None:
    result = subprocess.run(
        [sys.executable, *_PIP, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise PackageError(f"pip {arguments[0]} failed: {result.stdout.strip()[-2_000:]}")
