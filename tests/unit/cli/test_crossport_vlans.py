"""``crossport vlans``: who holds a VLAN ID, who held it on a day, and what a circuit has left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossport.adapters.store.open import open_store
from crossport.adapters.store.sql_store import SqlStore
from crossport.application.ports import Completion, OutboxState, SaveOutcome
from crossport.domain.orders import Hold
from crossport.domain.vocabulary import Phase
from tests.contract.store_examples import CIRCUIT, DECLARED, TENANT, command, connection, save, stored

#: The fixture ``run``: arguments in, exit code, stdout and stderr out.
Run = Callable[..., Any]
#: 23:30 UTC: the next day in Shanghai already.
TAKEN = datetime(2026, 5, 2, 23, 30, tzinfo=UTC)
GIVEN_BACK = datetime(2026, 5, 3, 10, 0, tzinfo=UTC)
TAKEN_AGAIN = datetime(2026, 5, 5, tzinfo=UTC)


def _take(store: SqlStore, number: int, vlan_id: int, at: datetime, **rest: Any) -> None:
    circuit = store.circuit(CIRCUIT.circuit_id)
    assert circuit is not None
    of = replace(connection(number, vlan_id=vlan_id), created_at=at)
    hold = Hold(circuit_id=CIRCUIT.circuit_id, vlan_id=vlan_id, mbps=200, connection_id=of.connection_id)
    wanted = save(of, hold=hold, circuit=circuit.hold(vlan_id, 200), at=at, **rest)
    assert store.save([wanted]) == [SaveOutcome.SAVED]


def _give_back(store: SqlStore, number: int, vlan_id: int, at: datetime) -> None:
    circuit = store.circuit(CIRCUIT.circuit_id)
    assert circuit is not None
    before = stored(store, f"conn-{number}")
    hold = Hold(circuit_id=CIRCUIT.circuit_id, vlan_id=vlan_id, mbps=200, connection_id=f"conn-{number}")
    wanted = save(
        before.connection,
        before,
        phase=Phase.RELEASED,
        release=(hold,),
        circuit=circuit.release(vlan_id, 200),
        at=at,
    )
    assert store.save([wanted]) == [SaveOutcome.SAVED]


@pytest.fixture(params=[0, 120])
def vlan_id(request: pytest.FixtureRequest) -> int:
    """A VLAN ID; 0 is one like any other."""
    return int(request.param)


@pytest.fixture
def held(empty: str, vlan_id: int) -> str:
    """A database in which connection 1 held the VLAN ID, then connection 2 took it; connection 3 holds VLAN 7."""
    audited: dict[str, Any] = {"actor": "test", "reason": "test", "at": TAKEN}
    with open_store(empty) as store:
        store.put_circuit(CIRCUIT, **audited)
        store.put_tenant(DECLARED, **audited)
        _take(store, 1, vlan_id, TAKEN)
        _give_back(store, 1, vlan_id, GIVEN_BACK)
        _take(store, 2, vlan_id, TAKEN_AGAIN)
        _take(store, 3, 7, TAKEN)
    return empty


def _who(result: Any) -> list[str]:
    assert result.code == 0
    return [row["connection_id"] for row in result.json]


def test_the_whole_history(run: Run, held: str, vlan_id: int) -> None:
    result = run("vlans", "history", "--circuit", CIRCUIT.circuit_id, "--vlan", vlan_id, "--db", held, "--json")
    first, second = result.json
    assert first == {
        "circuit_id": CIRCUIT.circuit_id,
        "vlan_id": vlan_id,
        "mbps": 200,
        "held_at": "2026-05-02T23:30:00.000000Z",
        "released_at": "2026-05-03T10:00:00.000000Z",
        "connection_id": "conn-1",
        "phase": "released",
        "port_id": None,
        "tenant_uid": TENANT,
        "tenant": "Beijing tenant",
    }
    assert (second["connection_id"], second["phase"], second["released_at"]) == ("conn-2", "ordered", None)
    every = run("vlans", "history", "--circuit", CIRCUIT.circuit_id, "--db", held, "--json").json
    assert sorted(row["vlan_id"] for row in every) == sorted([vlan_id, vlan_id, 7])


@pytest.mark.parametrize(
    ("day", "zone", "who"),
    [
        ("2026-05-01", "UTC", []),
        ("2026-05-02", "UTC", ["conn-1"]),
        ("2026-05-02", "Asia/Shanghai", []),
        ("2026-05-03", "UTC", ["conn-1"]),
        ("2026-05-03", "Asia/Shanghai", ["conn-1"]),
        ("2026-05-04", "UTC", []),
        ("2026-05-04", "America/New_York", ["conn-2"]),
        ("2026-05-05", "UTC", ["conn-2"]),
        ("2027-01-01", "UTC", ["conn-2"]),
    ],
)
def test_who_had_it_on_a_day(run: Run, held: str, vlan_id: int, day: str, zone: str, who: list[str]) -> None:
    asked = ("--circuit", CIRCUIT.circuit_id, "--vlan", vlan_id, "--on", day, "--zone", zone, "--db", held)
    assert _who(run("vlans", "history", *asked, "--json")) == who
    told = run("vlans", "history", *asked).out
    if who:
        # A title is folded to the width of its table.
        assert " ".join(told.split()).startswith(f"VLAN {vlan_id} on pc-circuit on {day} ({zone}) (1) ")
        assert who[0] in told
    else:
        assert told == f"Nobody held VLAN {vlan_id} on pc-circuit on {day} ({zone}).\n"


def test_a_hold_that_ended_at_midnight_was_not_held_on_the_next_day(run: Run, empty: str) -> None:
    with open_store(empty) as store:
        store.put_circuit(CIRCUIT, actor="test", reason="test", at=TAKEN)
        _take(store, 1, 5, TAKEN)
        _give_back(store, 1, 5, datetime(2026, 5, 4, tzinfo=UTC))
    asked = ("--circuit", CIRCUIT.circuit_id, "--db", empty, "--json")
    assert _who(run("vlans", "history", "--on", "2026-05-03", *asked)) == ["conn-1"]
    assert _who(run("vlans", "history", "--on", "2026-05-04", *asked)) == []


def test_live_holds_with_what_is_left(run: Run, held: str, vlan_id: int) -> None:
    listed = run("vlans", "list", "--circuit", CIRCUIT.circuit_id, "--db", held, "--json").json
    assert (listed["bandwidth_mbps"], listed["held_mbps"], listed["free_mbps"]) == (1_000, 400, 600)
    holds = {row["vlan_id"]: row["connection_id"] for row in listed["holds"]}
    assert holds == {vlan_id: "conn-2", 7: "conn-3"}
    assert {(row["release"], row["release_after"]) for row in listed["holds"]} == {(None, None)}
    told = run("vlans", "list", "--circuit", CIRCUIT.circuit_id, "--db", held).out
    assert told.endswith("\n400 of 1000 Mbit/s are held; 600 Mbit/s are free.\n")
    assert "Beijing tenant" in told


def test_what_each_is_given_back_after(run: Run, held: str) -> None:
    until = TAKEN_AGAIN + timedelta(days=7)
    with open_store(held) as store:
        for number in (2, 3):
            row = command(f"conn-{number}:release_hold", kind="release_hold", connection_id=f"conn-{number}")
            before = stored(store, f"conn-{number}")
            store.save([save(before.connection, before, outbox=(row,), at=TAKEN_AGAIN)])
        store.take(now=TAKEN_AGAIN, lease_for=timedelta(minutes=1), lease="a", limit=10)
        put_off = Completion(
            key="conn-3:release_hold", lease="a", state=OutboxState.DUE, reason="cool_down", not_before=until
        )
        assert store.finish(put_off, at=TAKEN_AGAIN)
    asked = ("vlans", "list", "--circuit", CIRCUIT.circuit_id, "--db", held)
    listed = {row["connection_id"]: row for row in run(*asked, "--json").json["holds"]}
    assert (listed["conn-2"]["release"], listed["conn-2"]["release_after"]) == ("due", None)
    assert (listed["conn-3"]["release"], listed["conn-3"]["release_after"]) == (
        "cool_down",
        "2026-05-12T00:00:00.000000Z",
    )
    told = run(*asked).out
    assert "cool_down" in told
    assert "2026-05-12 00:00:00" in told


def test_a_circuit_that_was_cut_is_oversold(run: Run, held: str) -> None:
    with open_store(held) as store:
        store.put_circuit(replace(CIRCUIT, bandwidth_mbps=300), actor="test", reason="test", at=TAKEN)
    told = run("vlans", "list", "--circuit", CIRCUIT.circuit_id, "--db", held).out
    assert told.endswith("\n400 of 300 Mbit/s are held; it is oversold by 100 Mbit/s.\n")


def test_an_empty_circuit_says_so(run: Run, empty: str) -> None:
    with open_store(empty) as store:
        store.put_circuit(CIRCUIT, actor="test", reason="test", at=TAKEN)
    asked = ("--circuit", CIRCUIT.circuit_id, "--db", empty)
    assert run("vlans", "list", *asked).out == (
        "No VLAN ID is held on pc-circuit.\n0 of 1000 Mbit/s are held; 1000 Mbit/s are free.\n"
    )
    assert run("vlans", "history", *asked).out == "Nobody held a VLAN ID on pc-circuit.\n"
    assert run("vlans", "history", *asked, "--json").json == []


@pytest.mark.parametrize("name", ["list", "history"])
def test_an_unknown_circuit(run: Run, empty: str, name: str) -> None:
    result = run("vlans", name, "--circuit", "pc-x", "--db", empty, "--json")
    assert (result.code, result.out, result.err) == (1, "", "crossport: no circuit pc-x\n")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--on", "3 May"), "--on: '3 May' is not a day"),
        (("--on", "2026-02-30"), "--on: '2026-02-30' is not a day"),
        (("--on", "9999-12-31"), "--on: '9999-12-31' is not a day"),
        (("--on", "2026-05-03", "--zone", "Mars/Olympus"), "--zone: Mars/Olympus is not an IANA time zone"),
        (("--on", "2026-05-03", "--zone", "Asia"), "--zone: Asia is not an IANA time zone"),
        (("--on", "2026-05-03", "--zone", "../etc/passwd"), "--zone: ../etc/passwd is not an IANA time zone"),
        (("--vlan", "3000"), "'--vlan': Input should be less than or equal to 2999"),
        (("--vlan", "-1"), "'--vlan': Input should be greater than or equal to 0"),
    ],
)
def test_misuse_names_the_option(run: Run, empty: str, options: tuple[str, ...], named: str) -> None:
    result = run("vlans", "history", "--circuit", "pc-circuit", "--db", empty, *options)
    assert (result.code, result.out) == (2, "")
    assert named in result.err


@pytest.mark.parametrize("name", ["list", "history"])
def test_tables_fit_a_hundred_columns_and_shorten_nothing(run: Run, held: str, name: str) -> None:
    told = run("vlans", name, "--circuit", CIRCUIT.circuit_id, "--db", held).out
    assert "…" not in told
    for line in told.splitlines():
        assert len(line) <= 100
        assert line == line.rstrip()
