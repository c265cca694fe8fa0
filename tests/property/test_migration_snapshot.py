"""The before and after of a migration: it ignores what a migration itself changes, and nothing else."""

from __future__ import annotations

import inspect
import json
from typing import Any

from alibabacloud_vpc20160428 import models
from hypothesis import given
from hypothesis import strategies as st

from crossport.adapters.vpc.vbr_answers import CHANGED_BY_A_MIGRATION, configuration

_VBR = models.DescribeVirtualBorderRoutersResponseBodyVirtualBorderRouterSetVirtualBorderRouterType
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(max_size=8),
    "int": st.integers(0, 4_000),
    "bool": st.booleans(),
}


def _kind(parameter: inspect.Parameter) -> str:
    kind = parameter.annotation
    return kind if isinstance(kind, str) else kind.__name__


#: Every plain field that the SDK knows of a VBR, with the strategy of its values.
_FIELDS = {
    name: _VALUES[_kind(parameter)]
    for name, parameter in inspect.signature(_VBR.__init__).parameters.items()
    if _kind(parameter) in _VALUES
}
_NAMES = {name: next(iter(_VBR(**{name: 1}).to_map())) for name in _FIELDS}

described = st.fixed_dictionaries(_FIELDS)


def snapshot(fields: dict[str, Any]) -> str:
    return configuration(_VBR(**fields).to_map())


def test_every_ignored_name_is_a_name_of_the_api() -> None:
    lists = {"AssociatedPhysicalConnections"}
    assert set(_NAMES.values()) >= CHANGED_BY_A_MIGRATION - lists
    assert len(_NAMES) > 30


@given(described, st.sampled_from(sorted(_FIELDS)), st.data())
def test_one_changed_field_is_seen_unless_a_migration_changes_it(
    fields: dict[str, Any], name: str, data: st.DataObject
) -> None:
    changed = {**fields, name: data.draw(_FIELDS[name].filter(lambda value: value != fields[name]))}
    ignored = _NAMES[name] in CHANGED_BY_A_MIGRATION
    assert (snapshot(changed) == snapshot(fields)) is ignored


@given(described, st.permutations([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}]))
def test_the_order_of_names_and_of_list_elements_means_nothing(
    fields: dict[str, Any], tags: list[dict[str, str]]
) -> None:
    described_once = {**_VBR(**fields).to_map(), "Tags": {"Tags": sorted(tags, key=str)}}
    described_again = {"Tags": {"Tags": tags}, **dict(reversed(_VBR(**fields).to_map().items()))}
    assert configuration(described_once) == configuration(described_again)
    assert json.loads(configuration(described_once))["Tags"]
