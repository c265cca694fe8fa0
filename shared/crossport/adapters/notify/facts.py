"""What the texts speak of: a notice's context as plain values, written for its reader.

The names here are the vocabulary of the text templates. All of them are always there; "" means that there is nothing
to say, and a name that a template misspells fails loudly.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from crossport.adapters.instants import instant
from crossport.adapters.notify.deadlines import calendar_facts
from crossport.adapters.notify.formats import Times, language_of, masked, money_text, one_line, spec_text
from crossport.application.send_notices import AccountNoticeContext, NoticeContext
from crossport.domain.connection import Connection
from crossport.domain.effects import gates
from crossport.domain.history import History
from crossport.domain.phase import Suspension, lost_in_arrears, phase_of, suspension
from crossport.domain.places import zone_named
from crossport.domain.violations import unknown_values
from crossport.domain.vocabulary import MilestoneName, OrderMode, Origin, Party, RequestKind

#: Unpaid outbound data transfer is released after this long; an expired subscription lasts longer ("Expiration and
#: overdue payments"; assume the shorter: ruling 13).
ARREARS_GRACE = timedelta(days=7)
#: A port that ended can be renewed for this long (same page).
RENEWAL_GRACE = timedelta(days=15)
_PAYERS = {str(OrderMode.PARTNER_PAYS): "partner", str(OrderMode.TENANT_PAYS): "tenant"}


@cache
def words_of(language: str) -> dict[str, Any]:
    """The words for codes in one language: phases, reasons, violations, regions."""
    text = files("crossport.adapters.notify").joinpath(f"templates/{language}/words.toml").read_text("utf-8")
    return tomllib.loads(text)


def facts_of(context: NoticeContext) -> dict[str, Any]:
    """The values that the templates may use. Raises nothing for odd data: what is not known is shown as it is."""
    language = language_of(context.recipient.language)
    return _Writer(context, language, Times(language, zone_named(context.recipient.zone)), words_of(language)).facts()


def account_facts_of(context: AccountNoticeContext) -> dict[str, Any]:
    """The values that templates of notices about a partner account may use; names as in ``facts_of``."""
    language = language_of(context.recipient.language)
    times, words = Times(language, zone_named(context.recipient.zone)), words_of(language)
    details = context.request.details
    cause = str(details.get("cause", ""))
    at = instant(details.get("at"))
    return {
        "language": language,
        "to_tenant": False,
        "recipient_name": context.recipient.name,
        "partner_name": context.recipient.name,
        "partner_email": context.recipient.email,
        "connection": "",
        "account": masked(context.request.account_id),
        "letter": str(details.get("letter", "")),
        "function": str(details.get("function", "")),
        "source": str(details.get("source", "")),
        "name": str(details.get("name", "")),
        "cause": cause,
        "cause_in_words": words["dead_letter_causes"].get(cause, ""),
        "at": times.time(at) if at is not None else "",
    }


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes one notice's values for one reader."""

    context: NoticeContext
    language: str
    times: Times
    words: Mapping[str, Any]

    def facts(self) -> dict[str, Any]:
        return {
            **self._people(),
            **self._order(),
            **self._port(),
            **self._prices(),
            **self._suspension(),
            "change": self._change(),
            "work": self._work(),
            "missing": self._missing(),
            "hold_days": self.context.policy.hold_lifetime.days,
            "cause": self.context.request.details.get("cause", ""),
            "reasons": self._reasons(),
            "failure": self._failure(),
            "violation": self._violation(),
            **calendar_facts(self.context, self.times, self.words),
            "cool_down_days": self.context.policy.cool_down.days,
        }

    def _people(self) -> dict[str, Any]:
        tenant, partner, recipient = self.context.tenant, self.context.partner, self.context.recipient
        return {
            "language": self.language,
            "to_tenant": self.context.request.party is Party.TENANT,
            "recipient_name": recipient.name,
            "partner_name": partner.name,
            "partner_email": partner.email,
            "tenant_name": tenant.name if tenant is not None else "",
            "tenant_email": tenant.email if tenant is not None else "",
            "account": masked(self.context.connection.tenant_uid),
        }

    def _order(self) -> dict[str, Any]:
        connection, circuit = self.context.connection, self.context.circuit
        wanted = connection.tenant_region
        return {
            "connection": connection.connection_id,
            "ordered": connection.origin is Origin.ORDER,
            "order": connection.client_order_id,
            "purchase_order": connection.purchase_order,
            "customer_reference": connection.customer_reference,
            "contract": connection.contract_number,
            "region": self._region(connection.region),
            "tenant_region": self._region(wanted) if wanted else "",
            "other_region": bool(wanted) and wanted != connection.region,
            "cross_border": _in_mainland(wanted) != _in_mainland(connection.region),
            "circuit": connection.circuit_id,
            "access_point": circuit.access_point if circuit is not None else "",
            "spec": spec_text(connection.spec, self.language),
            "vlan_id": connection.vlan_id,
            "payer": _PAYERS.get(connection.order_mode, connection.order_mode),
        }

    def _port(self) -> dict[str, Any]:
        connection, policy = self.context.connection, self.context.policy
        port, vbr = connection.port, connection.accepted_vbr(policy.consistency_window)
        phase = phase_of(connection, policy.consistency_window)
        deadline = port.first_seen + policy.offer_lifetime if port is not None else None
        return {
            "port": port.port_id if port is not None else "",
            "confirmed": port is not None and port.confirmed,
            "enabled": port is not None and port.status.current == "Enabled",
            "was_enabled": port is not None and "Enabled" in port.status.values(),
            "enabled_since": self._time(port.enabled_time.current if port is not None else None),
            "paid_until": self._time(port.end_time.current if port is not None else None),
            "deadline": self._time(deadline),
            "vbr": vbr.vbr_id if vbr is not None else "",
            "phase_code": str(phase),
            "phase": self.words["phases"].get(str(phase), str(phase)),
            "lost_in_arrears": lost_in_arrears(connection, policy.consistency_window),
        }

    def _prices(self) -> dict[str, Any]:
        connection, policy = self.context.connection, self.context.policy
        published, own = policy.price_list.at(self.context.at), policy.partner_price_list
        own = own.at(self.context.at) if own is not None else None
        listed = published.port(connection.region, connection.spec)
        charged = own.port(connection.region, connection.spec) if own is not None else None
        return {
            "list_price": money_text(listed, published.currency, self.language) if listed is not None else "",
            "list_version": published.version,
            "charge": money_text(charged, own.currency, self.language) if own and charged is not None else "",
        }

    def _suspension(self) -> dict[str, Any]:
        connection, port = self.context.connection, self.context.connection.port
        current = suspension(connection, self.context.policy.consistency_window)
        since, end = self._suspended_since(), port.end_time.current if port is not None else None
        expired = current is not None and current.reason == "expired" and end is not None
        begin, grace = (end, RENEWAL_GRACE) if expired else (since, ARREARS_GRACE)
        return {
            "suspension": current or Suspension(reason="", waiting_for=Party.PARTNER, fee="unknown", way_back=""),
            "waiting_for": str(current.waiting_for) if current is not None else "",
            "fee": self.words["fees"][current.fee] if current is not None else "",
            "suspended_since": self._time(since),
            "settle_by": self._time(begin + grace if begin is not None else None),
            "the_vbr": str(self.context.request.details.get("vbr_id", "")),
        }

    def _suspended_since(self) -> datetime | None:
        connection, port = self.context.connection, self.context.connection.port
        vbr_id = self.context.request.details.get("vbr_id")
        vbr = next((vbr for vbr in connection.vbrs if vbr.vbr_id == vbr_id), None)
        if vbr is not None:
            return _since(vbr.status)
        if port is None:
            return None
        return _since(port.business_status if port.business_status.current not in (None, "Normal") else port.status)

    def _change(self) -> dict[str, Any]:
        """The change that the notice is about: what was agreed before it, and what was asked for."""
        connection, details = self.context.connection, self.context.request.details
        wanted_spec, wanted_vlan = details.get("spec"), details.get("vlan_id")
        spec, vlan_id, forced = connection.terms.spec, connection.terms.vlan_id, ""
        old_spec, old_vlan = spec, vlan_id
        for request in connection.requests:
            if request.kind is RequestKind.CHANGE_SPEC:
                if request.spec == wanted_spec:
                    old_spec, forced = spec, request.forced
                spec = request.spec
            elif request.vlan_id is not None:
                if request.vlan_id == wanted_vlan:
                    old_vlan, forced = vlan_id, request.forced
                vlan_id = request.vlan_id
        published = self.context.policy.price_list.at(self.context.at)
        listed = published.port(connection.region, str(wanted_spec or ""))
        return {
            "old_spec": spec_text(old_spec, self.language),
            "new_spec": spec_text(str(wanted_spec or ""), self.language),
            "old_vlan_id": old_vlan,
            "new_vlan_id": "" if wanted_vlan is None else wanted_vlan,
            "forced": forced,
            "list_price": money_text(listed, published.currency, self.language) if listed is not None else "",
        }

    def _work(self) -> dict[str, Any]:
        """The record of maintenance or an outage that the notice is about; its times in the recipient's zone."""
        said = self.context.request.details
        begins, cleared = self._instant("starts_at"), self._instant("cleared_at")
        return {
            "id": str(said.get("record", "")),
            "planned": said.get("record_kind") == "planned",
            "starts": self._time(begins),
            "ends": self._time(self._instant("ends_at")),
            "side": str(said.get("side", "")),
            "cause": str(said.get("cause", "")),
            "cleared": self._time(cleared),
            "called_off": begins is not None and cleared is not None and cleared < begins,
            "outcome": str(said.get("outcome", "")),
            "carried": bool(said.get("carried", False)),
            "connections": said.get("connections", 0),
            "tenants": said.get("tenants", 0),
            "cut_off": said.get("cut_off", 0),
        }

    def _instant(self, name: str) -> datetime | None:
        said = self.context.request.details.get(name)
        return datetime.fromisoformat(str(said)) if said else None

    def _missing(self) -> str:
        """The milestones that an order still waits for, in words."""
        connection = self.context.connection
        names = [name for name in MilestoneName if name in gates(self.context.policy)]
        words = [self.words["milestones"][name] for name in names if connection.milestone(name) is None]
        return ("、" if self.language == "zh-CN" else ", ").join(words)

    def _reasons(self) -> list[dict[str, str]]:
        """The refusal's reasons, each a code and a sentence."""
        codes = self.context.request.details.get("reasons") or [r.code for r in self.context.connection.refusals]
        return [{"code": str(code), "sentence": self._reason(str(code), "")} for code in codes]

    def _failure(self) -> dict[str, str]:
        """Why provisioning gave up. Where the cloud refused, its own code (the failure's subject) says more."""
        failure = self.context.connection.failure
        if failure is None:
            return {"code": "", "sentence": ""}
        code = failure.subject or failure.code
        return {"code": code, "sentence": self._reason(failure.code, failure.message or code)}

    def _reason(self, code: str, otherwise: str) -> str:
        connection = self.context.connection
        tenant = self.context.tenant
        sentence: str | None = self.words["reasons"].get(code)
        if sentence is None:
            return otherwise or code
        return sentence.format(
            vlan=connection.terms.vlan_id,
            spec=connection.terms.spec,
            circuit=connection.circuit_id,
            region=connection.region,
            mode=connection.terms.order_mode,
            site=tenant.site if tenant is not None else "",
            partner_site=self.context.policy.site,
        )

    def _violation(self) -> dict[str, str]:
        code, _, subject = str(self.context.request.details.get("violation", "")).partition(":")
        words = self.words["violations"].get(code)
        if words is None:
            return {"code": code, "subject": subject, "what": code, "do": ""}
        seen, agreed = _seen_and_agreed(self.context, code, subject)
        values = {"subject": subject, "seen": seen, "agreed": agreed}
        return {
            "code": code,
            "subject": subject,
            "what": words["what"].format(**values),
            "do": words["do"].format(**values),
        }

    def _region(self, region: str) -> str:
        name = self.words["regions"].get(region)
        if name is None:
            return region
        return f"{name} {region}" if self.language == "zh-CN" else f"{name}, {region}"

    def _time(self, at: datetime | None) -> str:
        return self.times.time(at) if at is not None else ""


def _since(history: History[Any]) -> datetime | None:
    """When the current value began to hold."""
    began = [entry.at for entry in history.runs()]
    return began[-1] if began else None


def _in_mainland(region: str) -> bool:
    """Whether a region lies in mainland China; regions are told by name, so that new ones need no table."""
    return region.startswith("cn-") and region != "cn-hongkong"


def _seen_and_agreed(context: NoticeContext, code: str, subject: str) -> tuple[str, str]:
    """What the cloud shows, and what was agreed, for one violation; account ids masked."""
    connection, port = context.connection, context.connection.port
    window = context.policy.consistency_window
    vbr = next((vbr for vbr in connection.vbrs if vbr.vbr_id == subject), None)
    accepted = connection.accepted_vbr(window)
    table: dict[str, tuple[Any, Any]] = {
        "second_vbr": (len(connection.live_vbrs(window)), accepted.vbr_id if accepted is not None else "-"),
        "wrong_port_vlan": (port and port.vlan_id.current, connection.terms.vlan_id),
        "wrong_port_spec": (port and port.spec.current, connection.terms.spec),
        "wrong_port_circuit": (port and port.circuit_id.current, connection.circuit_id),
        "wrong_order_mode": (port and port.order_mode.current, connection.terms.order_mode),
        "wrong_port_owner": (_masked(port.tenant_uid if port is not None else None), masked(connection.tenant_uid)),
        "wrong_vbr_owner": (_masked(vbr.owner_uid if vbr is not None else None), masked(connection.tenant_uid)),
        "wrong_vlan": (vbr and vbr.vlan_id.current, connection.vlan_id),
        "unknown_status": (_strange(connection, subject), ""),
    }
    seen, agreed = table.get(code, ("", ""))
    return ("-" if seen is None else one_line(seen)), one_line(agreed)


def _masked(history: History[str] | None) -> str | None:
    return None if history is None or history.current is None else masked(history.current)


def _strange(connection: Connection, subject: str) -> str:
    return ", ".join(value for about, value in unknown_values(connection) if about == subject)
