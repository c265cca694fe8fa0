"""Notices: from what arrives on the queue ``notices`` to a message at each party, with receipts.

Delivery is at least once: a crash between the hand-over and its receipt sends the message again, under the same
key, which the channels carry as Message-ID or idempotency key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

from crossport.application.endings import Ending
from crossport.application.errors import SendFailedError, SendRefusedError, StoreUnavailableError
from crossport.application.ports import Clock, InputRow, Message, Policies, Sender, Store
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection
from crossport.domain.effects import Notice, moot
from crossport.domain.errors import CrossportError
from crossport.domain.orders import Tenant
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Origin, Party, Verdict

#: The function's name in the audit trail.
FUNCTION = "notices"


class UnknownNoticeError(CrossportError):
    """No text exists for this kind of notice and this party."""

    code: ClassVar[str] = "unknown_notice"


class NoticeNotRenderedError(CrossportError):
    """A notice's text could not be made, through a fault of ours: it waits for a mended text (dead letter, replay)."""

    code: ClassVar[str] = "notice_not_rendered"
    retryable: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeRequest:
    """One message of the queue ``notices``: what is to be told to whom. ``details`` are JSON values.

    ``connection_id`` "" is a notice about the partner account ``account_id`` as a whole, to the partner.
    """

    key: str
    kind: str
    connection_id: str
    party: Party
    account_id: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of the request: the same key with another digest is not the same notice."""
        content = {
            "key": self.key,
            "kind": self.kind,
            "connection_id": self.connection_id,
            "party": str(self.party),
            "details": dict(self.details),
            **({"account_id": self.account_id} if self.account_id else {}),
        }
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeContext:
    """Everything that a text may speak of: the connection as it stands now, and the people concerned."""

    request: NoticeRequest
    connection: Connection
    policy: Policy
    #: None when the circuit's row is not there.
    circuit: Circuit | None
    #: None for a tenant that is not on record.
    tenant: Tenant | None
    #: The partner's side, as ``Policies.partner_contact`` gives it.
    partner: Tenant
    #: Who reads it: the tenant or the partner.
    recipient: Tenant
    #: When it is written; prices are those in force then.
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountNoticeContext:
    """Everything that a text about a partner account as a whole may speak of."""

    request: NoticeRequest
    policy: Policy
    #: The partner's side, who reads it.
    recipient: Tenant
    at: datetime


AnyNoticeContext = NoticeContext | AccountNoticeContext


class Render(Protocol):
    """Makes the text of a notice in the recipient's language."""

    def __call__(self, context: AnyNoticeContext) -> Message:
        """The message. Raises UnknownNoticeError (for good) or NoticeNotRenderedError (our fault, later again)."""
        ...


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How one request ends, before it is written down."""

    verdict: Verdict
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def send_notices(
    requests: Sequence[NoticeRequest],
    *,
    store: Store,
    policies: Policies,
    render: Render,
    senders: Sequence[Sender],
    clock: Clock,
) -> list[Ending]:
    """Render and hand over each notice on every channel its recipient has; one ending for each, in order.

    ``applied``: handed over. ``ignored``: moot by now, with the reason. ``duplicate``: told before. ``rejected``:
    cannot be told (``no_address``, ``no_channel``, a refused address, an unknown notice); it claims no key, so that it
    can be replayed once the cause is mended. ``retry``: a channel, the text or the store failed for now.
    """
    office = _Office(store, policies, render, senders, clock)
    return [office.end(request) for request in requests]


@dataclass(frozen=True, slots=True)
class _Office:
    """The use case over its ports."""

    store: Store
    policies: Policies
    render: Render
    senders: Sequence[Sender]
    clock: Clock

    def end(self, request: NoticeRequest) -> Ending:
        """Bring one request to its end and write that down. Without a store nothing can be written: retry."""
        try:
            return self._end(request)
        except StoreUnavailableError as error:
            return _ending(request, Verdict.RETRY, error.code, request.connection_id)

    def _end(self, request: NoticeRequest) -> Ending:
        if request.connection_id == "":
            return self._end_of_account(request)
        stored = self.store.get(request.connection_id)
        if stored is None:
            outcome = _Outcome(Verdict.REJECTED, "unknown_connection")
            return self._written(request, outcome, None)
        connection = stored.connection
        known = self._known(request, connection.account_id)
        if known == request.digest:
            return _ending(request, Verdict.DUPLICATE, "", connection.connection_id)
        if known is not None:
            outcome = _Outcome(Verdict.REJECTED, "payload_mismatch")
        else:
            outcome = self._told(request, connection)
        return self._written(request, outcome, connection)

    def _end_of_account(self, request: NoticeRequest) -> Ending:
        """A notice about a partner account: only the partner is told, and nothing makes it moot."""
        known = self._known(request, request.account_id)
        if known == request.digest:
            return _ending(request, Verdict.DUPLICATE, "", None)
        if known is not None:
            return self._written(request, _Outcome(Verdict.REJECTED, "payload_mismatch"), None)
        try:
            policy = self.policies.of(request.account_id)
            partner = self.policies.partner_contact(request.account_id)
        except KeyError:
            return self._written(request, _Outcome(Verdict.REJECTED, "unknown_account"), None)
        if request.party is not Party.PARTNER:
            return self._written(request, _Outcome(Verdict.REJECTED, "unknown_notice"), None)
        refused = self._unreachable(partner)
        if refused is not None:
            return self._written(request, refused, None)
        context = AccountNoticeContext(request=request, policy=policy, recipient=partner, at=self.clock.now())
        return self._written(request, self._handed_over(context), None)

    def _known(self, request: NoticeRequest, account_id: str) -> str | None:
        """The digest under which this notice was told before."""
        key = _inbox_key(request, account_id)
        return self.store.load(keys=[key]).inbox.get(key)

    def _unreachable(self, recipient: Tenant | None) -> _Outcome | None:
        """Why nobody can be told, or None."""
        if not self.senders:
            return _Outcome(Verdict.REJECTED, "no_channel")
        if recipient is None or not any(address_of(recipient, sender.channel) for sender in self.senders):
            return _Outcome(Verdict.REJECTED, "no_address")
        return None

    def _told(self, request: NoticeRequest, connection: Connection) -> _Outcome:
        try:
            policy = self.policies.of(connection.account_id)
            partner = self.policies.partner_contact(connection.account_id)
        except KeyError:
            return _Outcome(Verdict.REJECTED, "unknown_account")
        try:
            reason = _moot(request, connection, policy)
        except KeyError as missing:
            return _Outcome(Verdict.REJECTED, "incomplete_details", {"missing": str(missing.args[0])})
        if reason is not None:
            return _Outcome(Verdict.IGNORED, reason)
        tenant = self.store.tenant(connection.tenant_uid)
        recipient = tenant if request.party is Party.TENANT else partner
        refused = self._unreachable(recipient)
        if refused is not None or recipient is None:
            return refused or _Outcome(Verdict.REJECTED, "no_address")
        context = NoticeContext(
            request=request,
            connection=connection,
            policy=policy,
            circuit=self.store.circuit(connection.circuit_id),
            tenant=tenant,
            partner=partner,
            recipient=recipient,
            at=self.clock.now(),
        )
        return self._handed_over(context)

    def _handed_over(self, context: AnyNoticeContext) -> _Outcome:
        """Send on each channel that has no receipt yet; a channel that fails does not hold back the others."""
        request = context.request
        waiting = [
            sender
            for sender in self.senders
            if address_of(context.recipient, sender.channel) and not self.store.has_receipt(request.key, sender.channel)
        ]
        if not waiting:
            # The receipts were written and then the row was not: this run writes it.
            return _Outcome(Verdict.APPLIED, "sent_before")
        try:
            message = self.render(context)
        except CrossportError as error:
            verdict = Verdict.RETRY if error.retryable else Verdict.REJECTED
            return _Outcome(verdict, error.code, {"message": error.message})
        said: dict[str, str] = {}
        failed: CrossportError | None = None
        refused: CrossportError | None = None
        for sender in waiting:
            try:
                said[sender.channel] = self._send(sender, context, message)
            except SendRefusedError as error:
                refused, said[sender.channel] = error, error.message
            except SendFailedError as error:
                failed, said[sender.channel] = error, error.message
        details = {"channels": said}
        if failed is not None:
            return _Outcome(Verdict.RETRY, failed.code, details)
        if refused is not None and not self._any_receipt(context):
            return _Outcome(Verdict.REJECTED, refused.code, details)
        return _Outcome(Verdict.APPLIED, refused.code if refused is not None else "", details)

    def _send(self, sender: Sender, context: AnyNoticeContext, message: Message) -> str:
        address = address_of(context.recipient, sender.channel)
        reference = sender.send(address, message)
        self.store.receipt(
            key=context.request.key, channel=sender.channel, recipient=address, at=self.clock.now(), reference=reference
        )
        return reference

    def _any_receipt(self, context: AnyNoticeContext) -> bool:
        return any(self.store.has_receipt(context.request.key, sender.channel) for sender in self.senders)

    def _written(self, request: NoticeRequest, outcome: _Outcome, connection: Connection | None) -> Ending:
        account_id = connection.account_id if connection is not None else request.account_id
        row = InputRow(
            key=_inbox_key(request, account_id) if account_id else "",
            digest=request.digest,
            claims=outcome.verdict in (Verdict.APPLIED, Verdict.IGNORED),
            at=self.clock.now(),
            function=FUNCTION,
            verdict=outcome.verdict,
            reason=outcome.reason,
            account_id=account_id,
            connection_id=connection.connection_id if connection is not None else None,
            name=request.kind,
            details={"notice": request.key, "party": str(request.party), **outcome.details},
        )
        self.store.record([row])
        return _ending(request, outcome.verdict, outcome.reason, row.connection_id)


def address_of(contact: Tenant, channel: str) -> str:
    """Where a contact is reached on a channel; "" when it is not. Contacts have an e-mail address so far."""
    return contact.email if channel == "mail" else ""


def _moot(request: NoticeRequest, connection: Connection, policy: Policy) -> str | None:
    """Why the notice need not be sent any more. Raises KeyError when its details lack what the rule asks for."""
    notice = Notice(
        key=request.key,
        kind=request.kind,
        connection_id=request.connection_id,
        party=request.party,
        details=dict(request.details),
    )
    reason = moot(notice, connection, policy)
    if reason is None and request.party is Party.TENANT and not _under_contract(request, connection):
        return "no_contract"
    return reason


def _under_contract(request: NoticeRequest, connection: Connection) -> bool:
    """A tenant is told of an adopted port only under a contract; without one it is the partner's finding (ruling 2)."""
    return bool(request.kind != "port_adopted" or connection.origin is Origin.ORDER or connection.contract_number)


def _inbox_key(request: NoticeRequest, account_id: str) -> str:
    """(account, source, id) joined by "|", which is escaped inside the id, as in every inbox key."""
    notice = request.key.replace("%", "%25").replace("|", "%7C")
    return f"{account_id}|crossport.notices|{notice}"


def _ending(request: NoticeRequest, verdict: Verdict, reason: str, connection_id: str | None) -> Ending:
    return Ending(key=request.key, verdict=verdict, reason=reason, connection_id=connection_id, name=request.kind)
