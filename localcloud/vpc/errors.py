"""Refusals of the VPC service.

Codes and statuses are from the error tables of the Alibaba Cloud API reference where those name one. The tables of
CreateVirtualPhysicalConnection, UpdateVirtualPhysicalConnection and the VBR operations were not available; refusals
that only the guides describe have a code built in the API's own style and are marked [INF].
"""

from __future__ import annotations


class VpcError(Exception):
    """A call that the service refuses. ``code`` is for programs, ``message`` for people."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def missing(parameter: str) -> VpcError:
    """A required parameter is absent."""
    return VpcError(f"MissingParam.{parameter}", f"The parameter {parameter} is missing.")


def illegal(parameter: str, why: str) -> VpcError:
    """A parameter has a value that the API reference excludes."""
    return VpcError(f"IllegalParam.{parameter}", f"The parameter {parameter} is illegal: {why}.")


def connection_not_found() -> VpcError:
    """No circuit or port with that id that the caller may see (CreateVirtualPhysicalConnection)."""
    return VpcError("ResourceNotFound.PhysicalConnectionId", "PhysicalConnection is not found.")


def vbr_not_found() -> VpcError:
    """No VBR with that id that the caller may see. [INF] code."""
    return VpcError("ResourceNotFound.VbrId", "The specified resource of VbrId is not found.")


def incorrect_status(message: str) -> VpcError:
    """A circuit or port is in a state in which the operation is not possible."""
    return VpcError("IncorrectStatus.PhysicalConnection", message)


def incorrect_vbr_status(message: str) -> VpcError:
    """A VBR is in a state in which the operation is not possible. [INF] code."""
    return VpcError("IncorrectStatus.VirtualBorderRouter", message)


def not_owner(message: str) -> VpcError:
    """The caller sees the resource but it is another account's to change. [INF] code."""
    return VpcError("OperationDenied.NotResourceOwner", message, 403)


def not_payer(message: str) -> VpcError:
    """Only the payer of a port may do this (partner guide, "More operations"). [INF] code."""
    return VpcError("OperationDenied.NotPayer", message, 403)


def locked(business_status: str) -> VpcError:
    """The resource is locked for billing or security reasons. [INF] code."""
    return VpcError(f"OperationDenied.{business_status}", f"The Express Connect circuit is {business_status}.")


def vlan_in_use(vlan_id: int) -> VpcError:
    """The VLAN ID, or the whole circuit through VLAN 0, is taken. [INF] code."""
    return VpcError("OperationDenied.VlanIdInUse", f"The VLAN ID {vlan_id} conflicts with a VLAN ID in use.")


def insufficient_bandwidth() -> VpcError:
    """The specs on a circuit would exceed its bandwidth (partner guide, FAQ). [INF] code."""
    return VpcError("OperationDenied.InsufficientBandwidth", "Insufficient bandwidth resources.")


def cross_site() -> VpcError:
    """Partner and tenant are on different sites (partner guide, FAQ). [INF] code."""
    return VpcError("OperationDenied.CrossSite", "Cross-site hosted connection is not allowed.")


def privilege_expired() -> VpcError:
    """The permission to create ports has expired; the text is the partner guide's, misleading as it is. [INF] code."""
    return VpcError("InvalidParameter.Bandwidth", "Invalid Bandwidth parameter.")


def spec_not_approved() -> VpcError:
    """The permission for this spec is absent or expired (partner guide, FAQ). [INF] code."""
    return VpcError("InvalidBandwidth.NotSupported", "The specified bandwidth is invalid.")


def outbound_billing_disabled() -> VpcError:
    """The tenant has not enabled outbound data transfer billing (error table of ConfirmPhysicalConnection)."""
    return VpcError(
        "OperationFailed.PconnTrafficNotEnable", "The operation is failed because of PconnTrafficNotEnable."
    )


def throttled() -> VpcError:
    """Too many calls of one account to one operation in one region."""
    return VpcError("Throttling.User", "Request was denied due to user flow control.")


def not_implemented(action: str) -> VpcError:
    """The local cloud lacks this operation and says so; the code is the local cloud's own."""
    return VpcError("InvalidAction.NotImplemented", f"The local cloud does not implement {action}.", 501)
