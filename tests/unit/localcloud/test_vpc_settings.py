"""Switches by name: every switch can be set to every value, mistakes are refused together, the document says it all."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud.scenario.model import ScenarioError, read_scenario
from localcloud.vpc import Fault, PaymentEnables, Progression, Switches, VbrVisibility
from localcloud.vpc.settings import READ, faults_of, settings_of, with_settings

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "local-cloud.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("progression", "at once", Progression.at_once()),
        ("progression", "after 2 reads", Progression.after_reads(2)),
        ("progression", "after 5m", Progression.by_clock(timedelta(minutes=5))),
        ("stale_reads", "2", 2),
        ("stale_reads", 0, 0),
        ("payment_enables", "with acceptance", PaymentEnables.WITH_ACCEPTANCE),
        ("withdraw_allowed", "no", False),
        ("withdraw_allowed", True, True),
        ("vlan_zero_excludes", "false", False),
        ("vlan_change_moves_vbr", "yes", True),
        ("ports_per_circuit", "none", None),
        ("ports_per_circuit", "3", 3),
        ("fresh_port_status", "Allocation Failed", "Allocation Failed"),
    ],
)
def test_a_switch_is_set_from_a_text_or_a_value(name: str, value: Any, expected: Any) -> None:
    assert getattr(with_settings(Switches(), {name: value}), name) == expected


def test_a_visibility_is_for_all_accounts_or_for_one() -> None:
    switches = with_settings(Switches(), {"vbr_visibility": "port", "vbr_visibility.118": "none"})
    assert (switches.visibility("118"), switches.visibility("119")) == (VbrVisibility.NONE, VbrVisibility.PORT)
    assert Switches().visibility("118") == VbrVisibility.CIRCUIT


def test_every_mistake_is_told_at_once() -> None:
    mistakes = {"withdraw": "no", "stale_reads": "-1", "vlan_zero_excludes": "perhaps", "vbr_visibility": "moon"}
    with pytest.raises(ValueError, match="withdraw") as caught:
        with_settings(Switches(), {**mistakes, "progression": "after 0 reads", "payment_enables": "never"})
    for name in (*mistakes, "progression", "payment_enables"):
        assert name in str(caught.value)


@pytest.mark.parametrize("word", ["withdraw_allowed", "=no", "withdraw_allowed="])
def test_a_word_of_the_command_line_has_a_name_and_a_value(word: str) -> None:
    with pytest.raises(ValueError, match="NAME=VALUE"):
        settings_of([word])


def test_faults_have_names() -> None:
    assert faults_of(["throttled", "none"]) == [Fault.THROTTLED, Fault.NONE]
    with pytest.raises(ValueError, match="none of"):
        faults_of(["thunder"])


def test_every_switch_can_be_named() -> None:
    assert {*READ, "vbr_visibility"} == {field.name for field in fields(Switches)}


def test_the_document_lists_every_switch_with_its_default_and_every_fault() -> None:
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| `([^`]+)` \|", DOCUMENT, re.MULTILINE))
    assert rows.keys() == {field.name for field in fields(Switches)}
    assert with_settings(Switches(), {n: v for n, v in rows.items() if n != "vbr_visibility"}) == Switches()
    assert rows["vbr_visibility"] == Switches().visibility("any")
    for fault in Fault:
        assert f"`{fault}`" in DOCUMENT


@pytest.mark.parametrize("ruling", [4, 8, 18, 19])
def test_what_a_ruling_infers_is_a_switch_of_the_document(ruling: int) -> None:
    assert re.search(rf"^\| `[a-z_]+` .*\[INF\].*\(ruling {ruling}\)", DOCUMENT, re.MULTILINE)


STORY = """
name: x
title: x
starts: 2026-03-02T09:00:00-05:00
switches: {%s}
steps:
  - title: x
    behind: {switches: {%s}, faults: {ConfirmPhysicalConnection: [%s]}}
"""


def test_a_scenario_names_switches_and_faults(tmp_path: Path) -> None:
    file = tmp_path / "story.yaml"
    file.write_text(STORY % ("withdraw_allowed: no", "progression: after 5m", "none, throttled"), encoding="utf-8")
    story = read_scenario(file)
    assert story.switches == {"withdraw_allowed": False}
    behind = story.steps[0].behind
    assert behind is not None
    assert behind.faults == {"ConfirmPhysicalConnection": [Fault.NONE, Fault.THROTTLED]}


@pytest.mark.parametrize(
    "words",
    [
        ("withdraw: no", "stale_reads: 1", "none"),
        ("stale_reads: 1", "stale_reads: few", "none"),
        ("stale_reads: 1", "stale_reads: 1", "thunder"),
    ],
)
def test_a_scenario_with_a_misspelt_switch_or_fault_is_not_begun(tmp_path: Path, words: tuple[str, str, str]) -> None:
    file = tmp_path / "story.yaml"
    file.write_text(STORY % words, encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"withdraw|few|thunder"):
        read_scenario(file)
