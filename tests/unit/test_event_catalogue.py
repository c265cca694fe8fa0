"""The catalogue in ``events/`` is complete and says of each file where it comes from."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossport.application.actiontrail import FOLLOWED
from crossport.domain.vocabulary import Verdict

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "events").glob("*.json"))
FUNCTIONS = set(yaml.safe_load((ROOT / "s.yaml").read_text(encoding="utf-8"))["resources"])
DOCUMENTED = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")


ORDERS = ("order.new", "order.migrate")
REQUESTS = ("order.change_spec", "order.change_vlan", "order.cease", "order.cancel", "order.recover")


def entry_of(file: Path) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return entry


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_entry_is_well_formed_and_marked(file: Path) -> None:
    entry = entry_of(file)
    assert entry.keys() - {"description", "function", "origin", "expect", "event", "raw"} == set()
    assert ("event" in entry) is not ("raw" in entry)
    assert entry["description"]
    assert entry["function"] in FUNCTIONS
    assert file.name.startswith(f"{entry['function']}.")
    assert entry["origin"]["kind"] in {"real", "constructed"}
    assert entry["origin"]["source"]
    assert (".real." in file.name) is (entry["origin"]["kind"] == "real")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_expectation_uses_documented_words(file: Path) -> None:
    for verdict in entry_of(file)["expect"]["verdicts"]:
        assert verdict.keys() == {"verdict", "reason", "pending"}
        assert verdict["verdict"] in set(Verdict)
        assert not verdict["reason"] or f"`{verdict['reason']}`" in DOCUMENTED
        assert verdict["pending"] in {"", "read_port"}


def test_every_followed_call_has_a_file_of_its_own_and_a_forwarded_one() -> None:
    own: set[str] = set()
    forwarded: set[str] = set()
    for file in FILES:
        event = entry_of(file).get("event")
        if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
            continue
        name = str(event["data"].get("eventName"))
        tenants = event.get("aliyunoriginalaccountid", event.get("aliyunaccountid")) != event.get("aliyunaccountid")
        (forwarded if tenants else own).add(name)
    assert own >= FOLLOWED
    assert forwarded >= {name for name in FOLLOWED if name not in PARTNERS_OWN}


#: Calls that only the circuit's owner can make (API reference), so that no tenant's bus carries them.
PARTNERS_OWN = {
    "UpdateVirtualPhysicalConnection", "CreateVpconnFromVbr", "AttachVbrToVpconn", "TerminateVirtualBorderRouter",
    "RecoverVirtualBorderRouter",
}  # fmt: skip


def test_both_event_types_and_both_spellings_of_the_source_are_there() -> None:
    seen: Counter[str] = Counter()
    for file in FILES:
        event = entry_of(file).get("event")
        if isinstance(event, dict):
            seen.update(str(event.get(name)) for name in ("source", "type"))
    for value in ("acs.vpc", "acs:vpc", "vpc:ActionTrail:ApiCall", "vpc:ActionTrail:ConsoleOperation"):
        assert seen[value]


def test_every_verdict_that_needs_no_failure_is_shown() -> None:
    verdicts = {one["verdict"] for file in FILES for one in entry_of(file)["expect"]["verdicts"]}
    assert verdicts >= {Verdict.APPLIED, Verdict.DUPLICATE, Verdict.IGNORED, Verdict.REJECTED, Verdict.RETRY}


def messages() -> list[tuple[dict[str, Any], str]]:
    """Every message to Crossport in the catalogue that is JSON, with the verdict that it is given when it is alone."""
    found = []
    for file in FILES:
        entry = entry_of(file)
        records = entry.get("event")
        if not isinstance(records, list) or len(records) != 1 or len(entry["expect"]["verdicts"]) != 1:
            continue
        body = records[0].get("data", {}).get("messageBody") if isinstance(records[0], dict) else None
        try:
            message = json.loads(body or "")
        except ValueError:
            continue
        if isinstance(message, dict):
            found.append((message, entry["expect"]["verdicts"][0]["verdict"]))
    return found


@pytest.mark.parametrize("kind", [*ORDERS, *REQUESTS, "order.milestone"])
def test_every_message_to_the_queue_orders_is_shown_accepted_and_refused(kind: str) -> None:
    verdicts = {verdict for message, verdict in messages() if message.get("type") == kind}
    # What the catalogue starts from has nothing that was terminated; events/scenarios/recover.yaml has.
    assert verdicts >= ({Verdict.REJECTED} if kind == "order.recover" else {Verdict.APPLIED, Verdict.REJECTED})


@pytest.mark.parametrize("kind", ORDERS)
def test_every_order_is_shown_waiting(kind: str) -> None:
    """Accepted before the line exists (ruling 5): without the milestone that gates the push."""
    gates = [
        [milestone["name"] for milestone in message.get("milestones", ())]
        for message, verdict in messages()
        if message.get("type") == kind and verdict == Verdict.APPLIED
    ]
    assert any("last_mile_ready" not in names for names in gates)
    assert any("last_mile_ready" in names for names in gates)


def test_the_schemas_name_no_other_message_to_the_queue_orders() -> None:
    schemas = {file.stem for file in (ROOT / "docs" / "schemas").glob("order.*.json")}
    assert schemas - {"order.reply"} == {*ORDERS, *REQUESTS, "order.milestone"}
