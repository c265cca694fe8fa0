"""Asking for a call before it is made, so that all instances together stay within the cloud's quota."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from crossport.application.errors import CloudCallError
from crossport.application.ports import Clock, CloudFailure, Store
from crossport.domain.quota import QUOTA, CallQuota

#: ``cloud_code`` of a call that was not made because the quota was used up.
QUOTA_EXHAUSTED = "QuotaExhausted"
#: How long nobody calls an API after the cloud has said Throttling: somebody else shares the account's quota.
AFTER_THROTTLING = timedelta(seconds=5)
#: How long to wait before asking for a call again.
_LOOK = timedelta(milliseconds=500)


class SharedQuota:
    """``application.ports.Calls`` over the store. Whoever waits does so until ``until``; None: nobody waits."""

    def __init__(
        self,
        store: Callable[[], Store],
        clock: Clock,
        *,
        quota: CallQuota = QUOTA,
        sleep: Callable[[timedelta], None] = lambda pause: time.sleep(pause.total_seconds()),
    ) -> None:
        self._store = store
        self._clock = clock
        self._quota = quota
        self._sleep = sleep
        self.until: datetime | None = None

    def take(self, account_id: str, region: str, api: str) -> None:
        """Take one call, waiting for it if need be. Raises CloudCallError (RETRYABLE) when there is none in time."""
        while True:
            now = self._clock.now()
            if self._store().take_call(account_id=account_id, region=region, api=api, now=now, quota=self._quota):
                return
            if self.until is None or now + _LOOK >= self.until:
                raise CloudCallError(
                    f"{api}: the calls of this minute are used up",
                    failure=CloudFailure.RETRYABLE,
                    cloud_code=QUOTA_EXHAUSTED,
                    action=api,
                )
            self._sleep(_LOOK)

    def throttled(self, account_id: str, region: str, api: str) -> None:
        """The cloud has refused a call for too many of them: nobody calls for a while."""
        until = self._clock.now() + AFTER_THROTTLING
        self._store().hold_calls(account_id=account_id, region=region, api=api, until=until)
