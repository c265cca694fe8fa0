"""Keeps dead letters, byte for byte, and has the partner told once of each cause.

Triggered by the MNS queue ``dead-letters``, where failed asynchronous invocations and exhausted retries end. A letter
that cannot be kept stays in the queue.
"""

from crossport.entrypoints.function import function
from crossport.entrypoints.letters import keep_dead_letters, open_letters

handler, initialize, pre_stop = function(
    "dead_letters", keep_dead_letters, opens=open_letters, gives_up=False, pokes=True
)
