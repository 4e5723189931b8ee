"""The opening of a WebSocket: which conversation, for which app, and whether this page may. Carries nothing itself."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from tidings.errors import Disconnect
from tidings.ids import ClientId
from tidings.node.authorizer import Visitor
from tidings.node.limits import Limits
from tidings.node.session import Session, Transport
from tidings.protocols.base import WireProtocol
from tidings.protocols.http import Request
from tidings.server.door import Door
from tidings.server.sockets import SOCKETS, Opening, Socket, SocketTable
from tidings.server.visitors import visitor_of

PHOENIX_TOKEN: Final = "base64url.bearer.phx."
"""phoenix.js 1.8 sends its `authToken` as a subprotocol of this beginning."""


class Place(NamedTuple):
    """A path that is ours: its socket, what its pattern caught, the client id in front of it."""

    socket: Socket
    params: dict[str, str]
    client: ClientId | None


class Accepted(NamedTuple):
    """A handshake that may be answered with yes. open: makes the session; raises Disconnect, Refusal."""

    protocol: WireProtocol
    limits: Limits
    subprotocol: str | None
    open: Callable[[Transport], Session]


class Handshakes:
    """Decides on WebSockets."""

    def __init__(self, door: Door, sockets: Iterable[Socket] = SOCKETS) -> None:
        self._door = door
        self._table = SocketTable(sockets)

    def find(self, path: str) -> Place | None:
        """Whether a path is ours. Raises Refusal for a malformed client id in it."""
        found = self._table.find(path)
        return None if found is None else Place(*found)

    def decide(self, place: Place, request: Request, offered: Sequence[str]) -> Accepted:
        """Let a client in, or not. offered: subprotocols. Raises Refusal, to be told before the handshake."""
        request = msgspec.structs.replace(request, params=place.params)
        self._door.admit(request)
        opening = place.socket.open(self._door.node.apps, request)
        if opening.app is not None:
            self._door.check_origin(opening.app, request)
        visitor = visitor_of(request, client=place.client)
        if visitor.token is None and offered:
            visitor = msgspec.structs.replace(visitor, token=token_in(offered))
        limits = opening.app.limits if opening.app is not None else self._door.node.limits

        def open_session(transport: Transport) -> Session:
            return self._open(opening, visitor, transport)

        return Accepted(opening.protocol, limits, chosen(offered), open_session)

    def _open(self, opening: Opening, visitor: Visitor, transport: Transport) -> Session:
        if opening.app is None:
            raise opening.turned_away or Disconnect("app_gone")
        session = self._door.node.connect(opening.app, opening.protocol, transport, visitor)
        for command in opening.commands:
            session.submit(command)
        return session


def chosen(offered: Sequence[str]) -> str | None:
    """The subprotocol to confirm, the first that is no credential: a browser that is confirmed none gives up."""
    return next((name for name in offered if not name.startswith(PHOENIX_TOKEN)), None)


def token_in(offered: Sequence[str]) -> str | None:
    """The token that phoenix.js hides among the subprotocols."""
    for name in offered:
        if name.startswith(PHOENIX_TOKEN):
            text = name.removeprefix(PHOENIX_TOKEN)
            try:
                return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            except (binascii.Error, ValueError):
                return None
    return None
