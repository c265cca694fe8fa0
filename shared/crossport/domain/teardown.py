"""Rule 17: a service ends in one order, VBRs first and the port last."""

from __future__ import annotations

from enum import StrEnum


class TeardownStep(StrEnum):
    """What is to be done next to end a port."""

    END_VBR = "end_vbr"
    TERMINATE_PORT = "terminate_port"
    #: Termination is asynchronous.
    WAIT = "wait"
    DELETE_PORT = "delete_port"


def next_step(port_status: str | None, *, has_vbrs: bool) -> TeardownStep:
    """The next step for a port as just read.

    A port with a VBR cannot be terminated, and only an Enabled one can; one that is Enabled or Terminating cannot be
    deleted (API reference, TerminatePhysicalConnection and DeletePhysicalConnection). A Terminated one is still billed,
    so it is never the end.
    """
    if has_vbrs:
        return TeardownStep.END_VBR
    if port_status == "Enabled":
        return TeardownStep.TERMINATE_PORT
    return TeardownStep.WAIT if port_status == "Terminating" else TeardownStep.DELETE_PORT
