"""Which WebSocket paths there are, and the conversation that each begins. Holds values; carries nothing.

    /app/{key}    Pusher
    /ws           plain

Each may stand behind `/c/{client_id}`, for clients that can change their path only (pusher-js' `wsPath`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from tidings.commands import Command, Subscribe
from tidings.errors import Disconnect
from tidings.ids import ClientId
from tidings.node.apps import App, Apps
from tidings.protocols.base import WireProtocol
from tidings.protocols.http import Request
from tidings.protocols.plain.server import PlainServer, parse_connect
from tidings.protocols.pusher.server import PusherServer, check_protocol
from tidings.server.routing import catch_params
from tidings.server.visitors import check_client


class Opening(NamedTuple):
    """How a connection begins.

    app: None when the client is turned away in its own protocol's words, by `turned_away`.
    commands: what the URL already asks for.
    """

    protocol: WireProtocol
    app: App | None
    commands: tuple[Command, ...] = ()
    turned_away: Disconnect | None = None


class Socket(NamedTuple):
    """A path and what begins there. open: raises Refusal, which is told by HTTP before the handshake."""

    pattern: str
    open: Callable[[Apps, Request], Opening]


def open_pusher(apps: Apps, request: Request) -> Opening:
    """`GET /app/{key}`. A wrong key or version is told by close codes: browsers hide a handshake's status."""
    try:
        check_protocol(dict(request.pairs()))
        app = apps.by_key(request.params["key"])
    except Disconnect as disconnect:
        return Opening(PusherServer(client_events=False), None, turned_away=disconnect)
    protocol = PusherServer(
        client_events=True,  # the node decides, by what the app says at the time of the event
        max_depth=app.limits.json_depth,
        max_channel_name=app.limits.channel_name,
        max_event_name=app.limits.event_name,
        max_client_event=app.limits.client_event_bytes,
    )
    return Opening(protocol, app)


def open_plain(apps: Apps, request: Request) -> Opening:
    """`GET /ws?channel=A&cursor=C`."""
    query = parse_connect(request.query)
    app = apps.named(query.app)
    protocol = PlainServer(
        max_data_bytes=app.max_data_bytes, max_depth=app.limits.json_depth, after=query.after
    )
    subscribe = Subscribe(channels=query.channels, after=query.after, filter=query.filter)
    commands = (subscribe,) if query.channels else ()
    return Opening(protocol, app, commands)


SOCKETS = (Socket("/app/{key}", open_pusher), Socket("/ws", open_plain))


class SocketTable:
    """Finds the socket of a path."""

    def __init__(self, sockets: Iterable[Socket] = SOCKETS) -> None:
        self._sockets = [(socket.pattern.split("/"), socket) for socket in sockets]

    def find(self, path: str) -> tuple[Socket, dict[str, str], ClientId | None] | None:
        """The socket, what its pattern caught, and the client id in front of the path.

        Raises Refusal `bad_request` for a malformed client id.
        """
        client = None
        segments = path.split("/")
        if len(segments) > 3 and segments[1] == "c":
            client, segments = check_client(segments[2]), ["", *segments[3:]]
        for pattern, socket in self._sockets:
            params = catch_params(pattern, segments)
            if params is not None:
                return socket, params, client
        return None
