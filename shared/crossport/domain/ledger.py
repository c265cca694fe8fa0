"""The ledger's arithmetic: from charges that should live to records that must be appended.

Records are never changed. When a fact's charge differs from the live record's, the live record is reversed and a
new revision is written; a fact never has two live records.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from crossport.domain.billing import Charge
from crossport.domain.connection import RecordHead


@dataclass(frozen=True, kw_only=True, slots=True)
class BillingRecord:
    """One row to append. ``key`` is unique for ever; ``reverses`` names the record that this one takes back."""

    key: str
    fact: str
    revision: int
    digest: str
    #: The charge as canonical JSON. A reversal repeats the reversed record's text; it counts negatively.
    record: str
    reverses: str | None = None

    @property
    def content(self) -> dict[str, object]:
        """The charge's fields as JSON values."""
        content: dict[str, object] = json.loads(self.record)
        return content


def record_key(fact: str, revision: int, digest: str) -> str:
    """The key of a record: its fact, which revision of it, and the digest of what it charges."""
    return f"{fact}#{revision}:{digest}"


def settle_records(
    heads: Iterable[RecordHead], charges: Iterable[Charge]
) -> tuple[tuple[RecordHead, ...], tuple[BillingRecord, ...]]:
    """The new heads and the records to append, so that the live record of each fact says what its charge says.

    A head whose record was reversed without a successor keeps its revision with an empty digest, so that a later
    record of the same fact gets a key of its own.
    """
    wanted = {charge.fact: charge for charge in charges}
    known = {head.fact: head for head in heads}
    appended: list[BillingRecord] = []
    for fact in sorted(wanted.keys() | known.keys()):
        head, charge = known.get(fact), wanted.get(fact)
        digest = charge.digest if charge else ""
        if head is not None and head.digest == digest:
            continue
        revision = 0
        if head is not None:
            revision = head.revision + 1
            if head.digest:
                appended.append(_reversal(head))
        record = charge.canonical() if charge else ""
        if charge is not None:
            key = record_key(fact, revision, digest)
            appended.append(BillingRecord(key=key, fact=fact, revision=revision, digest=digest, record=record))
        known[fact] = RecordHead(fact=fact, revision=revision, digest=digest, record=record)
    return tuple(known[fact] for fact in sorted(known)), tuple(appended)


def _reversal(head: RecordHead) -> BillingRecord:
    reversed_key = record_key(head.fact, head.revision, head.digest)
    return BillingRecord(
        key=f"{reversed_key}:reversal",
        fact=head.fact,
        revision=head.revision,
        digest=head.digest,
        record=head.record,
        reverses=reversed_key,
    )
