"""The versioned ``partner.yaml``: its shape, how it is read and checked, and the policies that follow from it.

Functions never see the YAML file: ``crossport apply`` keeps the document in the store as JSON values, and
``ConfiguredPolicies`` reads it back from there. So a function's package needs no YAML library.
"""

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
