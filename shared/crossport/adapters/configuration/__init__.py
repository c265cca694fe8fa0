"""The versioned ``partner.yaml``: its shape, how it is read and checked, and the policies that follow from it.

Functions never see the YAML file: ``crossport apply`` keeps the document in the store as JSON values, and
``ConfiguredPolicies`` reads it back from there. So a function's package needs no YAML library, and names are looked
up when they are asked for: whoever wants the policies alone does not import pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossport.adapters.configuration.document import (
        AccountSettings,
        CircuitSettings,
        Configuration,
        ContactSettings,
        ContractSettings,
        PartnerSettings,
        PolicySettings,
        PriceListSettings,
        TenantSettings,
    )
    from crossport.adapters.configuration.policies import ConfiguredPolicies
    from crossport.adapters.configuration.reading import (
        ConfigurationError,
        load_configuration,
        read_configuration,
        read_part,
    )

__all__ = [
    "AccountSettings",
    "CircuitSettings",
    "Configuration",
    "ConfigurationError",
    "ConfiguredPolicies",
    "ContactSettings",
    "ContractSettings",
    "PartnerSettings",
    "PolicySettings",
    "PriceListSettings",
    "TenantSettings",
    "load_configuration",
    "read_configuration",
    "read_part",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name == "ConfiguredPolicies":
        module = "policies"
    else:
        module = "document" if name.endswith(("Settings", "Configuration")) else "reading"
    return getattr(import_module(f"{__name__}.{module}"), name)
