"""``crossport obligations``: what the partner has promised, checked over everything that is on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from crossport.cli.database import now, open_views
from crossport.cli.failures import RUNTIME_FAILURE
from crossport.cli.options import AsJson, Database
from crossport.cli.rendering import Column, Row, show_json, show_line, show_table
from crossport.domain.policy import Policy

if TYPE_CHECKING:
    from crossport.adapters.store.views import Views
    from crossport.domain.obligations import Broken, Checked, Obligation

_STATES = {"kept": "green", "broken": "red"}
_OBLIGATIONS = (
    Column("Obligation\nOwed to", lambda row: [row["name"], row["owed_to"]]),
    Column(
        "State\nLooked at",
        lambda row: [row["state"], _looked_at(row)],
        style=lambda row: _STATES.get(row["state"], "yellow"),
    ),
    Column("Says", lambda row: [row["sentence"]]),
)
_BROKEN = (
    Column("Obligation\nAbout", lambda row: [row["obligation"], row["subject"]], style=lambda _row: "red"),
    Column("Evidence", lambda row: [row["evidence"]]),
    Column("Circuits", lambda row: row["circuit_ids"]),
    Column("Connections", lambda row: row["connection_ids"]),
)


def obligations(db: Database = "", as_json: AsJson = False) -> int:
    """Check what the partner has promised Alibaba Cloud and tenants; exit code 1 when a promise is broken.

    It looks at what is on record, no further: run crossport reconcile first to compare that with the cloud.
    """
    from crossport.domain.obligations import broken_of, check_obligations

    with open_views(db) as views:
        checked = check_obligations(views.circuits(), views.placements(), _policies(views))
    broken = [_broken_row(obligation, one) for obligation, one in broken_of(checked)]
    rows = [_row(each) for each in checked]
    if as_json:
        show_json({"at": now(), "kept": not broken, "obligations": rows, "broken": broken})
    else:
        show_table("Obligations", rows, _OBLIGATIONS, empty="")
        show_line("")
        show_table("Broken", broken, _BROKEN, empty="Every obligation that can be checked is kept.")
    return RUNTIME_FAILURE if broken else 0


def _policies(views: Views) -> Callable[[str], Policy]:
    """The policies in force; the default for an account that is configured no more."""
    from crossport.adapters.configuration import ConfiguredPolicies

    applied = views.configuration()
    policies = ConfiguredPolicies(applied[1]) if applied is not None else None
    known = set(policies.accounts()) if policies is not None else set()

    def policy_of(account_id: str) -> Policy:
        if policies is None or account_id not in known:
            return Policy(account_id=account_id)
        return policies.of(account_id)

    return policy_of


def _row(checked: Checked) -> Row:
    of = checked.obligation
    return {
        "name": of.name,
        "sentence": of.sentence,
        "owed_to": str(of.owed_to),
        "source": of.source,
        "basis": str(of.basis),
        "state": checked.state,
        "looked_at": checked.looked_at,
        "counts": of.counts,
        "broken": len(checked.broken),
    }


def _broken_row(obligation: Obligation, one: Broken) -> Row:
    return {
        "obligation": obligation.name,
        "owed_to": str(obligation.owed_to),
        "account_id": one.account_id,
        "subject": one.subject,
        "evidence": one.evidence,
        "circuit_ids": list(one.circuit_ids),
        "connection_ids": list(one.connection_ids),
    }


def _looked_at(row: Row) -> str:
    """How much was looked at, and how much of it is not as promised."""
    if row["looked_at"] is None:
        return "by a person"
    counts = str(row["counts"])
    what = f"{row['looked_at']} {counts.removesuffix('s') if row['looked_at'] == 1 else counts}"
    return f"{row['broken']} of {what}" if row["broken"] else what
