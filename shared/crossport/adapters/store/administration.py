"""What people change: tenants, contracts, circuits and the configuration, each audited with actor and reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from crossport.adapters.store.engines import Engine
from crossport.adapters.store.rows import (
    circuit_columns,
    circuit_of,
    contract_columns,
    contract_of,
    json_text,
    stamp,
    tenant_columns,
    tenant_of,
)
from crossport.application.errors import IntegrityConflictError
from crossport.domain.circuit import Circuit
from crossport.domain.orders import Contract, Tenant

#: What holds have taken and the version are the store's own; a person's values never touch them.
_STORES_OWN = frozenset({"held_mbps", "vlan_bitmap", "version"})


class Administration:
    """The changes that an operator makes (ruling 22). Putting what is there already writes nothing.

    Every method returns whether it changed anything and raises StoreUnavailableError when the store is locked.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put_tenant(self, tenant: Tenant, *, actor: str, reason: str, at: datetime) -> bool:
        """Declare a tenant, or change what was declared."""
        columns = tenant_columns(tenant)
        with self._engine.writing():
            row = self._engine.row("get_tenant", columns)
            if row is not None and tenant_of(row) == tenant:
                return False
            self._engine.write("put_tenant", columns)
            self._audit("tenant", columns, actor=actor, reason=reason, at=at)
        return True

    def put_contract(self, contract: Contract, *, actor: str, reason: str, at: datetime) -> bool:
        """Enter a contract, or change it; it is known by its account and number."""
        columns = contract_columns(contract)
        with self._engine.writing():
            row = self._engine.row("get_contract", columns)
            if row is not None and contract_of(row) == contract:
                return False
            self._engine.write("put_contract", columns)
            self._audit("contract", columns, actor=actor, reason=reason, at=at, account_id=contract.account_id)
        return True

    def put_circuit(self, circuit: Circuit, *, actor: str, reason: str, at: datetime) -> bool:
        """Enter a circuit, or change its name, access point, operator, bandwidth or status.

        What is held on it stays; ``held_mbps``, ``vlan_bitmap`` and ``version`` of the argument are not read. Raises
        IntegrityConflictError for a circuit that is another account's or stands in another region.
        """
        declared = {name: value for name, value in circuit_columns(circuit).items() if name not in _STORES_OWN}
        with self._engine.writing():
            row = self._engine.row("get_circuit", declared)
            if row is not None and declared.items() <= circuit_columns(circuit_of(row)).items():
                return False
            if self._engine.write("put_circuit", declared) == 0:
                raise IntegrityConflictError(f"circuit {circuit.circuit_id} is known with another account or region")
            self._audit("circuit", declared, actor=actor, reason=reason, at=at, account_id=circuit.account_id)
        return True

    def put_configuration(self, document: Mapping[str, Any], *, actor: str, reason: str, at: datetime) -> int:
        """Put a configuration document in force; returns its version, counted from 1.

        The document that is in force already keeps its version.
        """
        with self._engine.writing():
            row = self._engine.row("get_configuration")
            version = 1 if row is None else row[0] + 1
            if row is not None and json.loads(row[1]) == json.loads(json_text(document)):
                return version - 1
            columns = {"version": version, "document": json_text(document), "actor": actor, "reason": reason}
            self._engine.write("insert_configuration", {**columns, "at": stamp(at)})
            self._audit("configuration", {"version": version}, actor=actor, reason=reason, at=at)
        return version

    def _audit(
        self, name: str, details: Mapping[str, Any], *, actor: str, reason: str, at: datetime, account_id: str = ""
    ) -> None:
        self._engine.write(
            "insert_audit",
            {
                "at": stamp(at),
                "kind": "administration",
                "function": "",
                "key": "",
                "digest": "",
                "verdict": "",
                "reason": reason,
                "pending": "",
                "account_id": account_id,
                "connection_id": None,
                "name": name,
                "actor": actor,
                "details": json_text(details),
            },
        )
