"""The cloud's clock: real time plus an offset that a scenario can move.

Signatures, nonces and queue timings always use real time, as the SDKs do. Everything that the cloud
*records* (creation times, EnabledTime, event times, timer triggers) uses this clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path


class Clock:
    """Real time plus an offset, shared with function processes through a small file.

    The file holds the offset in seconds as a decimal number; its path is what the functions get as
    ``CROSSPORT_CLOCK``. Without a file the offset lives in this process alone.
    """

    def __init__(self, file: Path | None = None, start: datetime | None = None) -> None:
        self._file = file
        self._offset = timedelta() if start is None else start - datetime.now(UTC)
        self._write()

    @property
    def file(self) -> Path | None:
        """Where the offset is published, or None."""
        return self._file

    def now(self) -> datetime:
        """The cloud's present time, aware, in UTC."""
        return datetime.now(UTC) + self._offset

    def advance(self, by: timedelta) -> None:
        """Move the cloud's time forward. Raises ValueError for a negative step: time has one direction."""
        if by < timedelta():
            raise ValueError(f"the clock only moves forward, not by {by}")
        self._offset += by
        self._write()

    def _write(self) -> None:
        if self._file is not None:
            temporary = self._file.with_suffix(".new")
            temporary.write_text(repr(self._offset.total_seconds()), encoding="ascii")
            temporary.replace(self._file)
