"""Finds by looking what no event has told: lists each circuit's ports and VBRs, compares, and heals.

Triggered by a timer every ten minutes, which only starts shards, and by itself: asynchronous invocations
(``reconcile.circuits``), each with some circuits of one account and region and a task id that follows from them and
from the slot. What a shard leaves undone is begun with in the next slot.
"""

from crossport.entrypoints.dispatch import sweep
from crossport.entrypoints.function import function

handler, initialize, pre_stop = function("reconcile", sweep, needs={"CROSSPORT_FC_ENDPOINT"}, pokes=True)
