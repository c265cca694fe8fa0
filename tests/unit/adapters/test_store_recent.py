"""Connections that the store keeps decoded: as good as decoding them again, whoever else writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crossport.adapters.migrations import migrate
from crossport.adapters.store import document, recent
from crossport.adapters.store.sqlite import SqliteStore
from crossport.application.ports import SaveOutcome
from crossport.application.routing import port_route
from tests.contract.store_examples import CIRCUIT, NOW, connection, save, saved, stored, with_port


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    recent.forget()
    yield
    recent.forget()


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'crossport.db'}"
    migrate(url)
    with SqliteStore(url) as store:
        store.put_circuit(CIRCUIT, actor="test", reason="example", at=NOW)
    return url


def test_what_was_dumped_is_not_decoded_again() -> None:
    one = connection()
    assert recent.load(recent.dump(one)) is one


def test_what_was_loaded_is_kept_too() -> None:
    text = document.dump(connection())
    assert recent.load(text) is recent.load(text)


def test_no_more_than_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST", 2)
    first, *others = (connection(number) for number in range(3))
    texts = [recent.dump(one) for one in (first, *others)]
    assert recent.load(texts[2]) is others[1]
    assert recent.load(texts[0]) is not first
    assert recent.load(texts[0]) == first


def test_what_another_instance_wrote_is_loaded_and_not_what_is_kept(url: str) -> None:
    """Each instance sees what the other has saved, and a save over what it kept is lost."""
    with SqliteStore(url) as ours, SqliteStore(url) as theirs:
        saved(ours, save(connection()))
        kept = stored(ours)
        grown = with_port(kept.connection)
        saved(theirs, save(grown, kept))
        # Theirs is another process: it keeps its own.
        recent.forget()
        recent.dump(kept.connection)
        route = port_route("pc-port")
        found = ours.load(routes=[route]).connections[route]
        assert (found.version, found.connection) == (kept.version + 1, grown)
        late = replace(kept.connection, purchase_order="PO-2")
        assert list(ours.save([save(late, kept)])) == [SaveOutcome.LOST]
        assert stored(ours) == found
