"""Rule 12: acts that are the tenant's alone."""

from __future__ import annotations

#: API operations by which a tenant accepts a port and turns on what the tenant is billed for (tenant guide, steps 1
#: and 2; API reference, ConfirmPhysicalConnection and OpenPhysicalConnectionService).
TENANTS_OWN = frozenset({"ConfirmPhysicalConnection", "OpenPhysicalConnectionService"})


def partner_may_call(operation: str) -> bool:
    """Whether the partner's system may call the API operation: never one by which the tenant accepts."""
    return operation not in TENANTS_OWN
