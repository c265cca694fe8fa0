"""Paying for a port, and the time at which it becomes Enabled.

Payment and acceptance are independent; whether payment alone enables a port is not documented: switch
``payment_enables``. Orders themselves belong to the billing system; the VPC API only creates them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from localcloud.vpc.call import Answer, Call, Operation, write
from localcloud.vpc.errors import VpcError, incorrect_status, not_payer
from localcloud.vpc.names import Acceptance, OrderStatus, Status
from localcloud.vpc.resources import Order, Port
from localcloud.vpc.rules import check_not_locked
from localcloud.vpc.state import State
from localcloud.vpc.switches import PaymentEnables
from localcloud.vpc.terms import term_end

_PAYABLE = frozenset({Status.INITIAL, Status.APPROVED, Status.ALLOCATED, Status.CONFIRMED})


def create_physical_connection_occupancy_order(state: State, call: Call) -> Answer:
    """CreatePhysicalConnectionOccupancyOrder: the payer orders the first term, or pays a pending change of spec.

    ``AutoPay`` false, the default, leaves the order unpaid; true without the money leaves an abnormal order that
    can only be cancelled. That this operation also pays for ``ExpectSpec`` is [INF].
    """
    port = _payers_port(state, call)
    months = _months(call)
    if call.parameters.text("InstanceChargeType") not in {"", "PrePaid", "Prepaid"}:
        raise VpcError(
            "InvalidPhysicalConnectionChargeType.Malformed", "Specified Physical Connection ChargeType is not valid."
        )
    auto_pay = call.parameters.flag("AutoPay") or False
    auto_renew = call.parameters.flag("AutoRenew") or False
    call.parameters.bounded("AutoRenewDuration", 0, 2**31 - 1)
    if port.status not in _PAYABLE and not (port.status == Status.ENABLED and port.expect_spec):
        raise incorrect_status("Invalid physical connection status.")
    check_not_locked(port)
    if port.paid_months and port.status in _PAYABLE:
        raise incorrect_status("Invalid physical connection status: the hosted connection is paid.")
    if any(o.port_id == port.port_id and o.status in _OPEN for o in state.orders.all()):
        raise VpcError("Forbidden.NotAllowedInState", "The request does not allow in this state: an order is open.")
    order = Order(
        order_id=state.ids.order(),
        port_id=port.port_id,
        account_id=call.account_id,
        months=months,
        created_at=call.now,
        expect_spec=port.expect_spec if port.status == Status.ENABLED else "",
        auto_renew=auto_renew,
        status=OrderStatus.ABNORMAL if auto_pay and call.account_id in state.without_balance else OrderStatus.UNPAID,
    )
    state.save_order(order)
    if auto_pay and order.status == OrderStatus.UNPAID:
        pay(state, order.order_id)
    return {"Data": {"OrderId": order.order_id}}


_OPEN = frozenset({OrderStatus.UNPAID, OrderStatus.ABNORMAL})


def pay(state: State, order_id: str) -> None:
    """Pay an order that is unpaid. Raises KeyError for an unknown order, ValueError for one in another state."""
    order = state.orders.get(order_id)
    if order is None:
        raise KeyError(order_id)
    if order.status != OrderStatus.UNPAID:
        raise ValueError(f"the order {order_id} is {order.status}")
    state.save_order(replace(order, status=OrderStatus.PAID))
    port = state.live_port(order.port_id)
    if port is None:
        return
    if order.expect_spec:
        state.save_port(replace(port, spec=order.expect_spec, expect_spec=""))
        return
    # A change of spec that was asked for before the first term is paid together with it.
    spec = port.expect_spec or port.spec
    state.save_port(replace(port, paid_months=order.months, auto_renew=order.auto_renew, spec=spec, expect_spec=""))
    enable_if_due(state, port.port_id)


def cancel_order(state: State, order_id: str) -> None:
    """Cancel an order that is not paid. Raises KeyError, ValueError as ``pay``."""
    order = state.orders.get(order_id)
    if order is None:
        raise KeyError(order_id)
    if order.status not in _OPEN:
        raise ValueError(f"the order {order_id} is {order.status}")
    state.save_order(replace(order, status=OrderStatus.CANCELED))


def enable_if_due(state: State, port_id: str) -> None:
    """Begin to enable a port whose conditions are met; does nothing for one that lacks any."""
    port = state.live_port(port_id)
    if port is None or not _may_be_enabled(state, port):
        return

    def finish(at: datetime) -> None:
        paid = state.live_port(port_id)
        if paid is not None and _may_be_enabled(state, paid):
            end_at = term_end(at, paid.paid_months)
            state.save_port(replace(paid, status=Status.ENABLED, enabled_at=at, end_at=end_at))

    state.changes.begin(state.switches.progression, port_id, state.clock.now(), finish)


def _may_be_enabled(state: State, port: Port) -> bool:
    accepted = port.acceptance == Acceptance.CONFIRMED
    needs_acceptance = state.switches.payment_enables == PaymentEnables.WITH_ACCEPTANCE
    return port.paid_months > 0 and port.status in _PAYABLE and (accepted or not needs_acceptance)


def _payers_port(state: State, call: Call) -> Port:
    connection_id = call.parameters.required("PhysicalConnectionId")
    try:
        port = state.seen_port(call, connection_id)
    except VpcError:
        raise VpcError(
            "InvalidPhysicalConnectionId.NotFound", "The PhysicalConnectionId provided does not exist.", 404
        ) from None
    if call.account_id != port.payer_id:
        raise not_payer("Only the payer of the hosted connection can order it.")
    return port


def _months(call: Call) -> int:
    cycle = call.parameters.text("PricingCycle") or "Month"
    if cycle not in {"Month", "Year"}:
        raise VpcError(
            "InvalidPhysicalConnectionPricingCycle.Malformed",
            "Specified Physical Connection PricingCycle is not valid.",
        )
    period = call.parameters.integer("Period")
    period = 1 if period is None else period
    if not 1 <= period <= (9 if cycle == "Month" else 5):
        raise VpcError(
            "InvalidPhysicalConnectionPeriod.Malformed", "Specified Physical Connection Period is not valid."
        )
    return period if cycle == "Month" else 12 * period


OPERATIONS: dict[str, Operation] = {
    "CreatePhysicalConnectionOccupancyOrder": write(create_physical_connection_occupancy_order),
}
