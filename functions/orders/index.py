"""First-time orders and their milestones against contract, rules and circuit; never calls the cloud.

Triggered by the MNS queue ``orders``, in batches (messages ``order.new`` and ``order.milestone``). What is accepted
holds its VLAN and bandwidth; what is refused is told every reason at once.
"""

from crossport.entrypoints.dispatch import take_orders
from crossport.entrypoints.function import function

handler, initialize, pre_stop = function("orders", take_orders, pokes=True)
