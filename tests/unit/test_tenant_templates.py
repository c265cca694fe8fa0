"""The ROS templates of ``tenant/`` forward exactly what the functions take, from every sender to one bus."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.clock import Clock
from localcloud.eventbridge.buses import Buses
from localcloud.eventbridge.patterns import Pattern
from localcloud.eventbridge.rules import FUNCTION, Rule, Target
from localcloud.eventbridge.wire import _target
from localcloud.fc.template import EventTrigger, read_template
from localcloud.fc.triggers import rule_of
from localcloud.journal import Journal
from localcloud.world import TENANT_BUS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tenant"
TEMPLATES = sorted(FOLDER.glob("*.yaml"))
ENVIRONMENT = {"CROSSPORT_DB": "postgresql://db", "CROSSPORT_SMTP_URL": "smtp://mail"}
FUNCTIONS = read_template(ROOT / "s.yaml", ENVIRONMENT, "1180000000000001")
#: Function to its event trigger: what it takes.
TRIGGERS = {
    name: trigger
    for name, function in FUNCTIONS.items()
    for trigger in function.triggers
    if isinstance(trigger, EventTrigger)
}
#: Resource of the template to the function whose calls it forwards.
RULES = {"PortCalls": "port_events", "VbrCalls": "vbr_events"}
HOME, SECOND = "1180000000000001", "1180000000000009"
TENANT, OTHER_TENANT = "1290000000000011", "1290000000000022"
VIRGINIA, HANGZHOU = "us-east-1", "cn-hangzhou"


def template(name: str) -> dict[str, Any]:
    loaded = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def rendered(name: str, account_id: str, region: str, **parameters: str) -> dict[str, Any]:
    """The resources of a template as ROS would make them in an account and region. Unknown functions fail."""
    document = template(name)
    values = {key: each["Default"] for key, each in document["Parameters"].items() if "Default" in each}
    values |= {"ALIYUN::TenantId": account_id, "ALIYUN::Region": region, **parameters}
    for key, each in document["Parameters"].items():
        assert re.fullmatch(each.get("AllowedPattern", ".*"), values[key]), key
    conditions = {key: _resolved(each, values, {}) for key, each in document.get("Conditions", {}).items()}
    resources = _resolved(document["Resources"], values, conditions)
    assert isinstance(resources, dict)
    return resources


def _resolved(value: Any, values: Mapping[str, str], conditions: Mapping[str, bool]) -> Any:
    if isinstance(value, list):
        return [_resolved(each, values, conditions) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((function, argument),) = value.items()
        if function == "Ref":
            return values[argument]
        if function == "Fn::Sub":
            return re.sub(r"\$\{([\w:]+)\}", lambda match: values[match[1]], argument)
        if function == "Fn::Equals":
            return _resolved(argument[0], values, conditions) == _resolved(argument[1], values, conditions)
        if function == "Fn::If":
            return _resolved(argument[1] if conditions[argument[0]] else argument[2], values, conditions)
        assert not function.startswith("Fn::"), function
    return {key: _resolved(each, values, conditions) for key, each in value.items()}


def forwarding(account_id: str, region: str) -> dict[str, Rule]:
    """The rules that a sender's stack makes, as the local cloud's EventBridge takes them from the API."""
    made = rendered("forward-events.yaml", account_id, region, HomeAccountId=HOME, HomeRegion=VIRGINIA)
    rules = {}
    for resource, function in RULES.items():
        properties = made[resource]["Properties"]
        assert properties["EventBusName"] == "default"
        targets = tuple(_target(each) for each in properties["Targets"])
        pattern = Pattern(json.loads(json.dumps(properties["FilterPattern"])))
        rules[function] = Rule(name=properties["RuleName"], pattern=pattern, targets=targets)
    return rules


def catalogue() -> list[tuple[str, str, dict[str, Any]]]:
    """File, function and event of every cloud event in the catalogue."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    for file in sorted((ROOT / "events").glob("*.json")):
        entry = json.loads(file.read_text(encoding="utf-8"))
        events = entry.get("event")
        each = events if isinstance(events, list) else [events]
        found += [(file.stem, entry["function"], e) for e in each if isinstance(e, dict) and "specversion" in e]
    return found


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_a_template_is_one_of_ros_and_every_parameter_is_used_and_explained(file: Path) -> None:
    document = template(file.name)
    assert document["ROSTemplateFormatVersion"] == "2015-09-01"
    assert set(document["Description"]) == {"en", "zh-cn"}
    text = json.dumps({key: document.get(key) for key in ("Resources", "Conditions", "Outputs")})
    for name, parameter in document["Parameters"].items():
        assert parameter["Type"] == "String"
        assert f'"{name}"' in text or f"${{{name}}}" in text, name
    assert all(resource["Type"].startswith("ALIYUN::") for resource in document["Resources"].values())
    assert f"({file.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("resource", RULES)
def test_a_rule_has_the_pattern_of_the_function(resource: str) -> None:
    forwarded = template("forward-events.yaml")["Resources"][resource]["Properties"]["FilterPattern"]
    assert forwarded == TRIGGERS[RULES[resource]].pattern


def test_every_event_of_the_catalogue_is_forwarded_exactly_when_its_function_takes_it() -> None:
    rules = forwarding(TENANT, VIRGINIA)
    taken = {name: Pattern(trigger.pattern) for name, trigger in TRIGGERS.items()}
    forwarded = 0
    for file, function, event in catalogue():
        for name, rule in rules.items():
            assert rule.pattern.matches(event) is taken[name].matches(event), file
        if file.endswith(".forwarded"):
            # The examples of what a tenant forwards are what its rule forwards, to the function that they are for.
            assert [name for name, rule in rules.items() if rule.pattern.matches(event)] == [function], file
            forwarded += 1
    assert forwarded >= 15


@pytest.mark.parametrize(
    ("account_id", "region", "kind"),
    [(TENANT, HANGZHOU, "AnotherAccount"), (SECOND, VIRGINIA, "AnotherAccount"), (HOME, HANGZHOU, "SameAccount")],
)
def test_a_target_has_the_documented_parameters(account_id: str, region: str, kind: str) -> None:
    """EventBridge user guide, "Event target parameters", EventBridge."""
    made = rendered("forward-events.yaml", account_id, region, HomeAccountId=HOME, HomeRegion=VIRGINIA)
    for resource in made.values():
        (target,) = resource["Properties"]["Targets"]
        assert target["Endpoint"] == f"acs:eventbridge:{VIRGINIA}:{HOME}:eventbus/{TENANT_BUS}"
        given = {each["ResourceKey"]: (each["Form"], each.get("Value")) for each in target["ParamList"]}
        assert given == {
            "RegionId": ("CONSTANT", VIRGINIA),
            "AccountType": ("CONSTANT", kind),
            "AccountId": ("CONSTANT", HOME),
            "EventBusName": ("CONSTANT", TENANT_BUS),
            "RAMRoleName": ("CONSTANT", f"crossport-sender-{account_id}"),
            "Body": ("ORIGINAL", None),
        }


def test_the_partners_role_is_the_one_that_the_senders_rule_names_and_may_do_one_thing() -> None:
    made = rendered("trusted-sender.yaml", HOME, VIRGINIA, SenderAccountId=TENANT)
    (role,) = (resource["Properties"] for resource in made.values())
    rule = rendered("forward-events.yaml", TENANT, VIRGINIA, HomeAccountId=HOME, HomeRegion=VIRGINIA)["PortCalls"]
    named = {each["ResourceKey"]: each.get("Value") for each in rule["Properties"]["Targets"][0]["ParamList"]}
    assert role["RoleName"] == named["RAMRoleName"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": [f"{TENANT}@eventbridge.aliyuncs.com"]}
    ((statement,),) = (policy["PolicyDocument"]["Statement"] for policy in role["Policies"])
    assert statement["Action"] == ["eventbridge:PutEvents"]
    assert statement["Resource"] == [f"acs:eventbridge:*:{HOME}:eventbus/{TENANT_BUS}"]


class Home:
    """The home account's bus with its rules to the functions, and senders with their stacks."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str, str]] = []
        self.buses = Buses(Journal(Clock()), Clock(), deliver={FUNCTION: self._invoked})
        made = rendered("partner-bus.yaml", HOME, VIRGINIA)
        (bus,) = (resource["Properties"]["EventBusName"] for resource in made.values())
        self.buses.create_bus(HOME, VIRGINIA, bus)
        self.bus = bus
        for name, trigger in TRIGGERS.items():
            self.buses.create_rule(HOME, VIRGINIA, bus, rule_of(trigger, f"{name}-forwarded", name))

    def add(self, account_id: str, *regions: str, trusted: bool = True) -> None:
        """A sender's stacks, and the partner's trust in it."""
        if trusted and account_id != HOME:
            self.buses.trust(HOME, VIRGINIA, self.bus, account_id)
        for region in regions:
            for rule in forwarding(account_id, region).values():
                self.buses.create_rule(account_id, region, "default", rule)

    async def _invoked(self, target: Target, event: dict[str, Any]) -> None:
        who = event.get("aliyunoriginalaccountid", "")
        self.seen.append((target.name, who, event["aliyunaccountid"], event["data"]["eventName"]))


def call(name: str) -> dict[str, Any]:
    data = {"eventName": name, "eventRW": "Write"}
    return {"id": name, "source": "acs.vpc", "specversion": "1.0", "type": "vpc:ActionTrail:ApiCall", "data": data}


def test_two_regions_two_partner_accounts_and_two_tenants_reach_one_bus() -> None:
    async def play() -> Home:
        home = Home()
        home.add(HOME, HANGZHOU)
        home.add(SECOND, VIRGINIA, HANGZHOU)
        home.add(TENANT, VIRGINIA)
        home.add(OTHER_TENANT, HANGZHOU, trusted=False)
        for account_id, region, name in (
            (HOME, HANGZHOU, "CreateVirtualPhysicalConnection"),
            (SECOND, VIRGINIA, "AttachVbrToVpconn"),
            (SECOND, HANGZHOU, "DeletePhysicalConnection"),
            (TENANT, VIRGINIA, "ConfirmPhysicalConnection"),
            (TENANT, VIRGINIA, "CreateVpc"),
            # No stack in this region, and no trust in that account.
            (TENANT, HANGZHOU, "CreateVirtualBorderRouter"),
            (OTHER_TENANT, HANGZHOU, "CreateVirtualBorderRouter"),
        ):
            home.buses.publish(account_id, region, call(name))
        await home.buses.idle()
        return home

    assert sorted(asyncio.run(play()).seen) == [
        ("port_events", HOME, HOME, "CreateVirtualPhysicalConnection"),
        ("port_events", SECOND, HOME, "DeletePhysicalConnection"),
        ("port_events", TENANT, HOME, "ConfirmPhysicalConnection"),
        ("vbr_events", SECOND, HOME, "AttachVbrToVpconn"),
    ]
