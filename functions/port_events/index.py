"""Shared ports created, accepted, paid, changed, terminated, deleted.

Triggered by EventBridge: ActionTrail records of write calls on ports, from the partner's own default bus or forwarded
by a tenant's rule. What they say is merged into the connection; a forwarded one only has the port read.
"""

from crossport.entrypoints.dispatch import observe_calls
from crossport.entrypoints.function import function

handler, initialize, pre_stop = function("port_events", observe_calls, pokes=True)
