"""A partner with a circuit, two tenants, and the official VPC SDK for each of them, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils_models import Config
from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client

from localcloud.accounts import AccessKey, Account, Directory
from localcloud.clock import Clock
from localcloud.journal import Journal
from localcloud.listener import Listener
from localcloud.vpc import Ids, Switches, Vpc

T = TypeVar("T")

REGION = "us-east-1"
CIRCUIT = "pc-circuit0000000001"
PARTNER, TENANT, OTHER, ABROAD = "1111111111111111", "2222222222222222", "3333333333333333", "4444444444444444"
START = datetime(2026, 3, 10, 5, 0, 0, tzinfo=UTC)
TENANT_PAYS, PARTNER_PAYS = "PayByVirtualPhysicalConnectionOwner", "PayByPhysicalConnectionOwner"


class Caller:
    """One account's SDK client; every call names its operation as the SDK's method does."""

    def __init__(self, key: AccessKey, address: str) -> None:
        self.key = key
        config = Config(
            access_key_id=key.access_key_id,
            access_key_secret=key.access_key_secret,
            endpoint=address,
            protocol="http",
            read_timeout=5000,
        )
        self.client = Client(config)

    def answer(self, operation: str, **fields: Any) -> Any:
        """The whole answer: ``body``, ``headers``, ``status_code``."""
        request = "".join(part.capitalize() for part in operation.split("_")) + "Request"
        fields.setdefault("region_id", REGION)
        return getattr(self.client, operation)(getattr(models, request)(**fields))

    def __call__(self, operation: str, **fields: Any) -> Any:
        """The body of the answer."""
        return self.answer(operation, **fields).body

    def refusal(self, operation: str, **fields: Any) -> tuple[str, int]:
        """The code and status with which the call is refused."""
        try:
            self(operation, **fields)
        except AlibabaCloudException as error:
            return error.code, error.status_code
        raise AssertionError(f"{operation} was not refused")


class World:
    """The running service and its callers."""

    def __init__(self, on_loop: Callable[..., Any], run: Callable[..., Any], switches: Switches) -> None:
        self._on_loop = on_loop
        self.directory = Directory()
        self.clock = Clock(start=START)
        self.journal = Journal(self.clock)
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.vpc = Vpc(
            directory=self.directory,
            clock=self.clock,
            journal=self.journal,
            publish=lambda account, region, event: self.events.append((account, region, event)),
            ids=Ids(1),
            switches=switches,
        )
        self.listener = Listener(self.vpc.application)
        run(self.listener.plug_in())
        self.partner = self._caller(PARTNER, "partner")
        self.vpc.add_circuit(CIRCUIT, PARTNER, REGION, 1000, "ap-us-east-1-DC11", "Equinix", "dc11")
        self.tenant = self._caller(TENANT, "tenant1")
        self.other = self._caller(OTHER, "tenant2")
        self.abroad = self._caller(ABROAD, "abroad", "china")
        for account_id in (TENANT, OTHER):
            self.vpc.open_outbound_billing(account_id, REGION)

    def _caller(self, account_id: str, name: str, site: str = "international") -> Caller:
        key = self.directory.add(Account(account_id=account_id, name=name, site=site))
        return Caller(key, self.listener.address)

    def behind(self, act: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Do something behind the API's back, on the loop of the service."""
        result: T = self._on_loop(act, *args, **kwargs)
        return result

    def switch(self, switches: Switches) -> None:
        """Change the settings."""
        self.behind(setattr, self.vpc, "switches", switches)

    def push(self, **fields: Any) -> str:
        """The partner pushes a port; the id."""
        return str(self.partner("create_virtual_physical_connection", **pushed(**fields)).virtual_physical_connection)

    def accept(self, port_id: str) -> None:
        """The tenant accepts a port."""
        self.tenant("confirm_physical_connection", physical_connection_id=port_id)

    def pay(self, port_id: str, payer: Caller | None = None, **fields: Any) -> str:
        """The payer, by default the tenant, orders a term and pays automatically; the order's id."""
        fields = {"auto_pay": True, "period": 1, **fields}
        order = (payer or self.tenant)(
            "create_physical_connection_occupancy_order", physical_connection_id=port_id, **fields
        )
        return str(order.data.order_id)

    def enabled(self, **fields: Any) -> str:
        """A port that is pushed, accepted and paid; the id."""
        port_id = self.push(**fields)
        self.accept(port_id)
        self.pay(port_id, self.partner if fields.get("order_mode") == PARTNER_PAYS else self.tenant)
        return port_id

    def add_vbr(self, port_id: str, vlan_id: int = 100, **fields: Any) -> str:
        """The tenant creates a VBR; the id."""
        vbr = self.tenant("create_virtual_border_router", physical_connection_id=port_id, vlan_id=vlan_id, **fields)
        return str(vbr.vbr_id)

    def listed(self, caller: Caller | None = None, **fields: Any) -> list[Any]:
        """The ports of one page of the list, by default the partner's."""
        body = (caller or self.partner)("list_virtual_physical_connections", **fields)
        return list(body.virtual_physical_connections)

    def data(self) -> list[dict[str, Any]]:
        """The records inside the published events."""
        return [event["data"] for _, _, event in self.events]


def pushed(**fields: Any) -> dict[str, Any]:
    """The fields of a good CreateVirtualPhysicalConnection, with changes."""
    return {
        "physical_connection_id": CIRCUIT,
        "vpconn_ali_uid": int(TENANT),
        "vlan_id": 100,
        "spec": "200M",
        "order_mode": TENANT_PAYS,
        **fields,
    }
