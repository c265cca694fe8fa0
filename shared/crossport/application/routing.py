"""Routes: how an input finds the connection that it is about (design: routing).

A route is ``port:<port id>``, ``vbr:<VBR id>`` or ``token:<Token of the create call>``. The first connection to claim
a route keeps it.
"""

from __future__ import annotations

from collections.abc import Collection

from crossport.application.actiontrail import Meaning
from crossport.domain.connection import Connection
from crossport.domain.vocabulary import Origin


def port_route(port_id: str) -> str:
    """The route of a shared port."""
    return f"port:{port_id}"


def vbr_route(vbr_id: str) -> str:
    """The route of a virtual border router."""
    return f"vbr:{vbr_id}"


def token_route(token: str) -> str:
    """The route of a create call of ours, by its Token."""
    return f"token:{token}"


def routes_for(meaning: Meaning) -> tuple[str, ...]:
    """The routes that may lead to the connection which a record is about."""
    found = (
        (port_route, meaning.port_id),
        (vbr_route, meaning.vbr_id),
        (token_route, meaning.token),
    )
    return tuple(route(name) for route, name in found if name)


def new_routes(connection: Connection, routed: Collection[str]) -> tuple[str, ...]:
    """The connection's routes that are not among ``routed``."""
    return tuple(route for route in routes_of(connection) if route not in routed)


def routes_of(connection: Connection) -> tuple[str, ...]:
    """Every route that leads to the connection: its Token when we ordered it, its port, and every VBR ever seen on it.

    Routes only ever come in addition: a connection that grows keeps those that it had.
    """
    routes = [token_route(connection.token)] if connection.origin is Origin.ORDER else []
    if connection.port is not None:
        routes.append(port_route(connection.port.port_id))
    routes.extend(vbr_route(vbr.vbr_id) for vbr in connection.vbrs)
    return tuple(routes)
