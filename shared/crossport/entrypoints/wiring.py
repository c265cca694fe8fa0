"""The one composition root: from settings to ports, one set for each warm instance, each made when first used.

Nothing here imports an SDK or a database driver by itself: event functions never load the VPC SDK, and MNS only for
the poke after a commit.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crossport.application.errors import NotConfiguredError
from crossport.application.ports import Clock, Cloud, Ids, Policies, Queue, Sender, Store, Tasks, WorkingDays
from crossport.domain.errors import CrossportError
from crossport.entrypoints.clock import OffsetClock, RandomIds, SystemClock
from crossport.entrypoints.settings import Settings

if TYPE_CHECKING:
    from crossport.application.quota import SharedQuota
    from crossport.application.send_notices import Render

#: The queue that wakes the relay.
OUTBOX_QUEUE = "outbox"
#: Seconds that the poke may wait for the queue service: the relay's timer does the same within a minute.
POKE_TIMEOUT = 2.0

#: How long a warm instance may go on with the policies that it has read: looking each time would be one round trip
#: more for every event.
POLICIES_FRESH = timedelta(seconds=5)

_log = logging.getLogger("crossport.wiring")


@dataclass(kw_only=True)
class App:
    """The ports of one process. A port that is given is used as it is; the others are made from the settings."""

    settings: Settings
    clock: Clock
    ids: Ids
    environ: Mapping[str, str] = field(repr=False)
    given_store: Store | None = None
    given_policies: Policies | None = None
    given_cloud: Cloud | None = None
    given_tasks: Tasks | None = None
    given_queue: Queue | None = None
    given_poke_queue: Queue | None = None
    given_render: Render | None = None
    given_senders: Sequence[Sender] | None = None
    given_working_days: WorkingDays | None = None
    _quota: SharedQuota | None = field(default=None, init=False, repr=False)
    _configured: tuple[int, Policies] | None = field(default=None, init=False, repr=False)
    _configured_at: datetime | None = field(default=None, init=False, repr=False)

    def store(self) -> Store:
        """The store that CROSSPORT_DB names. Raises what opening it raises, such as StoreUnavailableError."""
        if self.given_store is None:
            from crossport.adapters.store.open import open_store

            self.given_store = open_store(self.settings.database_url, now=self.clock.now)
        return self.given_store

    def policies(self) -> Policies:
        """The policies as applied by now, or at most ``POLICIES_FRESH`` ago; parsed again only when they have changed.

        Raises NotConfiguredError before the first ``crossport apply``.
        """
        if self.given_policies is not None:
            return self.given_policies
        now = self.clock.now()
        # A clock that was set back is no reason to keep them longer.
        age = POLICIES_FRESH if self._configured_at is None else now - self._configured_at
        if self._configured is not None and timedelta(0) <= age < POLICIES_FRESH:
            return self._configured[1]
        applied = self.store().configuration()
        if applied is None:
            raise NotConfiguredError("the store holds no configuration yet: run `crossport apply`")
        version, document = applied
        if self._configured is None or self._configured[0] != version:
            from crossport.adapters.configuration import ConfiguredPolicies

            self._configured = (version, ConfiguredPolicies(document))
        self._configured_at = now
        return self._configured[1]

    def cloud(self) -> Cloud:
        """The VPC API, with the credentials of the account that this process runs in.

        Its reads are within the quota that everybody shares; one that finds it used up fails and is repeated.
        """
        if self.given_cloud is None:
            from crossport.adapters.credentials import EnvironmentCredentials
            from crossport.adapters.vpc import VpcCloud
            from crossport.application.quota import SharedQuota

            self._quota = SharedQuota(self.store, self.clock)
            self.given_cloud = VpcCloud(
                credentials=EnvironmentCredentials(self.settings.account_id, self.environ),
                endpoint=self.settings.vpc_endpoint,
                clock=self.clock,
                calls=self._quota,
            )
        return self.given_cloud

    def patient_cloud(self, until: datetime) -> Cloud:
        """The same, whose reads wait for the quota until then."""
        cloud = self.cloud()
        if self._quota is not None:
            self._quota.until = until
        return cloud

    def tasks(self) -> Tasks:
        """The functions of the account and region that this process runs in."""
        if self.given_tasks is None:
            from crossport.adapters.credentials import from_environment
            from crossport.adapters.fc import FunctionCompute

            self.given_tasks = FunctionCompute(
                region=self.settings.region,
                endpoint=self.settings.fc_endpoint,
                credentials=lambda: from_environment(self.environ),
            )
        return self.given_tasks

    def queue(self) -> Queue:
        """The queues of the account that this process runs in."""
        if self.given_queue is None:
            self.given_queue = self._mns()
        return self.given_queue

    def render(self) -> Render:
        """What makes the text of a notice."""
        if self.given_render is None:
            from crossport.adapters.notify.render import render

            self.given_render = render
        return self.given_render

    def senders(self) -> Sequence[Sender]:
        """The channels that the settings give: mail with CROSSPORT_SMTP_URL."""
        if self.given_senders is None:
            self.given_senders = [self._mail()] if self.settings.smtp_url else []
        return self.given_senders

    def working_days(self) -> WorkingDays:
        """The working days of the world's countries."""
        if self.given_working_days is None:
            from crossport.adapters.working_days import HolidayCalendar

            self.given_working_days = HolidayCalendar()
        return self.given_working_days

    def poke(self) -> None:
        """Tell the relay that the outbox has grown; best effort, because the relay's timer looks anyway."""
        if not self.settings.mns_endpoint and self.given_poke_queue is None:
            return
        try:
            if self.given_poke_queue is None:
                self.given_poke_queue = self._mns(POKE_TIMEOUT)
            self.given_poke_queue.send(OUTBOX_QUEUE, json.dumps({"type": "outbox.poke", "version": 1}))
        except Exception as error:  # noqa: BLE001  # the commit stands; nothing about a poke may undo that
            reason = error.code if isinstance(error, CrossportError) else type(error).__name__
            _log.warning("poke_failed", extra={"reason": reason, "queue": OUTBOX_QUEUE})

    def close(self) -> None:
        """Give back connections; what is used afterwards opens them again."""
        for port in (self.given_store, self.given_queue, self.given_poke_queue):
            close = getattr(port, "close", None)
            if close is not None:
                close()

    def _mail(self) -> Sender:
        from crossport.adapters.notify.smtp import SmtpSender, smtp_url

        return SmtpSender(smtp_url(self.settings.smtp_url), mail_from=self.settings.mail_from, clock=self.clock)

    def _mns(self, timeout_seconds: float = 10.0) -> Queue:
        from crossport.adapters.credentials import from_environment
        from crossport.adapters.mns import MnsQueue

        return MnsQueue(
            endpoint=self.settings.mns_endpoint,
            credentials=lambda: from_environment(self.environ),
            timeout_seconds=timeout_seconds,
        )


def build(settings: Settings, environ: Mapping[str, str]) -> App:
    """The ports for these settings. ``environ`` is where credentials are read, anew for every call."""
    clock: Clock = SystemClock() if settings.clock_file is None else OffsetClock(settings.clock_file)
    return App(settings=settings, clock=clock, ids=RandomIds(), environ=environ)
