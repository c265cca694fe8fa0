"""``crossport rules``: what an operator sees of the rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crossport.domain.rules import RULES

#: The fixture ``run``: arguments in, exit code, stdout and stderr out.
Run = Callable[..., Any]


def test_the_table_has_every_rule_and_needs_no_database(run: Run) -> None:
    shown = run("rules")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("Rules (20)\n")
    for rule in RULES:
        assert f"{rule.number:3}  {rule.title}" in shown.out


def test_json_holds_the_whole_registry(run: Run) -> None:
    listed = run("rules", "--json").json
    assert [each["number"] for each in listed] == list(range(1, 21))
    assert listed[2]["switch"] == "vlan_zero_is_exclusive"
    assert listed[0]["checks"] == ["checks.vlan_in_range"]
    assert run("rules", "show", "3", "--json").json == listed[2]


def test_one_rule_tells_source_switch_codes_and_what_is_missing(run: Run) -> None:
    shown = run("rules", "show", "7")
    assert shown.code == 0
    for part in ("Rule 7: Circuit fit", "API reference, CreateVirtualPhysicalConnection", "circuit_not_enabled", "QoS"):
        assert part in shown.out


def test_a_rule_that_does_not_exist(run: Run) -> None:
    result = run("rules", "show", "21")
    assert (result.code, result.out) == (1, "")
    assert result.err == "crossport: no rule 21: they are 1 to 20\n"
