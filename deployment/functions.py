"""What ``pyproject.toml`` says about the functions: which there are, and which extras each of them needs."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: The runtime of s.yaml: compiled code and binary wheels are for this version and platform alone.
PYTHON = "3.12"
#: What the runtime's Debian 11 (glibc 2.31) can load, newest first.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def extras() -> dict[str, tuple[str, ...]]:
    """Function to its extras of the project (``[tool.crossport.functions]``), in the order of the names."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    table: dict[str, list[str]] = document["tool"]["crossport"]["functions"]
    return {name: tuple(table[name]) for name in sorted(table)}


def built_from_source() -> frozenset[str]:
    """Distributions that are published as source alone, pure Python, and built here; any other must be a wheel."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return frozenset(document["tool"]["crossport"]["built-from-source"])


def lock_file(name: str) -> Path:
    """The hash-locked requirements of a function."""
    return ROOT / "requirements" / "functions" / f"{name}.txt"
