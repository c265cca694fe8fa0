"""What applying a configuration would change, as places with the value before and after."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossport.adapters.configuration import Configuration
    from crossport.adapters.store.sql_store import SqlStore
    from crossport.domain.circuit import Circuit

_CIRCUIT_STATE = frozenset({"held_mbps", "vlan_bitmap", "version"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One change. ``before`` None: it is new. ``after`` None: it is not in the file any more.

    Tenants, contracts and circuits that are not in the file any more stay in the store as they are: orders and
    holds depend on them.
    """

    place: str
    before: Any
    after: Any

    @property
    def line(self) -> str:
        """The change in one line."""
        if self.before is None:
            return f"+ {self.place}" if isinstance(self.after, dict) else f"+ {self.place}: {_short(self.after)}"
        if self.after is not None:
            return f"~ {self.place}: {_short(self.before)} -> {_short(self.after)}"
        stays = self.place.startswith(("circuits", "tenants", "contracts"))
        return f"- {self.place}{' (not in the file; stays in the store)' if stays else ''}"


def differences(configuration: Configuration, store: SqlStore) -> list[Difference]:
    """What applying ``configuration`` would change in the store, in the order of the file.

    Rows are compared with what the store holds, not with the document applied before: they can be changed by
    messages and by other commands.
    """
    applied = store.configuration()
    before = _settings(applied[1]) if applied else {}
    after = _settings(configuration.document())
    found = list(_compare("", before, after))
    for account in configuration.accounts:
        for circuit in account.circuits:
            here = store.circuit(circuit.circuit_id)
            wanted = _declared(circuit.circuit(account.account_id))
            found += _rows(f"circuits[{circuit.circuit_id}]", _declared(here) if here else None, wanted)
    for tenant in configuration.tenants:
        known = store.tenant(tenant.tenant_uid)
        found += _rows(f"tenants[{tenant.tenant_uid}]", asdict(known) if known else None, asdict(tenant.tenant()))
    for contract in configuration.contracts:
        signed = _contract(store, contract.account_id, contract.tenant_uid, contract.number)
        found += _rows(f"contracts[{contract.number}]", signed, _values(asdict(contract.contract())))
    if applied:
        now_named = set(_named(configuration.document()))
        found += [Difference(place, True, None) for place in _named(applied[1]) if place not in now_named]
    return found


def price_problems(configuration: Configuration, store: SqlStore, at: datetime) -> list[str]:
    """Why the price lists of ``configuration`` cannot follow those in force, with their places.

    Raises ConfigurationError when this release cannot read the configuration in force.
    """
    from crossport.adapters.configuration import ConfiguredPolicies
    from crossport.domain.prices import broken_promises

    applied = store.configuration()
    before = ConfiguredPolicies(applied[1]) if applied else None
    found: list[str] = []
    for number, account in enumerate(configuration.accounts):
        if before is None or account.account_id not in before.accounts():
            continue
        prices = account.partner_price_list.price_list() if account.partner_price_list else None
        broken = broken_promises(before.of(account.account_id).partner_price_list, prices, at)
        found += [f"accounts[{number}].partner_price_list: {problem}" for problem in broken]
    return found


def _contract(store: SqlStore, account_id: str, tenant_uid: str, number: str) -> dict[str, Any] | None:
    context = store.load_order(connection_id="", account_id=account_id, circuit_id="", tenant_uid=tenant_uid)
    return next((_values(asdict(known)) for known in context.contracts if known.number == number), None)


def _settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what becomes rows, and with accounts by id."""
    accounts = {
        str(account.get("account_id")): {key: value for key, value in account.items() if key != "circuits"}
        for account in document.get("accounts", ())
    }
    return {"partner": document.get("partner", {}), "accounts": accounts}


def _named(document: Mapping[str, Any]) -> Iterator[str]:
    """The places of all rows in a document."""
    for account in document.get("accounts", ()):
        for circuit in account.get("circuits", ()):
            yield f"circuits[{circuit['circuit_id']}]"
    for tenant in document.get("tenants", ()):
        yield f"tenants[{tenant['tenant_uid']}]"
    for contract in document.get("contracts", ()):
        yield f"contracts[{contract['number']}]"


def _compare(place: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*after, *before)):
            inner = f"{place}[{key}]" if place == "accounts" else f"{place}.{key}" if place else str(key)
            yield from _compare(inner, before.get(key), after.get(key))
    elif before != after:
        yield Difference(place, before, after)


def _rows(place: str, before: dict[str, Any] | None, after: dict[str, Any]) -> Iterator[Difference]:
    if before is None:
        yield Difference(place, None, after)
        return
    for name, value in after.items():
        if before.get(name) != value:
            yield Difference(f"{place}.{name}", _text(before.get(name)), _text(value))


def _text(value: Any) -> Any:
    return "none" if value is None else value


def _declared(circuit: Circuit) -> dict[str, Any]:
    return {name: value for name, value in asdict(circuit).items() if name not in _CIRCUIT_STATE}


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
