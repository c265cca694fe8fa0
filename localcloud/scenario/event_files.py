"""Files that hold one event for one function: those of the catalogue in ``events/``, and plain ones."""

from __future__ import annotations

import json
from pathlib import Path


def event_in(file: Path) -> bytes:
    """The event of a file: that of a catalogue entry (``event`` beside ``expect``), else the file's bytes as they are.

    A catalogue entry may hold an event that is not JSON, as ``raw`` text. Raises OSError.
    """
    content = file.read_bytes()
    try:
        document = json.loads(content)
    except ValueError:
        return content
    if not isinstance(document, dict) or "expect" not in document:
        return content
    if "raw" in document:
        return str(document["raw"]).encode()
    return json.dumps(document["event"], ensure_ascii=False).encode()
