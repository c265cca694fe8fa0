"""The VPC API of the local cloud: circuits, shared ports (virtual physical connections) and VBRs.

``service`` puts it together. State and rules are in the modules of the operations, the wire format in ``wire``, the
cloud's words in ``names`` and its refusals in ``errors``.
"""

from localcloud.vpc.faults import Fault, Faults
from localcloud.vpc.ids import Ids
from localcloud.vpc.progression import Progression
from localcloud.vpc.service import Vpc
from localcloud.vpc.switches import PaymentEnables, Switches, VbrVisibility

__all__ = ["Fault", "Faults", "Ids", "PaymentEnables", "Progression", "Switches", "VbrVisibility", "Vpc"]
