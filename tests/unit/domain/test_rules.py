"""The twenty rules: complete, referring to living code, and each shown to hold by a test that carries its code."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import crossport
from crossport.adapters.credentials import Credentials
from crossport.adapters.vpc.cloud import VpcCloud
from crossport.adapters.vpc.reads import Place
from crossport.domain.billing import BILLING_ZONE, charges_of, periods, port_fee_sides
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
from crossport.domain.connection import Connection, Migration, Refusal, token_of
from crossport.domain.cool_down import CLOUD_COOL_DOWN, cool_down_ends
from crossport.domain.decide import decide
from crossport.domain.effects.commands import attach_due
from crossport.domain.facts import port_gone
from crossport.domain.observation import Observation
from crossport.domain.orders import decide_order
from crossport.domain.phase import phase_of
from crossport.domain.policy import Policy
from crossport.domain.rights import TENANTS_OWN, partner_may_call
from crossport.domain.rules import OTHER_CODES, RULES, check_names, rule, rules_of
from crossport.domain.specs import MBPS
from crossport.domain.teardown import TeardownStep, next_step
from crossport.domain.trust import may_speak
from crossport.domain.violations import violations_of
from crossport.domain.vocabulary import Flow, OrderMode, Phase, Presence, Source
from tests.fakes.manual_clock import ManualClock
from tests.unit.domain.examples import (
    NOW,
    PARTNER,
    POLICY,
    STRANGER,
    TENANT,
    VLAN,
    WINDOW,
    circuit,
    connection,
    contract,
    order,
    port_read,
    port_seen,
    tenant,
    vbr_read,
)

SOURCES = Path(crossport.__file__).parent
ROOT = SOURCES.parents[1]
DAY = timedelta(days=1)


def codes(found: Iterable[Refusal]) -> list[str]:
    return [refusal.code for refusal in found]


def after(*seen: Observation, on: Connection | None = None) -> Connection:
    return decide(on or connection(), seen, POLICY).connection


# --- The registry ---------------------------------------------------------------------------------------------------


def test_the_registry_has_the_rules_1_to_20_in_order() -> None:
    assert [each.number for each in RULES] == list(range(1, 21))
    assert len({each.code for each in RULES}) == len({each.title for each in RULES}) == 20
    assert all(re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", each.code) for each in RULES)
    assert all(each.sentence.endswith(".") and each.source for each in RULES)
    assert (rule(20), rule(0), rule(21)) == (RULES[-1], None, None)


def test_a_rule_is_found_by_a_code_that_it_leads_to() -> None:
    assert [each.number for each in rules_of("vlan_taken")] == [2, 3]
    assert rules_of("no_such_code") == ()
    assert check_names(RULES[0]) == ("checks.vlan_in_range",)


def test_a_rule_is_enforced_somewhere_or_says_what_it_waits_for() -> None:
    for each in RULES:
        assert each.enforced_at or each.missing, each.code
        assert each.checks, each.code
        assert all(check.__module__.startswith("crossport.domain.") for check in each.checks), each.code
        assert all("lambda" not in name for name in check_names(each)), each.code


def test_switches_are_fields_of_the_policy() -> None:
    assert {each.switch for each in RULES} - {""} <= {field.name for field in fields(Policy)}


def test_checks_are_called_outside_the_registry() -> None:
    used = {name for path in _modules() for name in _names_used(path)}
    for each in RULES:
        for check in each.checks:
            assert check.__name__ in used, f"{each.code}: nothing calls {check.__name__}"


def test_every_code_in_the_registry_is_produced_and_every_code_produced_is_in_the_registry() -> None:
    registered = {code for each in RULES for code in each.codes} | set(OTHER_CODES)
    written = {value for path in _modules() for value in _texts(path)}
    assert registered - written == set(), "registered, but nothing produces them"
    produced = {code for path in _modules("domain") for code in _codes_made(path)}
    assert produced - registered == set(), "produced, but neither a rule's nor in OTHER_CODES"
    assert not {code for each in RULES for code in each.codes} & set(OTHER_CODES)


def test_violations_that_notices_put_in_words_are_in_the_registry() -> None:
    words = tomllib.loads((SOURCES / "adapters/notify/templates/en/words.toml").read_text(encoding="utf-8"))
    assert [code for code in words["violations"] if not rules_of(code) and code not in OTHER_CODES] == []


def test_every_rule_has_a_test_that_names_it() -> None:
    names = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    missing = [each.code for each in RULES if not any(each.code in name for name in names)]
    assert missing == []


def test_the_document_tells_every_rule_as_the_registry_does() -> None:
    told = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    for each in RULES:
        row = f"| {each.number} | `{each.code}` | {each.sentence} | {each.source} | {each.basis} |"
        assert row in told, f"docs/rules.md does not have: {row}"
        assert each.missing in told, each.code


def _modules(below: str = "") -> list[Path]:
    return [path for path in (SOURCES / below).rglob("*.py") if path.name != "rules.py"]


def _names_used(path: Path) -> set[str]:
    """Names that are read other than to import them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _texts(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _codes_made(path: Path) -> set[str]:
    """Codes that stand as literals where a refusal, violation or finding is made."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id not in {"Refusal", "Violation", "Finding"}:
                continue
            given = (word.value for word in node.keywords if word.arg == "code")
            found |= {
                value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str)
            }
    return found


# --- The rules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("vlan_id", "refused"), [(-1, True), (0, False), (2_999, False), (3_000, True)])
def test_vlan_in_range(vlan_id: int, refused: bool) -> None:
    assert codes(vlan_in_range(vlan_id)) == (["vlan_out_of_range"] if refused else [])


def test_vlan_unique_on_its_circuit() -> None:
    held = circuit().hold(VLAN, 50)
    assert codes(vlan_free(VLAN, held)) == ["vlan_taken"]
    assert codes(vlan_free(VLAN + 1, held)) == []
    assert codes(vlan_free(0, circuit().hold(0, 50))) == ["vlan_taken"]


@pytest.mark.parametrize(("asked", "held"), [(0, 7), (7, 0)])
def test_zero_vlan_alone_unless_policy_says_otherwise(asked: int, held: int) -> None:
    on = circuit().hold(held, 50)
    assert codes(zero_vlan_alone(asked, on, POLICY)) == ["vlan_taken"]
    assert codes(zero_vlan_alone(asked, on, replace(POLICY, vlan_zero_is_exclusive=False))) == []
    assert codes(zero_vlan_alone(asked, circuit(), POLICY)) == []


def test_one_vlan_taken_is_one_refusal_even_when_it_is_zero() -> None:
    found = decide_order(order(vlan_id=0), circuit().hold(0, 50), tenant(), (contract(),), POLICY)
    assert codes(found.refusals) == ["vlan_taken"]


def test_vlan_cool_down_is_seven_days_from_termination_and_ours_from_the_last_sighting() -> None:
    ours = timedelta(days=2)
    offer = after(port_read())
    assert cool_down_ends(offer, ours) is None
    accepted = after(port_read(acceptance="Confirmed"))
    assert cool_down_ends(accepted, ours) == NOW + ours
    ended = after(
        port_read(acceptance="Confirmed"), vbr_read(), vbr_read(NOW + DAY, status="terminated"), on=connection()
    )
    assert cool_down_ends(ended, ours) == NOW + DAY + CLOUD_COOL_DOWN
    assert cool_down_ends(ended, timedelta(days=30)) == NOW + DAY + timedelta(days=30)
    # The port outlives its VBR; what is only said not to be there is no sighting.
    outlived = after(port_read(NOW + 2 * DAY), port_seen(NOW + 9 * DAY, presence=Presence.NOT_LISTED), on=ended)
    assert cool_down_ends(outlived, timedelta(days=30)) == NOW + 2 * DAY + timedelta(days=30)
    heard_of = after(port_seen(NOW, Source.EVENT, acceptance="Confirmed"))
    assert cool_down_ends(heard_of, ours) == NOW + ours
    assert cool_down_ends(connection(), ours) is None


def test_within_capacity_counts_the_larger_spec_and_what_is_held_already() -> None:
    on = circuit(bandwidth_mbps=500, held_mbps=300)
    assert codes(within_capacity("200M", on)) == []
    assert codes(within_capacity("300M", on)) == ["capacity_exceeded"]
    # From 300M, held, to 500M: 200 more. Down to 50M: none more while 300M is in effect.
    assert codes(within_capacity("500M", on, present_mbps=300, held_mbps=300)) == []
    assert codes(within_capacity("1G", on, present_mbps=300, held_mbps=300)) == ["capacity_exceeded"]
    full = circuit(bandwidth_mbps=500, held_mbps=500)
    assert codes(within_capacity("50M", full, present_mbps=300, held_mbps=300)) == []


def test_spec_allowed_is_listed_offered_and_approved() -> None:
    everything = replace(POLICY, specs=frozenset(MBPS))
    assert codes(spec_allowed("9G", everything)) == ["spec_unknown"]
    assert codes(spec_allowed("2G", POLICY)) == ["spec_not_offered"]
    assert codes(spec_allowed("2G", everything)) == ["spec_needs_approval"]
    assert codes(spec_allowed("2G", replace(everything, approved_above_1g=True))) == []
    assert [spec for spec in MBPS if codes(spec_allowed(spec, POLICY))] == ["2G", "5G", "8G", "10G"]


def test_circuit_fit_is_our_own_and_enabled() -> None:
    assert codes(circuit_fit(circuit(), PARTNER, POLICY)) == []
    assert codes(circuit_fit(circuit(account_id=STRANGER), PARTNER, POLICY)) == ["circuit_of_other_account"]
    assert codes(circuit_fit(circuit(), PARTNER, replace(POLICY, account_id=STRANGER))) == ["circuit_of_other_account"]
    assert codes(circuit_fit(circuit(status="Terminated"), PARTNER, POLICY)) == ["circuit_not_enabled"]


@pytest.mark.parametrize("uid", ["", "abc", "12 3", "\N{ARABIC-INDIC DIGIT ONE}", "-1"])
def test_tenant_account_valid_is_digits(uid: str) -> None:
    assert codes(tenant_uid_valid(uid)) == ["tenant_uid_malformed"]
    assert codes(tenant_uid_valid("0012")) == []


def test_tenant_account_valid_is_on_the_partners_site() -> None:
    assert codes(same_site(TENANT, "china", POLICY)) == ["no_account_for_site"]
    assert codes(same_site(TENANT, "international", POLICY)) == []


def test_order_mode_explicit_and_enabled() -> None:
    tenant_pays = replace(POLICY, order_modes=frozenset({OrderMode.TENANT_PAYS}))
    assert codes(order_mode_allowed("", POLICY)) == ["order_mode_unknown"]
    assert codes(order_mode_allowed(str(OrderMode.PARTNER_PAYS), tenant_pays)) == ["order_mode_not_enabled"]
    assert codes(order_mode_allowed(str(OrderMode.PARTNER_PAYS), POLICY)) == []


def test_order_mode_explicit_stays_as_ordered() -> None:
    changed = after(port_read(order_mode=str(OrderMode.PARTNER_PAYS)))
    assert [each.code for each in violations_of(changed, WINDOW)] == ["wrong_order_mode"]


def test_payer_bears_port_fee() -> None:
    tenant_paid = after(port_read())
    assert [side[1:] for side in port_fee_sides(tenant_paid, POLICY)] == [("alibaba_cloud", TENANT, "statement")]
    partner_paid = after(port_read(order_mode=str(OrderMode.PARTNER_PAYS)))
    assert [side[1:] for side in port_fee_sides(partner_paid, POLICY)] == [
        ("alibaba_cloud", PARTNER, "cost"),
        ("partner", TENANT, "charge"),
    ]


def test_payer_bears_port_fee_and_the_tenant_the_outbound_transfer() -> None:
    mode = str(OrderMode.PARTNER_PAYS)
    read = port_read(
        acceptance="Confirmed", status="Enabled", order_mode=mode, enabled_time=NOW, end_time=NOW + 30 * DAY
    )
    charges = charges_of(after(read, vbr_read()), POLICY)
    assert {each.payer for each in charges if each.kind == "outbound_data_transfer"} == {TENANT}
    free = {each.amount for each in charges if each.kind in {"installation", "vbr"}}
    assert free == {Decimal("0.00")}


def test_stable_token_follows_from_the_connection_alone() -> None:
    first, again = connection(), after(port_read(acceptance="Confirmed"))
    assert first.token == again.token == token_of("conn-1")
    assert first.token != token_of("conn-2")
    placed = decide_order(order(), circuit(), tenant(), (contract(),), POLICY).decision.connection
    repeated = decide_order(order(), circuit(), tenant(), (contract(),), POLICY).decision.connection
    assert placed.token == repeated.token
    assert placed.token.isascii()
    assert len(placed.token) <= 64


def test_acceptance_is_the_tenants_own_act() -> None:
    assert not any(partner_may_call(operation) for operation in TENANTS_OWN)
    assert "ConfirmPhysicalConnection" in TENANTS_OWN
    assert partner_may_call("CreateVirtualPhysicalConnection")


def test_acceptance_is_the_tenants_so_no_adapter_names_that_operation() -> None:
    """The operations that the adapters call stand in them as text, in the SDK's spelling or the API's."""
    forbidden = TENANTS_OWN | {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in TENANTS_OWN}
    assert "confirm_physical_connection" in forbidden
    texts = {path: _texts(path) for path in _modules("adapters")}
    assert any("create_virtual_physical_connection" in found for found in texts.values())
    assert {path.name: found & forbidden for path, found in texts.items() if found & forbidden} == {}


def test_acceptance_is_the_tenants_and_the_client_refuses_to_make_that_call() -> None:
    def credentials(_account_id: str) -> Credentials:
        raise AssertionError("no client is made for a call that is not ours")

    cloud = VpcCloud(credentials=credentials, endpoint="127.0.0.1:1", clock=ManualClock(NOW))
    place = Place(PARTNER, "us-east-1")
    for action in ("confirm_physical_connection", "open_physical_connection_service"):
        with pytest.raises(ValueError, match="the tenant's to call"):
            cloud._call(place, action, {}, write=True, hidden="")


ACTIVE: dict[str, Any] = {"acceptance": "Confirmed", "status": "Enabled"}


@pytest.mark.parametrize(
    ("port", "vbrs", "phase"),
    [
        ({}, [{}], Phase.ACTIVE),
        ({"acceptance": "UnConfirmed"}, [], Phase.OFFERED),
        ({"status": "Allocated"}, [{}], Phase.ACCEPTED),
        ({"business_status": "FinancialLocked"}, [{}], Phase.SUSPENDED),
        ({"business_status": "SecurityLocked"}, [{}], Phase.SUSPENDED),
        ({}, [], Phase.ENABLED),
        ({}, [{"vlan_id": VLAN + 1}], Phase.ENABLED),
    ],
)
def test_active_when_all_hold(port: dict[str, Any], vbrs: list[dict[str, Any]], phase: Phase) -> None:
    found = after(port_read(**{**ACTIVE, **port}), *(vbr_read(**fields) for fields in vbrs))
    assert phase_of(found, WINDOW) is phase


def test_one_vbr_a_port() -> None:
    enabled = after(port_read(**ACTIVE), vbr_read())
    assert violations_of(enabled, WINDOW) == ()
    second = after(vbr_read(NOW + DAY, vbr_id="vbr-2"), on=enabled)
    assert [each.key for each in violations_of(second, WINDOW)] == ["second_vbr:vbr-2"]
    foreign = after(port_read(**ACTIVE), vbr_read(owner_uid=STRANGER, vlan_id=0))
    assert [each.code for each in violations_of(foreign, WINDOW)] == ["wrong_vbr_owner", "wrong_vlan"]


def test_vlan_change_by_partner_spares_a_vbr_unless_forced() -> None:
    with_vbr = after(port_read(**ACTIVE), vbr_read())
    assert codes(vlan_change_harmless(with_vbr, POLICY, forced=False)) == ["vbr_exists"]
    assert codes(vlan_change_harmless(with_vbr, POLICY, forced=True)) == []
    assert codes(vlan_change_harmless(after(port_read(**ACTIVE)), POLICY, forced=False)) == []


def test_vlan_change_by_partner_alone_so_another_is_flagged() -> None:
    changed = after(port_read(vlan_id=VLAN + 1))
    assert [each.code for each in violations_of(changed, WINDOW)] == ["wrong_port_vlan"]


def test_migration_order_attaches_only_what_the_tenant_confirmed() -> None:
    moving = connection(flow=Flow.MIGRATION, migration=Migration(vbr_id="vbr-1", bandwidth_mbps=100))
    assert not attach_due(moving)
    offered, confirmed = after(port_read(), on=moving), after(port_read(acceptance="Confirmed"), on=moving)
    assert not attach_due(offered)
    assert attach_due(confirmed)
    assert not attach_due(after(port_read(acceptance="Confirmed")))
    kinds = {effect.kind for effect in decide(moving, [port_read(acceptance="Confirmed")], POLICY).effects}
    assert "attach_vbr" in kinds


@pytest.mark.parametrize(
    ("status", "has_vbrs", "step"),
    [
        ("Enabled", True, TeardownStep.END_VBR),
        ("Terminated", True, TeardownStep.END_VBR),
        ("Enabled", False, TeardownStep.TERMINATE_PORT),
        ("Terminating", False, TeardownStep.WAIT),
        ("Terminated", False, TeardownStep.DELETE_PORT),
        ("Allocated", False, TeardownStep.DELETE_PORT),
        (None, False, TeardownStep.DELETE_PORT),
    ],
)
def test_teardown_order(status: str | None, has_vbrs: bool, step: TeardownStep) -> None:
    assert next_step(status, has_vbrs=has_vbrs) is step


def test_billing_grid_runs_from_activation_to_the_day_after_the_anniversary() -> None:
    enabled = datetime(2022, 8, 1, 17, 30, 5, tzinfo=BILLING_ZONE)
    end = datetime(2022, 10, 2, tzinfo=BILLING_ZONE)
    first, second = periods(enabled, end)
    assert (first.start, first.end) == (enabled, datetime(2022, 9, 2, tzinfo=BILLING_ZONE))
    assert (second.start, second.end, second.off_grid) == (first.end, end, False)
    renewed = list(periods(enabled.astimezone(UTC), datetime(2022, 11, 2, tzinfo=BILLING_ZONE)))
    assert renewed[:2] == [first, second]
    assert renewed[2].start == end


def test_event_trust() -> None:
    ours = frozenset({PARTNER, "1000000000000009"})
    assert may_speak(PARTNER, connection(), ours)
    assert may_speak(TENANT, connection(), ours)
    assert not may_speak(STRANGER, connection(), ours)
    # Another of our own accounts, even one that is named as the tenant.
    assert not may_speak("1000000000000009", connection(), ours)
    assert not may_speak("1000000000000009", connection(tenant_uid="1000000000000009"), ours)


def test_absence_is_proven_by_two_complete_listings_and_a_read() -> None:
    def absent(at: datetime, presence: Presence) -> Observation:
        return port_seen(at, presence=presence)

    def gone(*seen: Observation) -> bool:
        port = after(port_read(), *seen).port
        assert port is not None
        return port_gone(port, WINDOW)

    once, later = absent(NOW + DAY, Presence.NOT_LISTED), absent(NOW + 2 * DAY, Presence.NOT_LISTED)
    looked = absent(NOW + 2 * DAY, Presence.NOT_FOUND)
    assert not gone()
    assert not gone(once, looked)
    assert not gone(once, later)
    assert gone(once, later, looked)
    assert not gone(once, later, looked, port_read(NOW + 3 * DAY))
