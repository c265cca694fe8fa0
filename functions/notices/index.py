"""Renders notices in the recipient's language and hands them over to each party's channels, with receipts.

Triggered by the MNS queue ``notices`` (messages ``notice.send``, put there by the relay). Delivery is at least once,
with the notice's key as Message-ID.
"""

from crossport.entrypoints.dispatch import tell_parties
from crossport.entrypoints.function import function

handler, initialize, pre_stop = function("notices", tell_parties)
