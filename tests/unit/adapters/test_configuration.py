"""``partner.yaml``: what it accepts, what it refuses and in which words, and the policies that follow."""

from __future__ import annotations

import copy
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossport.adapters.configuration import (
    Configuration,
    ConfigurationError,
    ConfiguredPolicies,
    PolicySettings,
    load_configuration,
    read_configuration,
)
from crossport.adapters.configuration.policies import is_complete
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import MilestoneName, OrderMode

EXAMPLE = Path(__file__).parents[3] / "events" / "scenarios" / "partner.yaml"
ACCOUNT = "1180000000000001"


def minimal() -> dict[str, Any]:
    """The smallest document that is accepted."""
    contact = {"name": "NOC", "email": "noc@partner.example", "language": "en", "zone": "UTC"}
    return {
        "version": 1,
        "partner": {"name": "Partner"},
        "accounts": [
            {
                "account_id": ACCOUNT,
                "name": "Account",
                "site": "international",
                "regions": ["us-east-1"],
                "contact": contact,
                "circuits": [circuit("pc-a")],
            }
        ],
    }


def circuit(circuit_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "circuit_id": circuit_id,
        "region": "us-east-1",
        "name": "Circuit",
        "access_point": "DC11",
        "line_operator": "Equinix",
        "bandwidth_mbps": 1_000,
        **changes,
    }


def problems(document: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        read_configuration(document)
    return caught.value.problems


def with_policy(**policy: Any) -> dict[str, Any]:
    document = minimal()
    document["accounts"][0]["policy"] = policy
    return document


def test_the_example_is_accepted_without_a_warning() -> None:
    configuration = load_configuration(EXAMPLE)
    assert configuration.warnings() == ()
    assert [t.tenant_uid for t in configuration.tenants] == ["1290000000000011", "1290000000000022"]
    account = configuration.accounts[0]
    assert [c.circuit_id for c in account.circuits] == ["pc-dc11equinix0000001", "pc-dc11equinix0000002"]
    held = account.circuits[0].circuit(account.account_id)
    assert (held.account_id, held.bandwidth_mbps, held.held_mbps, held.vlan_bitmap) == (ACCOUNT, 1_000, 0, 0)


def test_the_example_says_every_policy_field() -> None:
    written = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["accounts"][0]["policy"]
    known = {name for name in Policy.__dataclass_fields__ if not name.endswith("price_list")} - {"account_id", "site"}
    assert set(written) == known


def test_defaults_are_the_domains_own() -> None:
    policy = ConfiguredPolicies(minimal()).of(ACCOUNT)
    assert policy == Policy(account_id=ACCOUNT)


def test_policy_fields_reach_the_domain() -> None:
    policy = ConfiguredPolicies(load_configuration(EXAMPLE).document()).of(ACCOUNT)
    assert policy.specs == {"50M", "200M", "500M", "1G"}
    assert policy.vlan_pool == ((100, 199),)
    assert policy.order_modes == set(OrderMode)
    assert policy.push_after is MilestoneName.LAST_MILE_READY
    assert policy.consistency_window == timedelta(0)
    assert policy.partner_price_list is not None
    assert policy.partner_price_list.port("us-east-1", "200M") == Decimal("75.00")


def test_the_partners_contact_is_told_in_its_language_and_zone() -> None:
    policies = ConfiguredPolicies(load_configuration(EXAMPLE).document())
    contact = policies.partner_contact(ACCOUNT)
    assert (contact.tenant_uid, contact.email) == (ACCOUNT, "noc@partner.example")
    assert (contact.language, contact.zone) == ("en", "America/New_York")
    assert policies.accounts() == (ACCOUNT,)
    assert policies.regions(ACCOUNT) == ("us-east-1",)
    assert policies.role_arn(ACCOUNT) == ""
    with pytest.raises(KeyError):
        policies.of("1")
    with pytest.raises(KeyError):
        policies.partner_contact("1")


def test_the_document_survives_json() -> None:
    document = minimal()
    document["contracts"] = [
        {"number": "C-1", "account_id": ACCOUNT, "tenant_uid": "12", "valid_from": "2026-01-01", "zone": "UTC"}
    ]
    configuration = read_configuration(document)
    assert read_configuration(json.loads(json.dumps(configuration.document()))) == configuration


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ({"specs": ["51M"]}, "accounts[0].policy.specs[0]: 51M is not a spec of the API"),
        ({"specs": []}, "accounts[0].policy.specs: "),
        ({"vlan_pool": [[100, 3_000]]}, "0 <= low <= high <= 2999, not [100, 3000]"),
        ({"vlan_pool": [[20, 10]]}, "0 <= low <= high <= 2999, not [20, 10]"),
        ({"vlan_pool": [[-1, 10]]}, "not [-1, 10]"),
        ({"vlan_pool": [["12a", 20]]}, "accounts[0].policy.vlan_pool[0][0]: input should be a valid integer"),
        ({"vlan_pool": [[True, 20]]}, "accounts[0].policy.vlan_pool[0][0]: input should be a valid integer"),
        ({"order_modes": ["PayByNobody"]}, "accounts[0].policy.order_modes[0]: input should be"),
        ({"push_after": "soon"}, "accounts[0].policy.push_after: input should be"),
        ({"partner_pays_at": "never"}, "accounts[0].policy.partner_pays_at: input should be 'accepted' or 'created'"),
        ({"pay_months": 10}, "accounts[0].policy.pay_months: input should be less than or equal to 9"),
        ({"consistency_window": -1}, "accounts[0].policy.consistency_window: input should be greater"),
        ({"max_attempts": 0}, "accounts[0].policy.max_attempts: input should be greater"),
        ({"plicy": 1}, "accounts[0].policy.plicy: is not a known key"),
    ],
)
def test_a_bad_policy_is_refused_with_its_place(policy: dict[str, Any], problem: str) -> None:
    (found,) = problems(with_policy(**policy))
    assert problem in found


def test_what_is_applied_is_read_back_without_checking_it_again() -> None:
    document = json.loads(json.dumps(load_configuration(EXAMPLE).document()))
    assert is_complete(document)
    account = document["accounts"][0]
    # In step with the models: a field that only one side knows would send every cold start the long way round.
    assert set(account["policy"]) == set(PolicySettings.model_fields)
    checked = read_configuration(document).document()
    assert checked == document


@pytest.mark.parametrize("place", ["policy", "contact", "partner_price_list", None])
def test_a_document_of_another_release_is_checked_and_completed(place: str | None) -> None:
    document = json.loads(json.dumps(load_configuration(EXAMPLE).document()))
    part = document["accounts"][0] if place is None else document["accounts"][0][place]
    part["of_the_next_release"] = 1
    assert not is_complete(document)
    with pytest.raises(ConfigurationError, match="of_the_next_release: is not a known key"):
        ConfiguredPolicies(document)


def test_a_document_from_before_a_setting_existed_gets_its_default() -> None:
    document = json.loads(json.dumps(load_configuration(EXAMPLE).document()))
    del document["accounts"][0]["policy"]["cool_down"]
    assert not is_complete(document)
    assert ConfiguredPolicies(document).of(ACCOUNT).cool_down == Policy(account_id="").cool_down


@pytest.mark.parametrize("document", [None, [], {}, {"version": 2}, {"version": 1, "accounts": {}}])
def test_what_is_no_document_is_refused(document: Any) -> None:
    with pytest.raises(ConfigurationError):
        ConfiguredPolicies(document)


def test_vlan_zero_and_the_highest_one_may_be_in_the_pool() -> None:
    policy = ConfiguredPolicies(with_policy(vlan_pool=[[0, 0], [2_999, 2_999]])).of(ACCOUNT)
    assert policy.vlan_pool == ((0, 0), (2_999, 2_999))


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("account_id", 1_180_000_000_000_001, "put 1180000000000001 in quotes"),
        ("account_id", "118-1", "'118-1' is not an account id"),
        ("account_id", "118\n", "is not an account id"),
        ("account_id", None, "input should be a valid string"),
        ("site", "moon", "input should be 'international' or 'china'"),
        ("regions", [], "regions: "),
        ("regions", ["US East"], "'US East' is not a region id"),
        ("role_arn", "acs:ram::999:role/crossport", "the role belongs to another account"),
        ("role_arn", "crossport", "'crossport' is not a role ARN"),
        ("currency", "usd", "'usd' is not an ISO 4217 currency"),
        ("name", "two\nlines", "is not one line of text"),
        ("contact", None, "accounts[0].contact: "),
    ],
)
def test_a_bad_account_is_refused_with_its_place(key: str, value: Any, problem: str) -> None:
    document = minimal()
    document["accounts"][0][key] = value
    found = problems(document)
    assert any(problem in sentence for sentence in found)
    assert all(sentence.startswith("accounts[0].") for sentence in found)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("email", "a@b@c", "is not an e-mail address"),
        ("email", "a@b\nBcc: c@d", "is not an e-mail address"),
        ("language", "fr", "input should be 'en' or 'zh-CN'"),
        ("zone", "Mars/Olympus", "Mars/Olympus is not an IANA time zone"),
        ("zone", "America", "America is not an IANA time zone"),
        ("zone", "../etc/passwd", "is not an IANA time zone"),
    ],
)
def test_a_bad_contact_is_refused(key: str, value: str, problem: str) -> None:
    document = minimal()
    document["accounts"][0]["contact"][key] = value
    (found,) = problems(document)
    assert found.startswith(f"accounts[0].contact.{key}: ")
    assert problem in found


@pytest.mark.parametrize("amount", [12.5, 12, True, "12,50", "-1", "NaN", "Infinity", "1.123456789"])
def test_money_is_a_decimal_in_quotes(amount: Any) -> None:
    document = minimal()
    document["accounts"][0]["partner_price_list"] = {
        "name": "list",
        "version": "1",
        "currency": "USD",
        "port_month": {"outside": {"50M": amount}},
    }
    (found,) = problems(document)
    assert found.startswith("accounts[0].partner_price_list.port_month.outside.50M: ")


def with_prices(**prices: Any) -> dict[str, Any]:
    document = minimal()
    first = {"name": "list", "version": "1", "currency": "USD", "port_month": {"outside": {"50M": "1"}}}
    document["accounts"][0]["partner_price_list"] = {**first, "earlier": [first], **prices}
    return document


@pytest.mark.parametrize(
    "start", [date(2027, 1, 1), "2027-01-01", "2027-01-01T00:00:00+08:00", datetime(2026, 12, 31, 16, tzinfo=UTC)]
)
def test_a_version_of_a_price_list_begins_at_midnight_in_the_zone_of_bills(start: Any) -> None:
    configuration = read_configuration(with_prices(version="2", effective_from=start))
    for document in (configuration.document(), json.loads(json.dumps(configuration.document()))):
        prices = ConfiguredPolicies(document).of(ACCOUNT).partner_price_list
        assert prices is not None
        assert prices.effective_from == datetime(2026, 12, 31, 16, tzinfo=UTC)
        assert [version.version for version in prices.versions()] == ["1", "2"]
        assert read_configuration(document) == configuration


@pytest.mark.parametrize(
    ("prices", "problem"),
    [
        ({"version": "2"}, ": version 2 needs an effective_from later than that of version 1"),
        ({"version": "1", "effective_from": "2027-01-01"}, ": version 1 is there more than once"),
        ({"version": "2", "effective_from": "2027-01-32"}, ".effective_from: '2027-01-32' is neither"),
        ({"version": "2", "effective_from": datetime(2027, 1, 1)}, ".effective_from: a time needs its offset"),  # noqa: DTZ001
        ({"version": "2", "effective_from": 2027}, ".effective_from: write a day as YYYY-MM-DD"),
    ],
)
def test_a_version_of_a_price_list_needs_a_date_of_its_own(prices: dict[str, Any], problem: str) -> None:
    (found,) = problems(with_prices(**prices))
    assert found.startswith(f"accounts[0].partner_price_list{problem}")


def test_every_problem_is_told_at_once() -> None:
    document = minimal()
    document["version"] = 2
    document["colour"] = "blue"
    account = document["accounts"][0]
    account["policy"] = {"specs": ["51M"]}
    account["circuits"] = [circuit("pc-a", region="cn-beijing"), circuit("pc-a", bandwidth_mbps=0)]
    document["accounts"].append(copy.deepcopy(account) | {"circuits": []})
    document["tenants"] = [{"tenant_uid": "12", "name": "A", "email": "a@b"}] * 2
    document["contracts"] = [
        {"number": "C", "account_id": "7", "tenant_uid": "12", "valid_from": "2026-02-01", "valid_until": "2026-01-01"}
    ]
    found = problems(document)
    for expected in (
        "version: input should be 1",
        "colour: is not a known key",
        "accounts[1].policy.specs[0]: 51M",
        "accounts[0].account_id: 1180000000000001 is there more than once",
        "accounts[0].circuits[0].region: cn-beijing is not one of the account's regions",
        "accounts[0].circuits[1].circuit_id: pc-a is there more than once",
        "accounts[0].circuits[1].bandwidth_mbps: ",
        "tenants[1].tenant_uid: 12 is there more than once",
        "contracts[0].account_id: 7 is not one of the accounts",
        "contracts[0].valid_until: 2026-01-01 is before valid_from, 2026-02-01",
    ):
        assert any(sentence.startswith(expected) for sentence in found), expected


@pytest.mark.parametrize(
    "document",
    [None, [], "text", {}, {"accounts": 3}, {"accounts": [3]}, {"accounts": [{"account_id": [], "circuits": [{}]}]}],
)
def test_what_is_no_configuration_at_all_is_refused(document: Any) -> None:
    assert problems(document)


def test_a_region_that_this_version_has_never_heard_of_is_accepted() -> None:
    document = minimal()
    document["accounts"][0] |= {"regions": ["na-south-9"], "circuits": [circuit("pc-a", region="na-south-9")]}
    assert read_configuration(document).accounts[0].regions == ("na-south-9",)


def test_warnings_name_what_is_legal_but_probably_not_meant() -> None:
    document = with_policy(specs=["50M", "2G"], order_modes=["PayByPhysicalConnectionOwner"])
    document["tenants"] = [
        {"tenant_uid": ACCOUNT, "name": "Self", "email": "a@b"},
        {"tenant_uid": "12", "name": "Far", "site": "china", "email": "a@b"},
    ]
    unpriced = "PayByPhysicalConnectionOwner is offered without a partner_price_list: no charge can be written"
    assert read_configuration(document).warnings() == (
        f"account {ACCOUNT}: 2G will be refused until approved_above_1g is true",
        f"account {ACCOUNT}: {unpriced}",
        f"tenant {ACCOUNT}: this is a partner account",
        "tenant 12: no account is on site china; orders will be refused",
    )


def test_a_price_list_that_lacks_an_offered_spec_or_has_another_currency_is_a_warning() -> None:
    document = with_policy(specs=["50M", "100M"], order_modes=["PayByPhysicalConnectionOwner"])
    account = document["accounts"][0]
    account["regions"] = ["us-east-1", "cn-beijing", "me-central-1"]
    account["circuits"] = []
    account["partner_price_list"] = {
        "name": "list",
        "version": "1",
        "currency": "EUR",
        "port_month": {"outside": {"50M": "1"}, "riyadh": {"50M": "1", "100M": "2"}},
    }
    place = f"account {ACCOUNT}: "
    assert read_configuration(document).warnings() == (
        f"{place}no circuits, so that every order will be refused",
        f"{place}the partner_price_list is in EUR, the account in USD",
        f"{place}the partner_price_list has no mainland price for 50M, 100M",
        f"{place}the partner_price_list has no outside price for 100M",
    )


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "partner.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def load_problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    return caught.value.problems


def test_yaml_with_dates_is_read(tmp_path: Path) -> None:
    document = minimal()
    document["contracts"] = [{"number": "C", "account_id": ACCOUNT, "tenant_uid": "12", "valid_from": "FROM"}]
    text = yaml.safe_dump(document).replace("FROM", "2026-01-31")
    configuration: Configuration = load_configuration(write(tmp_path, text))
    assert configuration.contracts[0].contract().valid_from.isoformat() == "2026-01-31"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yaml"
    assert load_problems(path) == (f"{path} cannot be read: No such file or directory",)


def test_a_file_that_is_not_yaml_names_the_line(tmp_path: Path) -> None:
    (problem,) = load_problems(write(tmp_path, "version: 1\npartner: [\n"))
    assert problem.startswith("line 3: not YAML")


def test_yaml_that_builds_objects_is_refused(tmp_path: Path) -> None:
    (problem,) = load_problems(write(tmp_path, "!!python/object/apply:os.getcwd []"))
    assert "not YAML" in problem


def test_a_date_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    (problem,) = load_problems(write(tmp_path, "version: 2026-02-30"))
    assert problem.startswith("not YAML: ")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "partner.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    assert load_problems(path) == (f"{path} is not UTF-8 text",)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    text = yaml.safe_dump(minimal()) + "version: 1\n"
    (problem,) = load_problems(write(tmp_path, text))
    assert problem.endswith("version stands here a second time")


def test_an_anchor_that_leads_back_to_itself_is_refused_and_not_followed_for_ever(tmp_path: Path) -> None:
    assert load_problems(write(tmp_path, "accounts: &loop [*loop]"))
