"""What a refusal says: its code, whom or what it is about, and the sentence that people read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from crossport.domain.checks import (
    circuit_fit,
    order_mode_allowed,
    same_site,
    spec_allowed,
    tenant_uid_valid,
    vlan_change_harmless,
    vlan_free,
    vlan_in_range,
    within_capacity,
    zero_vlan_alone,
)
from crossport.domain.connection import Refusal
from crossport.domain.decide import decide
from crossport.domain.specs import MBPS
from crossport.domain.vocabulary import OrderMode, Presence
from tests.unit.domain.examples import (
    CIRCUIT,
    NOW,
    PARTNER,
    POLICY,
    STRANGER,
    TENANT,
    WINDOW,
    circuit,
    connection,
    port_read,
    vbr_read,
    vbr_seen,
)

EVERYTHING = replace(POLICY, specs=frozenset(MBPS))
TENANT_PAYS = replace(POLICY, order_modes=frozenset({OrderMode.TENANT_PAYS}))
PARTNER_PAYS = str(OrderMode.PARTNER_PAYS)
WITH_VBR = decide(connection(), [port_read(), vbr_read()], POLICY).connection


@pytest.mark.parametrize(
    ("check", "code", "message", "subject"),
    [
        (lambda: vlan_in_range(3_000), "vlan_out_of_range", "VLAN 3000 is not within 0..2999", ""),
        (lambda: vlan_free(7, circuit().hold(7, 50)), "vlan_taken", f"VLAN 7 is taken on {CIRCUIT}", "7"),
        (
            lambda: zero_vlan_alone(0, circuit().hold(7, 50), POLICY),
            "vlan_taken",
            f"VLAN 0 cannot be used on {CIRCUIT}: other VLAN IDs are in use",
            "0",
        ),
        (
            lambda: zero_vlan_alone(7, circuit().hold(0, 50), POLICY),
            "vlan_taken",
            f"VLAN 7 cannot be used on {CIRCUIT}: VLAN 0 takes the whole circuit",
            "7",
        ),
        (
            lambda: within_capacity("1G", circuit(bandwidth_mbps=500, held_mbps=100)),
            "capacity_exceeded",
            "1G takes 1000 Mbit/s more, which exceeds the 400 Mbit/s that are free",
            "1G",
        ),
        (
            lambda: within_capacity("50M", circuit(bandwidth_mbps=500, held_mbps=600)),
            "capacity_exceeded",
            "50M takes 50 Mbit/s more, which exceeds the 0 Mbit/s that are free",
            "50M",
        ),
        (lambda: spec_allowed("9G", EVERYTHING), "spec_unknown", "9G is not a spec of the API", "9G"),
        (lambda: spec_allowed("2G", POLICY), "spec_not_offered", "2G is not offered here", "2G"),
        (
            lambda: spec_allowed("2G", EVERYTHING),
            "spec_needs_approval",
            "2G needs the account manager's approval",
            "2G",
        ),
        (
            lambda: circuit_fit(circuit(account_id=STRANGER), PARTNER, POLICY),
            "circuit_of_other_account",
            f"circuit {CIRCUIT} does not belong to {PARTNER}",
            CIRCUIT,
        ),
        (
            lambda: circuit_fit(circuit(status="Terminated"), PARTNER, POLICY),
            "circuit_not_enabled",
            f"circuit {CIRCUIT} is Terminated",
            CIRCUIT,
        ),
        (lambda: tenant_uid_valid("12 3"), "tenant_uid_malformed", "a tenant's UID is digits", "12 3"),
        (
            lambda: same_site(TENANT, "china", POLICY),
            "no_account_for_site",
            "the tenant is on site china, the partner account on international",
            TENANT,
        ),
        (lambda: order_mode_allowed("Nobody", POLICY), "order_mode_unknown", "Nobody is no order mode", "Nobody"),
        (
            lambda: order_mode_allowed(PARTNER_PAYS, TENANT_PAYS),
            "order_mode_not_enabled",
            f"{PARTNER_PAYS} is not enabled here",
            PARTNER_PAYS,
        ),
        (
            lambda: vlan_change_harmless(WITH_VBR, POLICY, forced=False),
            "vbr_exists",
            "a VBR hangs on the port; forcing the change interrupts traffic",
            "",
        ),
    ],
)
def test_a_refusal_says_what_is_wrong_and_of_what(
    check: Callable[[], Iterable[Refusal]], code: str, message: str, subject: str
) -> None:
    assert list(check()) == [Refusal(code=code, message=message, subject=subject)]


def test_a_spec_that_just_fits_is_not_refused_and_nothing_counts_for_a_new_port() -> None:
    assert list(within_capacity("500M", circuit(bandwidth_mbps=500))) == []
    (one_too_many,) = within_capacity("50M", circuit(bandwidth_mbps=49))
    assert one_too_many.message == "50M takes 50 Mbit/s more, which exceeds the 49 Mbit/s that are free"


def test_a_vbr_that_two_reads_did_not_find_is_in_nobodys_way() -> None:
    missing = [vbr_seen(NOW + timedelta(hours=n), presence=Presence.NOT_LISTED) for n in (1, 2)]
    once = decide(WITH_VBR, missing[:1], POLICY).connection
    assert list(vlan_change_harmless(once, POLICY, forced=False))
    twice = decide(once, missing[1:], POLICY).connection
    assert list(vlan_change_harmless(twice, POLICY, forced=False)) == []
    patient = replace(POLICY, consistency_window=timedelta(hours=1) + WINDOW)
    assert list(vlan_change_harmless(twice, patient, forced=False))
