"""``crossport connections show``: what was asked for, why it is suspended, how a migration went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from crossport.adapters.store.open import open_store
from crossport.application.ports import SaveOutcome
from crossport.domain.connection import Connection, Migration, Request
from crossport.domain.vocabulary import Flow, Phase, RequestKind
from tests.contract.store_examples import MINUTE, NOW, connection, save, with_port

#: The fixture ``run``: arguments in, exit code, stdout and stderr out.
Run = Callable[..., Any]


@pytest.fixture
def page(run: Run, empty: str) -> Callable[[Connection, Phase], str]:
    """Save a connection in a phase and read its page, folded lines joined."""

    def page(of: Connection, phase: Phase) -> str:
        with open_store(empty) as store:
            assert store.save([save(of, phase=phase)]) == [SaveOutcome.SAVED]
        shown = run("connections", "show", of.connection_id, "--db", empty)
        assert (shown.code, shown.err) == (0, "")
        return " ".join(shown.out.split())

    return page


def _confirmed(**seen: Any) -> Connection:
    return with_port(connection(vlan_id=0), acceptance="Confirmed", status="Enabled", vlan_id=0, spec="200M", **seen)


def test_requests_and_the_spec_to_come(page: Callable[[Connection, Phase], str]) -> None:
    of = replace(
        _confirmed(expect_spec="500M"),
        group_id="G-1",
        requests=(
            Request(request_id="R-1", kind=RequestKind.CHANGE_SPEC, at=NOW, actor="li", spec="500M"),
            Request(
                request_id="R-2", kind=RequestKind.CHANGE_VLAN, at=NOW + MINUTE, actor="wang", vlan_id=0, forced="T-9"
            ),
            Request(request_id="R-3", kind=RequestKind.CEASE, at=NOW + 2 * MINUTE, actor="li"),
        ),
    )
    told = page(of, Phase.ENABLED)
    assert "Spec 200M, 500M once it is paid" in told
    assert "Redundancy group G-1" in told
    assert "2026-03-01 12:00:00 change_spec 500M, li (R-1)" in told
    assert "2026-03-01 12:01:00 change_vlan VLAN 0, wang (R-2), forced: T-9" in told
    assert "2026-03-01 12:02:00 cease, li (R-3)" in told


def test_a_suspension_says_who_is_waited_for(page: Callable[[Connection, Phase], str], run: Run, empty: str) -> None:
    told = page(_confirmed(business_status="SecurityLocked"), Phase.SUSPENDED)
    assert "Suspended locked_security waits for the tenant: clear the security lock with Alibaba Cloud" in told
    assert "port fee runs: unknown" in told
    assert "locked_security" in run("connections", "list", "--db", empty).out


def test_active_by_the_tenants_word_says_so(page: Callable[[Connection, Phase], str], run: Run, empty: str) -> None:
    told = page(replace(_confirmed(), attested_at=NOW), Phase.ACTIVE)
    assert "Phase active (attested)" in told
    assert "One VBR cannot check" in told
    assert "attested" in run("connections", "list", "--db", empty).out


@pytest.mark.parametrize(
    ("after", "said"), [("", "not compared yet"), ("{}", "came through unchanged"), ("[]", "CHANGED on the way")]
)
def test_a_migrated_vbr(page: Callable[[Connection, Phase], str], after: str, said: str) -> None:
    moved = Migration(vbr_id="vbr-9", bandwidth_mbps=200, before="{}", after=after)
    told = page(replace(_confirmed(), flow=Flow.MIGRATION, migration=moved), Phase.ENABLED)
    assert f"Migrated VBR vbr-9 {said}" in told


def test_the_other_members_of_a_redundancy_group(run: Run, empty: str) -> None:
    one, two, refused = (replace(connection(number, vlan_id=number), group_id="HA-1") for number in (1, 2, 3))
    with open_store(empty) as store:
        phases = (Phase.ACTIVE, Phase.OFFERED, Phase.REJECTED)
        for of, phase in zip((one, two, refused), phases, strict=True):
            assert store.save([save(of, phase=phase)]) == [SaveOutcome.SAVED]
    shown = " ".join(run("connections", "show", "conn-1", "--db", empty).out.split())
    assert "Redundancy group HA-1 conn-2 offered, pc-circuit" in shown
    assert "conn-3" not in shown
    (member,) = run("connections", "show", "conn-2", "--db", empty, "--json").json["group"]
    assert (member["connection_id"], member["phase"]) == ("conn-1", "active")


def test_a_member_that_is_alone_waits_for_its_sibling(page: Callable[[Connection, Phase], str]) -> None:
    assert "HA-1 waits for its sibling's order" in page(replace(connection(), group_id="HA-1"), Phase.ORDERED)
