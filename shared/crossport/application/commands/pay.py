"""Pay for a port where the partner is the payer (ruling 1)."""

from __future__ import annotations

from crossport.application.commands.desk import Desk, Done, Task
from crossport.application.commit import read_port


def pay_port(desk: Desk, task: Task) -> Done:
    """Place the partner's order for the port; what came of it is read, not assumed."""
    connection = task.connection
    if connection.port_id is None:
        return desk.wait_for(task, "waiting:port")
    answer = desk.cloud().pay_port(
        account_id=connection.account_id,
        region=connection.region,
        port_id=connection.port_id,
        months=task.policy.pay_months,
        auto_renew=task.policy.pay_auto_renew,
        token=task.token("pay"),
    )
    read = read_port(
        connection.port_id,
        cause="paid",
        account_id=connection.account_id,
        region=connection.region,
        after=answer.date,
        connection_id=connection.connection_id,
    )
    desk.store.record([], outbox=(read,))
    return desk.done(task.leased, f"order:{answer.value}")
