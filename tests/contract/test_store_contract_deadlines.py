"""What every store promises the walk over the open connections, which tells people what the calendar calls for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crossport.application.ports import OpenConnection
from crossport.domain.decide import Finding
from crossport.domain.vocabulary import Phase
from tests.contract.store_examples import (
    CIRCUIT,
    DECLARED,
    MINUTE,
    NOW,
    command,
    connection,
    save,
    saved,
    stored,
    with_port,
)
from tests.contract.store_insight import Stores

ENDED = (Phase.REJECTED, Phase.FAILED, Phase.WITHDRAWN, Phase.DECLINED, Phase.RELEASED)
HALF = Finding(code="half_provisioned", subject="g-1", details={"deadline": "2026-03-08T12:00:00+00:00"})


def ids(page: object) -> list[str]:
    assert isinstance(page, tuple | list)
    return [each.stored.connection.connection_id for each in page]


def test_a_walk_sees_every_open_connection_once_in_the_order_of_ids(stores: Stores) -> None:
    for number in (3, 1, 20, 2):
        saved(stores.store, save(connection(number, vlan_id=number)))
    first = stores.other.open_connections(after="", limit=3)
    assert ids(first) == ["conn-1", "conn-2", "conn-20"]
    assert ids(stores.other.open_connections(after="conn-20", limit=3)) == ["conn-3"]
    assert list(stores.other.open_connections(after="conn-3", limit=3)) == []


@pytest.mark.parametrize("phase", Phase)
def test_what_has_ended_is_not_open(stores: Stores, phase: Phase) -> None:
    saved(stores.store, save(connection(), phase=phase))
    assert bool(stores.store.open_connections(after="", limit=9)) is (phase not in ENDED)


def test_what_has_ended_since_is_not_open_any_more(stores: Stores) -> None:
    saved(stores.store, save(connection()))
    saved(stores.store, save(connection(), stored(stores.store), phase=Phase.WITHDRAWN, at=NOW + MINUTE))
    assert list(stores.other.open_connections(after="", limit=9)) == []


def test_an_open_connection_comes_with_its_tenant_its_access_point_and_its_version(stores: Stores) -> None:
    store = stores.store
    saved(store, save(connection()))
    (unknown,) = store.open_connections(after="", limit=9)
    assert unknown == OpenConnection(stored=stored(store), tenant=None, access_point=CIRCUIT.access_point)
    store.put_tenant(DECLARED, actor="test", reason="example", at=NOW)  # type: ignore[attr-defined]
    saved(store, save(with_port(connection()), stored(store)))
    (known,) = stores.other.open_connections(after="", limit=9)
    assert (known.tenant, known.stored.version, known.stored.connection.port_id) == (DECLARED, 2, "pc-port")


def test_an_open_connection_comes_with_the_finding_of_its_group_while_that_is_open(stores: Stores) -> None:
    store, member = stores.store, replace(connection(), group_id="g-1")
    saved(store, save(member, findings=(HALF, Finding(code="over_capacity", subject="g-1", details={}))))
    assert [each.half_provisioned for each in stores.other.open_connections(after="", limit=9)] == [HALF]
    saved(store, save(member, stored(store), cleared=(("half_provisioned", "g-1"),)))
    assert [each.half_provisioned for each in stores.other.open_connections(after="", limit=9)] == [None]


def test_keys_are_written_for_good_and_each_is_told(stores: Stores) -> None:
    saved(stores.store, save(connection(), outbox=(command("c1"), command("c2"))))
    assert set(stores.other.written(["c2", "c3", "c1"])) == {"c1", "c2"}
    assert set(stores.other.written(["c3"])) == set()
    assert set(stores.other.written([])) == set()


def test_a_walk_goes_on_where_another_worker_left_it(stores: Stores) -> None:
    assert stores.store.bookmark("walk") == ""
    stores.store.put_bookmark("walk", "conn-7", at=NOW)
    stores.store.put_bookmark("another", "conn-9", at=NOW)
    assert stores.other.bookmark("walk") == "conn-7"
    stores.other.put_bookmark("walk", "", at=NOW + MINUTE)
    assert stores.store.bookmark("walk") == ""
