"""Modules of the bench in processes of their own, in a clean environment that keeps byte code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def started(module: str, *arguments: str) -> subprocess.Popen[str]:
    """A module that runs; its output is for ``communicate``."""
    environment = {"PATH": os.defpath, "PYTHONPATH": f"{ROOT}:{ROOT / 'shared'}", "HOME": os.environ.get("HOME", "/")}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def in_process(module: str, *arguments: str) -> str:
    """The output of a module. Raises RuntimeError when it fails; what it says about that goes to standard error."""
    process = started(module, *arguments)
    output, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{module} {' '.join(arguments)} ended with {process.returncode}")
    return output.strip()
