"""What the texts of calendar notices speak of: the dates in their details, and who is waited for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from crossport.adapters.notify.formats import Times
from crossport.application.send_notices import NoticeContext

#: Details that are times, and the names under which the texts know them.
_TIMES = {"ends": "ends", "due": "due", "since": "since", "deadline": "mend_by", "waiting_since": "waiting_since"}


def calendar_facts(context: NoticeContext, times: Times, words: Mapping[str, Any]) -> dict[str, Any]:
    """The values of calendar notices; "" for each that the notice does not have. Times are the recipient's."""
    details, connection = context.request.details, context.connection
    said = {detail: _time(details.get(detail)) for detail in _TIMES}
    end, due = _time(details.get("end_time")), said["due"]
    what, waiter = str(details.get("what", "")), str(details.get("waiting_for", ""))
    return {
        **{name: "" if (at := said[detail]) is None else times.time(at) for detail, name in _TIMES.items()},
        "is_over": _passed(said["ends"], context.at) or _passed(end, context.at),
        "is_late": _passed(due, context.at),
        "is_overdue": _passed(said["deadline"], context.at),
        "waits_for": words["waits"].get(what, what),
        "waiter": words["waiters"].get(waiter, waiter),
        "taking_back": bool(details.get("withdrawn")),
        "group": connection.group_id,
        "members": [str(each) for each in details.get("missing") or ()],
        "not_accepted_in_time": connection.offer_expired,
    }


def _time(text: Any) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None


def _passed(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now
