"""Whatever share of the events is dropped: after one pass of reconciliation everything is as the cloud says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from crossport.application import reconcile
from crossport.application.reconcile import Reconciler
from crossport.domain import glance
from crossport.domain.differences import Kind, differences
from crossport.domain.observation import PortObservation
from crossport.domain.vocabulary import Source
from tests.simulation.dropped_events import SHARES, lived, passed
from tests.simulation.dropped_lives import Lives

#: ``make prove`` drops the events of ten times as many.
CONNECTIONS = 1_000


def test_after_one_pass_everything_is_as_the_cloud_says_and_a_second_one_writes_nothing() -> None:
    with lived(1, CONNECTIONS) as lives:
        twin = passed(lives, 0)
        assert twin.told == len(lives.records) > CONNECTIONS
        for share in SHARES:
            one = passed(lives, share)
            assert (one.told == 0) == (share == 1)
            assert one.differences >= twin.differences
            assert one.net == twin.net, f"billed otherwise with {share:.0%} of the events dropped"


# --- Mistakes that must be noticed ------------------------------------------------------------------------------------

Apply = Callable[[pytest.MonkeyPatch], None]
_differences, _supposing, _saved, _difference = (
    differences,
    reconcile._VbrsOf.__init__,
    Reconciler._saved,
    glance.port_difference,
)


def _field_ignored(name: str) -> Apply:
    def without(*args: Any) -> PortObservation:
        seen, nothing = _difference(*args), dict.fromkeys([name])
        return replace(seen, **nothing)  # type: ignore[arg-type]

    return lambda patch: patch.setattr(glance, "port_difference", without)


def _supposition(name: str, nothing: Any) -> Apply:
    def without(self: Any, *rest: Any) -> None:
        _supposing(self, *rest)
        setattr(self, name, nothing)

    return lambda patch: patch.setattr(reconcile._VbrsOf, "__init__", without)


def _vbrs_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconcile._VbrsOf, "of", lambda self, port_id: None)


def _nothing_read(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        reconcile, "differences", lambda *args, **named: (replace(d, read=False) for d in _differences(*args, **named))
    )


def _unknown_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        reconcile,
        "differences",
        lambda *args, **named: (d for d in _differences(*args, **named) if d.kind is not Kind.UNKNOWN),
    )


def _last_of_a_batch_forgotten(patch: pytest.MonkeyPatch) -> None:
    def forgetful(self: Any, ours: dict[str, Any], run: Any) -> dict[str, str]:
        return dict.fromkeys(ours, "healed") | _saved(self, dict(list(ours.items())[:-1]), run)

    patch.setattr(Reconciler, "_saved", forgetful)


def _said_as_an_event(patch: pytest.MonkeyPatch) -> None:
    def told(*args: Any) -> PortObservation:
        return replace(_difference(*args), source=Source.EVENT)

    patch.setattr(glance, "port_difference", told)


def _everything_always_differs(patch: pytest.MonkeyPatch) -> None:
    of_listed = glance.of_listed
    patch.setattr(glance, "of_listed", lambda seen: of_listed(replace(seen, expect_spec=None)))


MISTAKES: dict[str, Apply] = {
    **{
        f"the field {name} is not compared": _field_ignored(name)
        for name in ("status", "business_status", "spec", "expect_spec", "vlan_id", "enabled_time", "end_time")
    },
    "VBRs are not compared": _vbrs_ignored,
    "what VBRs came to, or went from, is not read": _nothing_read,
    "unknown ports are left unknown": _unknown_ignored,
    "the last of a batch is forgotten": _last_of_a_batch_forgotten,
    "what was read passes for an event": _said_as_an_event,
    "something always differs": _everything_always_differs,
    "a VBR with a VLAN ID of its own is not looked for": _supposition("astray", []),
    "a VBR with another port's VLAN ID is not looked for": _supposition("supposed", {}),
}


@pytest.fixture(scope="module")
def few() -> Iterator[Lives]:
    """Enough lives that each kind of them occurs."""
    with lived(3, 250) as lives:
        yield lives


def test_without_a_mistake_the_few_pass(few: Lives) -> None:
    assert passed(few, 1).net == passed(few, 0).net


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_noticed(few: Lives, mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MISTAKES[mistake](monkeypatch)
    with pytest.raises(AssertionError):
        passed(few, 1)
