"""What people do in a scenario, done with the official SDKs over HTTP and each actor's own credentials."""

from __future__ import annotations

import base64
import json
import os
import re
from typing import Any

from localcloud.accounts import AccessKey

#: Lists of the API's answers are of no use in a scenario; a call returns the answer's body as the wire names it.
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
#: Codes that stand for an endpoint which could not be reached.
UNREACHABLE = "unreachable"


class ActError(Exception):
    """An act was refused or did not arrive. ``code`` is the cloud's error code, or ``unreachable``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if code not in message else message)
        self.code = code


def call_vpc(key: AccessKey, endpoint: str, region: str, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Call one action of the VPC API with the official typed client; the answer's body. Raises ActError.

    Blocking: run it in a thread. ``RegionId`` is filled in unless given.
    """
    from alibabacloud_tea_openapi.utils_models import Config
    from alibabacloud_vpc20160428 import models
    from alibabacloud_vpc20160428.client import Client
    from Tea.exceptions import TeaException

    client = Client(
        Config(
            access_key_id=key.access_key_id,
            access_key_secret=key.access_key_secret,
            endpoint=endpoint,
            protocol="http",
            region_id=region,
        )
    )
    request = getattr(models, f"{action}Request")().from_map({"RegionId": region, **parameters})
    method = getattr(client, _CAPITAL.sub("_", action).lower())
    try:
        answer: dict[str, Any] = method(request).body.to_map()
    except TeaException as error:
        raise _failure(error, endpoint) from error
    return answer


def send_message(key: AccessKey, endpoint: str, queue: str, body: str) -> str:
    """Send one message with the official MNS SDK, base64-encoded as it does by default; the message id.

    Blocking: run it in a thread. Raises ActError.
    """
    from mns.account import Account
    from mns.mns_exception import MNSExceptionBase
    from mns.queue import Message

    account = Account(endpoint, key.access_key_id, key.access_key_secret)
    target = account.get_queue(queue)
    target.set_encoding(False)
    try:
        sent = target.send_message(Message(base64.b64encode(body.encode()).decode("ascii")))
    except MNSExceptionBase as error:
        code = UNREACHABLE if error.type == "NetWorkException" else str(error.type)
        raise ActError(code, str(error.message)) from error
    finally:
        account.mns_client.close_connection()
    return str(sent.message_id)


def body_of(body: Any, raw: str) -> str:
    """A message's text: JSON of ``body``, or ``raw`` as it is."""
    return raw or json.dumps(body, ensure_ascii=False, default=str)


def without_proxies() -> None:
    """Loopback calls must not go to a proxy, and the VPC SDK knows no exceptions from one."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)


def _failure(error: Any, endpoint: str) -> ActError:
    code = getattr(error, "code", None)
    if not code or getattr(error, "inner_exception", None) is not None:
        return ActError(UNREACHABLE, f"the VPC endpoint {endpoint} does not answer ({type(error).__name__})")
    return ActError(str(code), str(error.message))
