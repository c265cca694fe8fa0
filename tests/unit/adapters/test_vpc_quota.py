"""VpcCloud asks for each read before it sends it, and tells of every Throttling answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina

from crossport.adapters.credentials import Credentials
from crossport.adapters.vpc import VpcCloud
from crossport.application.errors import CloudCallError
from crossport.application.ports import CloudFailure
from crossport.application.quota import QUOTA_EXHAUSTED
from tests.fakes.loopback_server import LoopbackServer
from tests.fakes.manual_clock import ManualClock
from tests.unit.adapters.vpc_samples import ACCOUNT, CREATE, CREATED, REGION, SECRETS, port_item, ports, refusal, vbrs

LIST = "ListVirtualPhysicalConnections"
DESCRIBE = "DescribeVirtualBorderRoutersForPhysicalConnection"


class Counting:
    """``application.ports.Calls`` with so many calls left."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.taken: list[tuple[str, str, str]] = []
        self.held: list[tuple[str, str, str]] = []

    def take(self, account_id: str, region: str, api: str) -> None:
        if not self.left:
            raise CloudCallError("none left", failure=CloudFailure.RETRYABLE, cloud_code=QUOTA_EXHAUSTED, action=api)
        self.left -= 1
        self.taken.append((account_id, region, api))

    def throttled(self, account_id: str, region: str, api: str) -> None:
        self.held.append((account_id, region, api))


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running, stamina.set_testing(True, attempts=2):
        yield running


def cloud(server: LoopbackServer, calls: Counting) -> VpcCloud:
    values = Credentials(access_key_id=SECRETS[0], access_key_secret=SECRETS[1])
    return VpcCloud(credentials=lambda _: values, endpoint=server.address, clock=ManualClock(), calls=calls)


def test_every_request_of_a_read_is_asked_for(server: LoopbackServer) -> None:
    server.answer(ports(port_item()), vbrs())
    calls = Counting(9)
    cloud(server, calls).read_port(account_id=ACCOUNT, region=REGION, port_id="pc-port")
    assert calls.taken == [(ACCOUNT, REGION, LIST), (ACCOUNT, REGION, DESCRIBE)]
    assert calls.held == []


def test_what_is_not_granted_is_neither_sent_nor_tried_again(server: LoopbackServer) -> None:
    with pytest.raises(CloudCallError) as raised:
        cloud(server, Counting(0)).read_port(account_id=ACCOUNT, region=REGION, port_id="pc-port")
    assert raised.value.cloud_code == QUOTA_EXHAUSTED
    assert server.requests == []


def test_throttling_is_told_each_time(server: LoopbackServer) -> None:
    server.answer(refusal(400, "Throttling.User"), refusal(400, "Throttling.Api"))
    calls = Counting(9)
    with pytest.raises(CloudCallError, match="Throttling"):
        cloud(server, calls).read_port(account_id=ACCOUNT, region=REGION, port_id="pc-port")
    assert calls.held == [(ACCOUNT, REGION, LIST)] * 2


def test_writes_ask_for_nothing(server: LoopbackServer) -> None:
    server.answer(CREATED)
    calls = Counting(0)
    assert cloud(server, calls).create_port(CREATE, dry_run=False).value == "pc-port"
    assert calls.taken == []
