"""Time and randomness as the use cases get them."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crossport.entrypoints.errors import ClockFileError


class SystemClock:
    """Real time."""

    def now(self) -> datetime:
        """The present time, aware, UTC."""
        return datetime.now(UTC)


class OffsetClock:
    """Real time plus an offset in seconds that another process keeps in a file (CROSSPORT_CLOCK).

    The file is read on every call: whoever owns the clock moves it while functions are warm. Only the local cloud
    uses it; ``Settings`` refuses it anywhere else.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        """The present simulated time, aware, UTC. Raises ClockFileError for an unreadable file or a wild offset."""
        try:
            return datetime.now(UTC) + timedelta(seconds=float(self._file.read_text(encoding="ascii")))
        except (OSError, ValueError, OverflowError) as error:
            raise ClockFileError(f"{self._file} holds no offset in seconds: {error}") from error


class RandomIds:
    """Ids from the operating system's randomness."""

    def new(self) -> str:
        """A fresh random id of 32 hexadecimal digits."""
        return os.urandom(16).hex()
