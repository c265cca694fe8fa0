"""Who lives in the local cloud: accounts and circuits, read from Crossport's ``partner.yaml``.

Only the few fields that the cloud itself must know are read here; whether the file is a good configuration is for
``crossport apply`` to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from localcloud.accounts import Account

#: Used when the configuration names fewer than two tenants.
_SPARE_TENANTS = ("1290000000000011", "1290000000000022")
#: Name of the partner's custom bus that tenants may forward their events to.
TENANT_BUS = "crossport-tenants"


class WorldError(ValueError):
    """The configuration does not describe a partner with accounts and circuits."""


@dataclass(frozen=True, kw_only=True)
class CircuitPlan:
    """A circuit that exists when the cloud starts. Bandwidth in Mbit/s."""

    circuit_id: str
    account_id: str
    region: str
    bandwidth_mbps: int
    access_point: str = ""
    line_operator: str = "Other"
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class World:
    """The accounts and circuits of a local cloud. The first partner account is where the functions run."""

    partners: tuple[Account, ...]
    tenants: tuple[Account, ...]
    circuits: tuple[CircuitPlan, ...]
    #: The region where functions, queues and the custom bus are.
    region: str
    large_specs: frozenset[str] = field(default=frozenset())

    @property
    def partner(self) -> Account:
        """The account that Crossport runs in."""
        return self.partners[0]


def read_world(file: Path) -> World:
    """The world that a ``partner.yaml`` describes. Raises WorldError with what is missing."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WorldError(f"{file.name}: {error}") from error
    accounts = _entries(document, "accounts", file)
    circuits = tuple(_circuit(c, str(a["account_id"])) for a in accounts for c in a.get("circuits") or ())
    if not accounts or not circuits:
        raise WorldError(f"{file.name}: no account with a circuit")
    sites = {str(a["account_id"]): str(a.get("site") or "international") for a in accounts}
    partners = tuple(
        Account(account_id=account_id, name=_name("partner", number), site=site)
        for number, (account_id, site) in enumerate(sites.items())
    )
    return World(
        partners=partners,
        tenants=_tenants(document, partners[0].site),
        circuits=circuits,
        region=circuits[0].region,
        large_specs=frozenset(
            str(a["account_id"]) for a in accounts if (a.get("policy") or {}).get("approved_above_1g") is True
        ),
    )


def _tenants(document: Any, site: str) -> tuple[Account, ...]:
    declared = [(str(t["tenant_uid"]), str(t.get("site") or site)) for t in document.get("tenants") or ()]
    known = {uid for uid, _ in declared}
    declared += [(uid, site) for uid in _SPARE_TENANTS if uid not in known][: max(0, 2 - len(declared))]
    return tuple(
        Account(account_id=uid, name=f"tenant{number}", site=tenant_site)
        for number, (uid, tenant_site) in enumerate(declared, start=1)
    )


def _circuit(entry: Any, account_id: str) -> CircuitPlan:
    return CircuitPlan(
        circuit_id=str(entry["circuit_id"]),
        account_id=account_id,
        region=str(entry["region"]),
        bandwidth_mbps=int(entry["bandwidth_mbps"]),
        access_point=str(entry.get("access_point") or "ap-local"),
        line_operator=str(entry.get("line_operator") or "Other"),
        name=str(entry.get("name") or ""),
    )


def _entries(document: Any, name: str, file: Path) -> list[dict[str, Any]]:
    entries = document.get(name) if isinstance(document, dict) else None
    if not isinstance(entries, list) or not all(isinstance(e, dict) and "account_id" in e for e in entries):
        raise WorldError(f"{file.name}: {name} must be a list of entries with an account_id")
    return entries


def _name(kind: str, number: int) -> str:
    return kind if number == 0 else f"{kind}{number + 1}"
