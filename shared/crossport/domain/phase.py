"""Phase: where a connection stands. A table of conditions over current facts; the first match wins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile

from crossport.domain.connection import Connection
from crossport.domain.facts import PortFacts, VbrFacts, port_gone
from crossport.domain.history import Entry, History
from crossport.domain.vocabulary import OrderMode, Party, Phase, Source

#: The port's ``Status`` while and after it is terminated.
TERMINATED = frozenset({"Terminating", "Terminated"})
_BROKEN_OFF = frozenset({"Rejected", "Allocation Failed", "AllocationFailed"})
#: The VBR's ``Status`` while no traffic can flow.
VBR_DOWN = frozenset({"terminating", "terminated", "recovering"})
#: Words that only the partner's side can have said: our own calls, and events of the partner's own account. What a
#: tenant forwards moves nothing (``trust``), so a termination by the tenant is known from reads alone.
_OURS = frozenset({Source.EVENT, Source.OWN_ANSWER})
#: The VBR ``Status`` in which traffic can flow.
VBR_UP = "active"
#: The VBR ``Status`` after its termination.
VBR_OFF = "terminated"


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspension:
    """Why a connection is suspended (ruling 14), who is waited for, what it costs, and the way back."""

    reason: str
    waiting_for: Party
    #: Whether the port's fee runs meanwhile: ``yes``, ``no`` or ``unknown`` where no documentation says.
    fee: str
    #: How it comes back.
    way_back: str


@dataclass(frozen=True, slots=True)
class _View:
    """The questions that the table asks, over one connection."""

    connection: Connection
    window: timedelta

    def status(self) -> str | None:
        return self.connection.port.status.current if self.connection.port else None

    def enabled(self) -> bool:
        return self.status() == "Enabled"

    def gave_up(self) -> bool:
        return self.connection.failure is not None and self.connection.port is None

    def confirmed(self) -> bool:
        return self.connection.port is not None and self.connection.port.confirmed

    def deleted(self) -> bool:
        port = self.connection.port
        return port is not None and (port_gone(port, self.window))

    def ever_accepted(self) -> bool:
        """Whether the port was ever the tenant's: seen Confirmed, or carrying a VBR, which only acceptance allows.

        The VBR of a migration is known before; it counts once it was seen on the port.
        """
        port = self.connection.port
        return port is not None and (port.confirmed or any(_was_on(vbr, port) for vbr in self.connection.vbrs))

    def vbr_lives(self) -> bool:
        vbr = self.connection.accepted_vbr(self.window)
        if vbr is None:
            return self._attested()
        # A create event does not mention the status; an unknown one matches no rule.
        return vbr.status.current in (None, VBR_UP)

    def _attested(self) -> bool:
        """Whether the tenant's word stands for a VBR (ruling 8): where one was ever seen on the port, sight counts."""
        connection = self.connection
        seen = any(_was_on(vbr, connection.port) for vbr in connection.vbrs if connection.port is not None)
        return connection.attested_at is not None and not seen and not connection.live_vbrs(self.window)


def _was_on(vbr: VbrFacts, port: PortFacts) -> bool:
    return port.port_id in vbr.port_id.values()


def suspension(connection: Connection, window: timedelta) -> Suspension | None:
    """The suspension in force by the current facts, or None. Locks come before terminations."""
    port = connection.port
    if port is None:
        return None
    business = port.business_status.current
    if business == "FinancialLocked":
        return _billing(connection, port)
    if business == "SecurityLocked":
        return Suspension(
            reason="locked_security",
            waiting_for=Party.TENANT,
            fee="unknown",
            way_back="clear the security lock with Alibaba Cloud",
        )
    if port.status.current in TERMINATED:
        return _disabled(any(entry.source in _OURS for entry in _last_run(port.status)), "recover the port")
    vbr = connection.accepted_vbr(window)
    if vbr is not None and vbr.status.current in VBR_DOWN and port.confirmed and port.status.current == "Enabled":
        # Only the circuit's owner can terminate or recover a VBR (API reference, TerminateVirtualBorderRouter).
        return _disabled(True, "recover the VBR")
    return None


def _billing(connection: Connection, port: PortFacts) -> Suspension:
    """A lock for billing. One that was seen at or after the port's EndTime is the end of its subscription.

    Its term over, a prepaid port costs nothing more, though a renewal is charged from the old end ("Expiration and
    overdue payments"). Whether the fee runs on under another lock is not documented.
    """
    payer = Party.PARTNER if connection.order_mode == OrderMode.PARTNER_PAYS else Party.TENANT
    end, locked = port.end_time.current, port.business_status.latest
    if end is not None and locked is not None and locked.at >= end:
        return Suspension(
            reason="expired", waiting_for=payer, fee="no", way_back="renew the port within 15 days of its end"
        )
    return Suspension(
        reason="locked_financial", waiting_for=payer, fee="unknown", way_back="settle the overdue payment"
    )


def lost_in_arrears(connection: Connection, window: timedelta) -> bool:
    """Ruling 13: whether an accepted port vanished while Alibaba Cloud had it locked for billing."""
    port = connection.port
    if port is None or not port.confirmed or port.business_status.current != "FinancialLocked":
        return False
    return port_gone(port, window)


def _last_run(history: History[str]) -> Iterator[Entry[str]]:
    """The latest entries that say Terminating or Terminated, back to the last that said otherwise."""
    return takewhile(lambda entry: entry.value in TERMINATED, reversed(history.entries))


def _disabled(by_partner: bool, way_back: str) -> Suspension:
    """A terminated port is billed until it is deleted or its term ends (API reference, TerminatePhysicalConnection)."""
    if by_partner:
        return Suspension(reason="disabled_by_partner", waiting_for=Party.PARTNER, fee="yes", way_back=way_back)
    return Suspension(reason="disabled_by_tenant", waiting_for=Party.TENANT, fee="yes", way_back=way_back)


def _offer_ended(view: _View) -> bool:
    """Whether the port ended while it was an offer still. An accepted port is released, whoever meant to take it back
    (ruling 4: accepted meanwhile is never ``withdrawn``)."""
    return not view.ever_accepted() and (view.deleted() or view.status() == "Canceled")


def _offer_taken_back(view: _View) -> bool:
    """Whether nothing is left to take back: the offer ended, or there never was a port."""
    return view.connection.port is None or _offer_ended(view)


def in_service(view: _View) -> bool:
    """Rule 13: Confirmed, Enabled, and a conforming VBR lives (or is attested, ruling 8).

    A lock of ``BusinessStatus`` has matched ``suspended`` before this is asked.
    """
    return view.confirmed() and view.enabled() and view.vbr_lives()


#: First match wins. Each condition reads merged facts and our own recorded acts, nothing else.
PHASES: tuple[tuple[Phase, Callable[[_View], bool]], ...] = (
    # A port that is there all the same counts for more than why there was to be none.
    (Phase.REJECTED, lambda v: bool(v.connection.refusals) and v.connection.port is None),
    (Phase.FAILED, lambda v: v.gave_up() or v.status() in _BROKEN_OFF),
    (Phase.WITHDRAWN, lambda v: v.connection.withdrawn_at is not None and _offer_taken_back(v)),
    (Phase.DECLINED, _offer_ended),
    (Phase.RELEASED, lambda v: v.deleted()),
    (Phase.RELEASING, lambda v: v.connection.cease_recorded_at is not None or v.status() == "Canceled"),
    (Phase.SUSPENDED, lambda v: suspension(v.connection, v.window) is not None),
    (Phase.ACTIVE, in_service),
    (Phase.ENABLED, lambda v: v.confirmed() and v.enabled()),
    (Phase.ACCEPTED, lambda v: v.confirmed()),
    (Phase.OFFERED, lambda v: v.connection.port is not None),
    (Phase.PROVISIONING, lambda v: v.connection.intended_at is not None),
    (Phase.ORDERED, lambda _: True),
)


def phase_of(connection: Connection, window: timedelta) -> Phase:
    """The connection's phase. ``window`` is the consistency window, which decides when absence means deletion."""
    view = _View(connection, window)
    return next(phase for phase, holds in PHASES if holds(view))
