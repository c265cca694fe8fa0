"""What the official clients of the OpenAPI kind (VPC, Function Compute) have in common, and their quirks.

Facts about alibabacloud-tea-openapi 0.4 and darabonba-core 1.0 that this module deals with:

- clients are thread safe and keep connections per process; credentials are asked for on every call;
- ``HTTP_PROXY`` is honoured and ``NO_PROXY`` is not, so that calls to loopback would go to the proxy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

from crossport.adapters.credentials import Credentials


def is_loopback(endpoint: str) -> bool:
    """Whether ``host:port`` (or ``[v6]:port``) is this machine."""
    host = endpoint.rsplit(":", 1)[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def client_config(
    *,
    region: str,
    endpoint: str | None,
    credentials: Callable[[], Credentials],
    connect_timeout_ms: int,
    read_timeout_ms: int,
) -> Any:
    """A client's configuration. ``endpoint`` None or "" is the SDK's own for the region; a loopback one is spoken to in
    HTTP, past any proxy."""
    from alibabacloud_credentials.client import Client as SdkCredentials
    from alibabacloud_tea_openapi.utils_models import Config

    local = bool(endpoint) and is_loopback(str(endpoint))
    if local:
        _never_through_a_proxy(str(endpoint))
    return Config(
        credential=SdkCredentials(provider=_Provider(credentials)),
        region_id=region,
        endpoint=endpoint or None,
        protocol="http" if local else "https",
        connect_timeout=connect_timeout_ms,
        read_timeout=read_timeout_ms,
    )


def sdk_errors() -> type[Exception]:
    """The root of everything that a call raises."""
    from Tea.exceptions import TeaException

    root: type[Exception] = TeaException
    return root


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything below it: chained, wrapped by the SDK, or carried as a reason by the HTTP library."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        carried = (getattr(cause, name, None) for name in ("inner_exception", "reason"))
        below = (cause.__cause__, cause.__context__, *carried)
        waiting += [nested for nested in (*below, *cause.args) if isinstance(nested, BaseException)]


class _Provider:
    """What the SDK asks for credentials, on every call."""

    def __init__(self, credentials: Callable[[], Credentials]) -> None:
        self._credentials = credentials

    def get_credentials(self) -> Any:
        from alibabacloud_credentials.provider.refreshable import Credentials as SdkValues

        now = self._credentials()
        return SdkValues(
            access_key_id=now.access_key_id,
            access_key_secret=now.access_key_secret,
            security_token=now.security_token or None,
            provider_name=self.get_provider_name(),
        )

    def get_provider_name(self) -> str:
        # Sent as a header of every call; one of the SDK's own names.
        return "env"


def _never_through_a_proxy(endpoint: str) -> None:
    """Give the SDK's connections to a loopback endpoint an adapter that ignores proxies.

    The SDK takes proxies from the environment in every call and has no way to switch that off. Sessions are looked up
    by protocol, host, port and pool size; ours is put there before the first call. Tested with HTTP_PROXY set.
    """
    from darabonba.core import DEFAULT_POOL_MAXSIZE, DaraCore
    from darabonba.request import DaraRequest
    from requests import Session
    from requests.adapters import HTTPAdapter

    class Direct(HTTPAdapter):
        def send(self, *args: Any, **options: Any) -> Any:  # what the session passes on is not ours to name
            return super().send(*args, **{**options, "proxies": {}})

    key = f"http://{endpoint}:{DaraRequest().port}:pool={DEFAULT_POOL_MAXSIZE}"
    sessions = DaraCore._sessions  # noqa: SLF001 - there is no public seam
    if key not in sessions:
        session = Session()
        session.mount("http://", Direct(pool_maxsize=DEFAULT_POOL_MAXSIZE))
        sessions[key] = session
