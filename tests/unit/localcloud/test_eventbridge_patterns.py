"""Event patterns, operator by operator."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.eventbridge.patterns import InvalidPattern, Pattern

EVENT: dict[str, Any] = {
    "source": "acs.vpc",
    "type": "vpc:ActionTrail:ApiCall",
    "data": {
        "eventName": "CreateVirtualBorderRouter",
        "eventVersion": 1,
        "sourceIpAddress": "10.0.0.7",
        "isGlobal": False,
        "errorCode": None,
        "userAgent": "",
        "resources": ["pc-1", "vbr-2"],
    },
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({}, True),
        ({"source": ["acs.vpc"]}, True),
        ({"source": ["acs.ecs", "acs.vpc"]}, True),
        ({"source": ["ACS.VPC"]}, False),
        ({"source": ["acs.vpc"], "type": ["other"]}, False),
        ({"absent": ["x"]}, False),
        ({"data": {"eventName": ["CreateVirtualBorderRouter"]}}, True),
        ({"data": {"absent": {"deeper": ["x"]}}}, False),
        ({"source": {"deeper": ["x"]}}, False),
        ({"source": [{"prefix": "acs."}]}, True),
        ({"source": [{"prefix": "vpc"}]}, False),
        ({"type": [{"suffix": ":ActionTrail:ApiCall"}]}, True),
        ({"type": [{"suffix": ":ActionTrail:ConsoleOperation"}]}, False),
        ({"type": [{"prefix": "vpc:", "suffix": ":ApiCall"}]}, True),
        ({"type": [{"prefix": "ecs:", "suffix": ":ApiCall"}]}, False),
        ({"type": [{"contains": "ActionTrail"}]}, True),
        ({"source": [{"anything-but": "acs.ecs"}]}, True),
        ({"source": [{"anything-but": "acs.vpc"}]}, False),
        ({"source": [{"anything-but": ["acs.ecs", "acs.vpc"]}]}, False),
        ({"source": [{"anything-but": {"prefix": "acs."}}]}, False),
        ({"absent": [{"anything-but": "x"}]}, False),
        ({"data": {"eventVersion": [{"anything-but": 2}]}}, True),
        ({"data": {"eventVersion": [1]}}, True),
        ({"data": {"eventVersion": ["1"]}}, False),
        ({"data": {"eventVersion": [True]}}, False),
        ({"data": {"isGlobal": [False]}}, True),
        ({"data": {"isGlobal": [0]}}, False),
        ({"data": {"eventVersion": [{"numeric": [">", 0, "<=", 5]}]}}, True),
        ({"data": {"eventVersion": [{"numeric": ["=", 1]}]}}, True),
        ({"data": {"eventVersion": [{"numeric": [">", 1]}]}}, False),
        ({"data": {"isGlobal": [{"numeric": ["=", 0]}]}}, False),
        ({"data": {"sourceIpAddress": [{"cidr": "10.0.0.0/24"}]}}, True),
        ({"data": {"sourceIpAddress": [{"cidr": "10.0.1.0/24"}]}}, False),
        ({"source": [{"cidr": "10.0.0.0/24"}]}, False),
        ({"data": {"errorCode": [None]}}, True),
        ({"data": {"errorCode": [{"exists": True}]}}, True),
        ({"data": {"errorCode": [{"exists": False}]}}, False),
        ({"data": {"absent": [{"exists": False}]}}, True),
        ({"data": {"absent": [None]}}, False),
        ({"data": {"userAgent": [""]}}, True),
        ({"data": {"resources": ["vbr-2"]}}, True),
        ({"data": {"resources": [{"prefix": "eip-"}]}}, False),
        ({"data": {"resources": [{"anything-but": "vbr-2"}]}}, False),
    ],
)
def test_a_pattern_matches_as_documented(pattern: dict[str, Any], expected: bool) -> None:
    assert Pattern(pattern).matches(EVENT) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": "acs.vpc"},
        {"source": []},
        {"source": [["acs.vpc"]]},
        {"source": [{}]},
        {"source": [{"wildcard": "acs.*"}]},
        {"source": [{"prefix": 5}]},
        {"source": [{"exists": "yes"}]},
        {"source": [{"anything-but": []}]},
        {"source": [{"anything-but": {"suffix": "x"}}]},
        {"source": [{"numeric": [">"]}]},
        {"source": [{"numeric": ["~", 1]}]},
        {"source": [{"cidr": "10.0.0.0/99"}]},
        {"source": ["a", "b", "c", "d", "e", "f"]},
    ],
)
def test_what_is_not_documented_is_refused(pattern: dict[str, Any]) -> None:
    with pytest.raises(InvalidPattern):
        Pattern(pattern)


@pytest.mark.parametrize("text", ["", "[]", "{'source': 1}"])
def test_a_pattern_is_a_json_object(text: str) -> None:
    with pytest.raises(InvalidPattern):
        Pattern.parse(text)
