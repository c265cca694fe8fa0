"""A glance: what a list says of a port and of its VBRs, as one text that can be compared and read back.

Reconciliation compares a million of them, so a port that is as we know it costs one comparison of two texts. Both
sides spell it alike: ``of_port`` what we know, ``of_listed`` what a list shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from crossport.domain.facts import PortFacts, VbrFacts, vbr_gone
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.vocabulary import Presence, Source

#: What a list says of a port, in this order (API reference, ListVirtualPhysicalConnections).
PORT_FIELDS = (
    "acceptance", "status", "business_status", "spec", "expect_spec", "vlan_id", "tenant_uid", "order_mode",
    "circuit_id", "enabled_time", "end_time", "presence",
)  # fmt: skip
#: What a list says of a VBR, after its id.
VBR_FIELDS = ("owner_uid", "vlan_id", "status", "presence")
_histories = attrgetter(*PORT_FIELDS[1:])
#: Between fields, and between VBRs: characters that no value of the cloud has.
_FIELD, _ITEM = "\x1f", "\x1e"
#: A field of which nothing is known or said.
_UNSAID = "\x1d"
_shown = attrgetter(*PORT_FIELDS)
_TIMES = frozenset({"enabled_time", "end_time"})


def of_port(port: PortFacts) -> str:
    """What we know of a port now."""
    texts = [_text(history.entries[-1].value) if history.entries else _UNSAID for history in _histories(port)]
    return _FIELD.join([_acceptance(port), *texts])


def of_listed(seen: PortObservation) -> str:
    """What a list shows of a port."""
    # Most values are texts already; a million ports have twelve of them each.
    return _FIELD.join([value if isinstance(value, str) else _text(value) for value in _shown(seen)])


def of_vbrs(vbrs: Iterable[VbrFacts], port_id: str, window: timedelta) -> str:
    """What we know of the VBRs that a list of this port should show, ordered by id."""
    shown = (v for v in vbrs if v.port_id.current == port_id and not v.deleted and not vbr_gone(v.presence, window))
    return _ITEM.join(
        _FIELD.join((vbr.vbr_id, *(_text(getattr(vbr, name).current) for name in VBR_FIELDS)))
        for vbr in sorted(shown, key=lambda vbr: vbr.vbr_id)
    )


def of_listed_vbrs(seen: Iterable[VbrObservation]) -> str:
    """What a list shows of a port's VBRs, ordered by id."""
    return _ITEM.join(
        _FIELD.join((vbr.vbr_id, *(_text(getattr(vbr, name)) for name in VBR_FIELDS)))
        for vbr in sorted(seen, key=lambda vbr: vbr.vbr_id)
    )


def vbr_ids(vbrs: str) -> tuple[str, ...]:
    """The ids of the VBRs of a glance, ascending."""
    return tuple(_by_id(vbrs))


def port_difference(port_id: str, known: str, listed: str, at: datetime) -> PortObservation:
    """What the list says of the port that we do not know, and nothing that we do: histories must not grow by repeats.

    ``known`` is "" for a port that nothing is known of.
    """
    return PortObservation(at=at, source=Source.READ, port_id=port_id, **_news(PORT_FIELDS, known, listed))


def vbr_differences(known: str, listed: str, at: datetime) -> tuple[VbrObservation, ...]:
    """The same for VBRs that both sides have. The list of a circuit's VBRs does not say on which port each hangs."""
    before, now = _by_id(known), _by_id(listed)
    return tuple(
        VbrObservation(at=at, source=Source.READ, vbr_id=vbr_id, **_news(VBR_FIELDS, before[vbr_id], text))
        for vbr_id, text in now.items()
        if vbr_id in before and before[vbr_id] != text
    )


def changed_fields(known: str, listed: str) -> tuple[str, ...]:
    """The names of the fields of a port in which two glances differ."""
    return tuple(_news(PORT_FIELDS, known, listed))


def _news(names: tuple[str, ...], known: str, listed: str) -> dict[str, Any]:
    before = dict(zip(names, known.split(_FIELD), strict=True)) if known else {}
    return {name: _value(name, text) for name, text in _said(names, listed).items() if before.get(name) != text}


def _said(names: tuple[str, ...], listed: str) -> Mapping[str, str]:
    return {name: text for name, text in zip(names, listed.split(_FIELD), strict=True) if text != _UNSAID}


def _by_id(text: str) -> dict[str, str]:
    items = text.split(_ITEM) if text else []
    return {vbr_id: rest for vbr_id, _, rest in (item.partition(_FIELD) for item in items)}


def _acceptance(port: PortFacts) -> str:
    # A port that was never said to be anything is not known to be unconfirmed.
    return _UNSAID if not port.presence.entries and not port.confirmed and not port.deleted else str(port.acceptance)


def _text(value: object) -> str:
    if type(value) is str:
        return value
    if value is None:
        return _UNSAID
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _value(name: str, text: str) -> Any:
    if name in _TIMES:
        return datetime.fromisoformat(text)
    if name == "vlan_id":
        return int(text)
    return Presence(text) if name == "presence" else text
