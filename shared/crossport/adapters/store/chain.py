"""The hash chain over sealed billing records: whoever holds a copy of the latest hash can tell a changed past."""

from __future__ import annotations

import hashlib
import json

#: What stands for the hash before the first record.
GENESIS = "0" * 64


def seal_hash(*, prev_hash: str, seq: int, key: str, record: str, reverses: str | None) -> str:
    """The hash of one sealed record: 64 hexadecimal digits.

    SHA-256 over the UTF-8 text of the JSON array [prev_hash, seq, key, record, reverses], without spaces and with
    non-ASCII characters as they are. ``seq`` counts from 1; ``prev_hash`` of the first record is 64 zeros; ``record``
    is the record's canonical text, as a string.
    """
    text = json.dumps([prev_hash, seq, key, record, reverses], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
