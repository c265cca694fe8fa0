"""Seals the ledger and takes the partner's meter readings.

Triggered by a daily timer shortly after 00:00 UTC+8, when billing periods are cut, and by the MNS queue ``usage``
(messages ``usage.reported``). Sealed records leave through the outbox for the MNS queue ``billing-records``.
"""

from crossport.entrypoints.dispatch import keep_ledger
from crossport.entrypoints.function import function

handler, initialize, pre_stop = function("billing", keep_ledger, pokes=True)
