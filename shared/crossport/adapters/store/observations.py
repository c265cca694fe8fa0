"""An observation as JSON text, and back: how observations wait under ``unrouted``."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from typing import Any

from crossport.domain.observation import Observation, PortObservation, VbrObservation
from crossport.domain.vocabulary import Presence, Source

_TYPES: dict[str, type[PortObservation] | type[VbrObservation]] = {"port": PortObservation, "vbr": VbrObservation}


def dump(observation: Observation) -> str:
    """The observation as JSON text; what it does not mention is left out."""
    kind = "port" if isinstance(observation, PortObservation) else "vbr"
    mentioned = {field.name: getattr(observation, field.name) for field in fields(observation)}
    values = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in mentioned.items()
        if value is not None
    }
    return json.dumps({"of": kind, **values}, ensure_ascii=False, separators=(",", ":"))


def load(text: str) -> Observation:
    """The observation that ``dump`` wrote."""
    values: dict[str, Any] = json.loads(text)
    kind = _TYPES[values.pop("of")]
    for name in ("at", "enabled_time", "end_time"):
        if name in values:
            values[name] = datetime.fromisoformat(values[name])
    values["source"] = Source(values["source"])
    if "presence" in values:
        values["presence"] = Presence(values["presence"])
    return kind(**values)
