"""Connections as text, and back, with the latest ones kept: what is saved is often the next to be loaded.

Kept by the text itself, which is read anew every time: equal texts are equal connections, so what is kept cannot be out
of date, whoever else writes. A lost race leaves a text that nobody will ever read.
"""

from __future__ import annotations

from collections import OrderedDict

from crossport.adapters.store import document
from crossport.domain.connection import Connection

#: Some 20 KB each, the text and what is derived from it included.
MOST = 512

_kept: OrderedDict[str, Connection] = OrderedDict()


def load(text: str) -> Connection:
    """As ``document.load``."""
    connection = _kept.get(text)
    return _keep(text, document.load(text)) if connection is None else connection


def dump(connection: Connection) -> str:
    """As ``document.dump``."""
    text = document.dump(connection)
    _keep(text, connection)
    return text


def forget() -> None:
    """Keep nothing any more."""
    _kept.clear()


def _keep(text: str, connection: Connection) -> Connection:
    _kept[text] = connection
    if len(_kept) > MOST:
        _kept.popitem(last=False)
    return connection
