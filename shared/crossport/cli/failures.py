"""What a command can fail of, and how that is said: on stderr, one line for each thing, never a traceback.

Exit codes: 0 done, 1 it could not be done now, 2 the command or the configuration is wrong.
"""

from __future__ import annotations

import sys
from typing import ClassVar

from crossport.domain.errors import CrossportError

RUNTIME_FAILURE = 1
MISUSE = 2


class MisuseError(CrossportError):
    """The command was given something that it cannot work with."""

    code: ClassVar[str] = "misuse"


class NoDatabaseError(CrossportError):
    """What the URL names is not a database."""

    code: ClassVar[str] = "no_database"


class UnknownIdError(CrossportError):
    """Nothing with this id is in the store."""

    code: ClassVar[str] = "unknown_id"


def complain(message: str, *, urgent: bool = False) -> None:
    """Say on stderr what is wrong; what is ``urgent`` stands out on a terminal.

    Line breaks that came in with foreign text become spaces.
    """
    line = f"crossport: {' '.join(message.split())}"
    if urgent and sys.stderr.isatty():
        line = f"\x1b[1;31m{line}\x1b[0m"
    sys.stderr.write(f"{line}\n")


def detail(message: str) -> None:
    """One more line under a complaint."""
    sys.stderr.write(f"  {' '.join(message.split())}\n")
