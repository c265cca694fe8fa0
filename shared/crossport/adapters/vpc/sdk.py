"""The official VPC client, made for one account and region. The only place that imports the SDK.

An answer that does not fit a model is swallowed by the SDK (see ``answers``); what it shares with other clients is in
``adapters.tea``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crossport.adapters.credentials import Credentials
from crossport.adapters.tea import client_config, is_loopback, sdk_errors

__all__ = ["call", "is_loopback", "make_client", "sdk_errors"]


def make_client(
    *,
    region: str,
    endpoint: str | None,
    credentials: Callable[[], Credentials],
    connect_timeout_ms: int,
    read_timeout_ms: int,
) -> Any:
    """A typed client. ``endpoint`` None or "" is the SDK's own for the region; a loopback one is spoken to in HTTP."""
    from alibabacloud_vpc20160428.client import Client

    config = client_config(
        region=region,
        endpoint=endpoint,
        credentials=credentials,
        connect_timeout_ms=connect_timeout_ms,
        read_timeout_ms=read_timeout_ms,
    )
    return Client(config)


def call(client: Any, operation: str, parameters: Mapping[str, Any]) -> Any:
    """Call an operation by its Python name; absent parameters (None) are not sent, 0 and False are.

    A parameter ``filter`` is a mapping of keys to lists of values.

    Raises the SDK's exceptions, all of them subclasses of ``Tea.exceptions.TeaException``.
    """
    from alibabacloud_vpc20160428 import models
    from darabonba.runtime import RuntimeOptions

    name = "".join(word.capitalize() for word in operation.split("_"))
    given = dict(parameters)
    if "filter" in given:
        make = getattr(models, f"{name}RequestFilter")
        given["filter"] = [make(key=key, value=list(values)) for key, values in given["filter"].items()]
    request = getattr(models, f"{name}Request")(**given)
    return getattr(client, f"{operation}_with_options")(request, RuntimeOptions())
