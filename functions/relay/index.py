"""Carries out what commits have left in the outbox: calls to the VPC API, messages to queues.

Triggered by the MNS queue ``outbox`` (``outbox.poke``, best effort, after a commit) and by a timer every minute, which
makes sure that a lost poke costs a minute and not the command.
"""

from crossport.entrypoints.dispatch import carry_out_commands
from crossport.entrypoints.function import function

handler, initialize, pre_stop = function("relay", carry_out_commands, needs=["CROSSPORT_MNS_ENDPOINT", "FC_ACCOUNT_ID"])
