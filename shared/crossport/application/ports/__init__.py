"""The protocols that use cases speak to, and the values that cross them."""

from crossport.application.ports.cloud import (
    Answer,
    Calls,
    Cloud,
    CloudFailure,
    CreatePort,
    PortPage,
    Read,
    VbrRead,
)
from crossport.application.ports.functions import (
    FunctionAnswer,
    Functions,
    Tasks,
)
from crossport.application.ports.letters import (
    DeadLetter,
    LetterState,
)
from crossport.application.ports.messages import (
    Message,
    Queue,
    Sender,
)
from crossport.application.ports.operations import (
    Operations,
)
from crossport.application.ports.rows import (
    CircuitRun,
    Completion,
    InputRow,
    LeasedRow,
    Loaded,
    OpenConnection,
    OrderContext,
    OutboxRow,
    OutboxState,
    Save,
    SaveOutcome,
    Stored,
    Unrouted,
)
from crossport.application.ports.seams import (
    Clock,
    Ids,
    Policies,
    WorkingDays,
)
from crossport.application.ports.store import (
    Store,
)

__all__ = [
    "Answer",
    "Calls",
    "CircuitRun",
    "Clock",
    "Cloud",
    "CloudFailure",
    "Completion",
    "CreatePort",
    "DeadLetter",
    "FunctionAnswer",
    "Functions",
    "Ids",
    "InputRow",
    "LeasedRow",
    "LetterState",
    "Loaded",
    "Message",
    "OpenConnection",
    "Operations",
    "OrderContext",
    "OutboxRow",
    "OutboxState",
    "Policies",
    "PortPage",
    "Queue",
    "Read",
    "Save",
    "SaveOutcome",
    "Sender",
    "Store",
    "Stored",
    "Tasks",
    "Unrouted",
    "VbrRead",
    "WorkingDays",
]
