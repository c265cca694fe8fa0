"""VBRs created, attached, changed, deleted: the 1:1 and VLAN rules.

Triggered by EventBridge: ActionTrail records of write calls on virtual border routers, from the partner's own default
bus or forwarded by a tenant's rule. What they say is merged into the connection of the port they hang on.
"""

from crossport.entrypoints.dispatch import observe_calls
from crossport.entrypoints.function import function

handler, initialize, pre_stop = function("vbr_events", observe_calls, pokes=True)
