"""Reading the VPC API: single calls, checked answers, and lists to their ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from crossport.adapters.credentials import Credentials
from crossport.adapters.vpc import answers, sdk, vbr_answers
from crossport.adapters.vpc.failures import THROTTLING, bad_answer, translate
from crossport.application.errors import CloudCallError
from crossport.application.ports import Calls, Clock, CloudFailure, PortPage, Read, VbrRead
from crossport.application.quota import QUOTA_EXHAUSTED
from crossport.domain.observation import VbrObservation
from crossport.domain.rights import partner_may_call
from crossport.domain.vocabulary import Acceptance

Checked = TypeVar("Checked", bound=BaseModel)

#: Largest pages of the two lists (API reference: MaxResults 1..100, PageSize at most 50).
_PORTS_A_PAGE = 100
_VBRS_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class Place:
    """Whose client, and where."""

    account_id: str
    region: str


class VpcReads:
    """The reads of ``VpcCloud``, and the calls that its writes are made of. Thread safe.

    ``credentials`` gives the credentials of an account id and is asked in every call. ``endpoint`` is ``host:port``;
    None or "" means the SDK's own endpoint of each region. Time-outs are in milliseconds. Reads that fail in a
    RETRYABLE way are tried ``read_attempts`` times in all, at most about half a second apart. ``calls`` is asked before
    each read, and told of every Throttling answer; writes are few and each has a quota of its own.
    """

    def __init__(
        self,
        *,
        credentials: Callable[[str], Credentials],
        endpoint: str | None,
        clock: Clock,
        calls: Calls | None = None,
        connect_timeout_ms: int = 3_000,
        read_timeout_ms: int = 10_000,
        read_attempts: int = 2,
    ) -> None:
        self._credentials = credentials
        self._endpoint = endpoint or None
        self._clock = clock
        self._calls = calls
        self._connect_timeout_ms = connect_timeout_ms
        self._read_timeout_ms = read_timeout_ms
        self._read_attempts = read_attempts
        self._clients: dict[Place, Any] = {}

    def read_vbr(self, *, account_id: str, region: str, vbr_id: str) -> VbrRead:
        """One VBR, another account's on a circuit or port of ours included; ``vbr`` None when it is not shown.

        Its owner is named by another list than its configuration, so two are read, dated with the first. Raises
        CloudCallError.
        """
        place, action = Place(account_id, region), "describe_virtual_border_routers"
        parameters = {
            "region_id": region,
            "filter": {"VbrId": [vbr_id]},
            "include_cross_account_vbr": True,
            "page_size": _VBRS_A_PAGE,
        }
        date, page = self._read(place, action, parameters, vbr_answers.VbrDetails)
        vbr = next((item for item in page.items if item.vbr_id == vbr_id), None)
        if vbr is None:
            if len(page.items) < page.total_count:
                raise bad_answer(_documented(action), "the list is shorter than its TotalCount", write=False)
            return VbrRead(date=date, vbr=None)
        listed = self._vbrs(place, vbr.physical_connection_id, filter={"VbrId": [vbr_id]})
        owner = next((item.vbr_owner_uid for item in listed if item.vbr_id == vbr_id), None)
        return VbrRead(
            date=date,
            vbr=vbr.observed(date, owner),
            configuration=vbr_answers.configuration(vbr.to_map()),
            bandwidth_mbps=vbr.bandwidth or None,
        )

    def read_port(self, *, account_id: str, region: str, port_id: str) -> Read:
        """The port by its id and the VBRs of all accounts on it, both lists to their end.

        Everything is dated with the first answer's Date: what follows is at least as new. ``port`` is None when the
        complete list does not hold it; its VBRs are then not asked for. Raises CloudCallError.
        """
        place = Place(account_id, region)
        date, items = self._ports(place, virtual_physical_connection_ids=[port_id])
        port = next((item for item in items if item.physical_connection_id == port_id), None)
        if port is None:
            return Read(date=date, port=None)
        vbrs = tuple(item.observed(date, port_id) for item in self._vbrs(place, port_id))
        return Read(date=date, port=port.observed(date), vbrs=vbrs, name=port.name)

    def find_port(self, *, account_id: str, region: str, circuit_id: str, vlan_id: int, tenant_uid: str) -> Read:
        """The live port on this circuit with this VLAN ID and tenant; the newest, should there be several.

        The VBRs on it are not asked for. What the list shows is compared again, so that a filter which the cloud
        ignores cannot hand us somebody else's port. Raises CloudCallError.
        """
        date, items = self._ports(
            Place(account_id, region),
            physical_connection_id=circuit_id,
            vlan_ids=[str(vlan_id)],
            virtual_physical_connection_ali_uids=[tenant_uid],
        )
        live = [
            item
            for item in items
            if item.virtual_physical_connection_status != Acceptance.DELETED
            and item.parent_physical_connection_id == circuit_id
            and answers.vlan(item.vlan_id) == vlan_id
            and item.ali_uid == tenant_uid
        ]
        # ISO 8601 times of one zone sort as text.
        newest = max(live, key=lambda item: (item.creation_time or "", item.physical_connection_id), default=None)
        if newest is None:
            return Read(date=date, port=None)
        return Read(date=date, port=newest.observed(date), name=newest.name)

    def list_ports(self, *, account_id: str, region: str, circuit_id: str) -> Iterator[PortPage]:
        """ListVirtualPhysicalConnections of one circuit, 100 ports a page, to the end.

        What the list shows is compared again, so that a filter which the cloud ignores cannot hand us the ports of
        another circuit. Raises CloudCallError from the iterator.
        """
        place, started = Place(account_id, region), None
        for date, page in self._port_pages(place, physical_connection_id=circuit_id):
            started = date if started is None else started
            items = page.virtual_physical_connections
            ports = (item.observed(date) for item in items if item.parent_physical_connection_id == circuit_id)
            yield PortPage(started=started, ports=tuple(ports), total=page.total_count)

    def list_vbrs(self, *, account_id: str, region: str, circuit_id: str) -> tuple[VbrObservation, ...]:
        """DescribeVirtualBorderRoutersForPhysicalConnection of the circuit, 50 a page, to the end.

        Dated with the first answer's Date. Raises CloudCallError when the list does not end as it says.
        """
        pages = list(self._vbr_pages(Place(account_id, region), circuit_id))
        started = pages[0][0]
        return tuple(item.observed(started, None) for _, page in pages for item in page.items)

    def _ports(self, place: Place, **filters: Any) -> tuple[datetime, list[answers.PortItem]]:
        """All ports that match, with the first page's date. An incomplete list raises: absence must be certain."""
        pages = list(self._port_pages(place, **filters))
        return pages[0][0], [item for _, page in pages for item in page.virtual_physical_connections]

    def _port_pages(self, place: Place, **filters: Any) -> Iterator[tuple[datetime, answers.PortPage]]:
        """The pages of a list to its end, at least one. Raises CloudCallError when it does not end as it says."""
        action = "list_virtual_physical_connections"
        shown, token = 0, None
        while True:
            parameters = {"region_id": place.region, "max_results": _PORTS_A_PAGE, "next_token": token, **filters}
            date, page = self._read(place, action, parameters, answers.PortPage)
            shown += len(page.virtual_physical_connections)
            yield date, page
            if not page.next_token:
                break
            if page.next_token == token or not page.virtual_physical_connections:
                raise bad_answer(_documented(action), "the list does not end", write=False)
            token = page.next_token
        if shown < page.total_count:
            raise bad_answer(_documented(action), "the list is shorter than its TotalCount", write=False)

    def _vbrs(self, place: Place, connection_id: str, **filters: Any) -> Iterator[answers.VbrItem]:
        for _, page in self._vbr_pages(place, connection_id, **filters):
            yield from page.items

    def _vbr_pages(
        self, place: Place, connection_id: str, **filters: Any
    ) -> Iterator[tuple[datetime, answers.VbrPage]]:
        """The pages of a list to its end, at least one. Raises CloudCallError when it does not end as it says."""
        action = "describe_virtual_border_routers_for_physical_connection"
        number, shown = 1, 0
        while True:
            parameters = {
                "region_id": place.region,
                "physical_connection_id": connection_id,
                "page_number": number,
                "page_size": _VBRS_A_PAGE,
                **filters,
            }
            date, page = self._read(place, action, parameters, answers.VbrPage)
            yield date, page
            shown += len(page.items)
            if shown >= page.total_count:
                return
            if not page.items:
                raise bad_answer(_documented(action), "the list is shorter than its TotalCount", write=False)
            number += 1

    def _read(
        self, place: Place, action: str, parameters: dict[str, Any], model: type[Checked]
    ) -> tuple[datetime, Checked]:
        import stamina

        for attempt in stamina.retry_context(
            on=_is_retryable, attempts=self._read_attempts, timeout=None, wait_initial=0.1, wait_jitter=0.4, wait_max=1
        ):
            with attempt:
                date, body = self._call(place, action, parameters, write=False, hidden="")
                checked = self._check(model, body, action, write=False)
        return date, checked

    def _call(
        self, place: Place, action: str, parameters: dict[str, Any], *, write: bool, hidden: str
    ) -> tuple[datetime, Any]:
        if not partner_may_call(_documented(action)):
            raise ValueError(f"{_documented(action)} is the tenant's to call, never the partner's (rule 12)")
        client = self._client(place)
        if self._calls is not None and not write:
            self._calls.take(place.account_id, place.region, _documented(action))
        failed: CloudCallError | None = None
        try:
            response = sdk.call(client, action, parameters)
        except sdk.sdk_errors() as error:
            failed = translate(error, _documented(action), write=write, hidden=hidden)
        if failed is not None:
            if self._calls is not None and THROTTLING in failed.cloud_code:
                self._calls.throttled(place.account_id, place.region, _documented(action))
            # Raised here and not above, so that no traceback carries the SDK's error with the signed request in it.
            raise failed
        return answers.answered_at(response.headers, self._clock.now), response.body

    def _check(self, model: type[Checked], body: Any, action: str, *, write: bool) -> Checked:
        wrong = ""
        try:
            return model.model_validate(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            wrong = f"the answer is not as documented: {'.'.join(map(str, first['loc'])) or 'body'}: {first['type']}"
        raise bad_answer(_documented(action), wrong, write=write)

    def _client(self, place: Place) -> Any:
        client = self._clients.get(place)
        if client is None:
            made = sdk.make_client(
                region=place.region,
                endpoint=self._endpoint,
                credentials=lambda: self._credentials(place.account_id),
                connect_timeout_ms=self._connect_timeout_ms,
                read_timeout_ms=self._read_timeout_ms,
            )
            # Of two threads that come here together, both use the client that was put first.
            client = self._clients.setdefault(place, made)
        return client


def _documented(action: str) -> str:
    """The operation's name in the API reference."""
    return "".join(word.capitalize() for word in action.split("_"))


def _is_retryable(error: Exception) -> bool:
    # A call that the quota did not grant has been waited for already.
    return (
        isinstance(error, CloudCallError)
        and error.failure is CloudFailure.RETRYABLE
        and error.cloud_code != QUOTA_EXHAUSTED
    )
