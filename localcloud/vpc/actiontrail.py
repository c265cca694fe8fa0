"""The ActionTrail record of a call, as the CloudEvent that lands on the caller's default bus.

No record of an Express Connect call was available: the envelope is that of other services' published events, the data
that of a published ActionTrail record, the source ``acs.vpc`` an analogy [INF].
"""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

from localcloud.vpc.call import Answer, Call, stamp
from localcloud.vpc.errors import VpcError
from localcloud.vpc.ids import Ids
from localcloud.vpc.names import VERSION

_BEIJING = timezone(timedelta(hours=8))
_RESOURCE_PARAMETERS = ("InstanceId", "VpconnId", "VbrId", "VirtualBorderRouterId", "PhysicalConnectionId")


def record(
    ids: Ids,
    call: Call,
    *,
    request_id: str,
    source_ip: str,
    user_agent: str,
    answer: Answer | None = None,
    error: VpcError | None = None,
) -> dict[str, Any]:
    """The event of a write call that was answered, or refused with ``error``.

    A call whose user agent names a console counts as a ``ConsoleOperation``. The record holds the parameters and never
    a header, so no credential can be in it.
    """
    event_type = "ConsoleOperation" if "console" in user_agent.lower() else "ApiCall"
    data: dict[str, Any] = {
        "eventId": request_id,
        "eventName": call.action,
        "eventRW": "Write",
        "eventType": event_type,
        "eventVersion": 1,
        "eventTime": stamp(call.now),
        "eventSource": f"vpc.{call.region}.aliyuncs.com",
        "serviceName": "Vpc",
        "acsRegion": call.region,
        "apiVersion": VERSION,
        "recipientAccountId": call.account_id,
        "requestId": request_id,
        "requestParameters": call.parameters.as_sent(),
        "userIdentity": {
            "type": "root-account",
            "accountId": call.account_id,
            "principalId": call.account_id,
            "userName": "root",
        },
        "sourceIpAddress": source_ip,
        "userAgent": user_agent,
    }
    if error is None:
        data["responseElements"] = {"RequestId": request_id, **(answer or {})}
    else:
        data["errorCode"] = error.code
        data["errorMessage"] = error.message
    return {
        "id": ids.request(),
        "source": "acs.vpc",
        "specversion": "1.0",
        "type": f"vpc:ActionTrail:{event_type}",
        "subject": f"acs.vpc:{call.region}:{call.account_id}:{_resource(call, answer or {})}",
        # The envelope's time is in the zone of Beijing, its publishing time in UTC, as in published events.
        "time": call.now.astimezone(_BEIJING).isoformat(timespec="seconds"),
        "datacontenttype": "application/json;charset=utf-8",
        "aliyunaccountid": call.account_id,
        "aliyunpublishtime": stamp(call.now),
        "aliyuneventbusname": "default",
        "aliyunregionid": call.region,
        "data": data,
    }


def _resource(call: Call, answer: Answer) -> str:
    """The id of the resource that a call made or was about."""
    for key in ("VirtualPhysicalConnection", "VbrId"):
        if key in answer:
            return str(answer[key])
    return next((call.parameters.text(p) for p in _RESOURCE_PARAMETERS if call.parameters.text(p)), call.region)
