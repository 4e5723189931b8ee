"""uvicorn's WebSocket connection, from which a session can take the transport. Plugged in by uvicorn's `ws` setting.

To any ASGI application it is a WebSocket as usual. Ours finds it in `scope["extensions"]["tidings.websocket"]`,
accepts and calls `attach`: from then on a `Wire` has the transport, and nothing of this object is needed any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.http11 import Request

from tidings.server.carrier import NO_TRANSPORT
from tidings.server.deadlines import deadlines_of
from tidings.server.handshake import Accepted
from tidings.server.wire import begin_wire

EXTENSION: Final = "tidings.websocket"
"""Under this name our application finds the connection in the scope's extensions."""

HANDSHAKE_SECONDS: Final = 10.0
"""For the application to accept or refuse (contract 9)."""

_quiet: Final = logging.getLogger("tidings.server.handshake")
_quiet.setLevel(logging.WARNING)  # uvicorn's own lines hold query strings, and those hold tokens


class TidingsWebSocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket connection until somebody attaches a session to it."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = self.conn.logger = _quiet
        self._deadlines = deadlines_of(self.loop)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self._extensions()[EXTENSION] = self
            self._deadlines.set(self, HANDSHAKE_SECONDS)

    def _extensions(self) -> dict[str, Any]:
        return cast(dict[str, Any], self.scope["extensions"])

    def data_received(self, data: bytes) -> None:
        if self.handshake_initiated and not self.handshake_complete:
            self.transport.abort()  # a client must wait for the answer (RFC 6455 4.1)
            return
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadlines.clear(self)
        super().connection_lost(exc)

    def expired(self) -> None:
        """The application neither accepted nor refused in time."""
        if not self.handshake_complete:
            self.send_500_response()
            self.transport.close()

    async def send(self, message: Any) -> None:
        self._deadlines.clear(self)
        await super().send(message)

    def attach(self, accepted: Accepted) -> None:
        """Give the transport to a session. After `websocket.accept`, in the same turn of the loop."""
        if self.disconnected or self.transport.is_closing():
            return
        transport = self.transport
        self.stop_keepalive()
        self._deadlines.clear(self)
        self.connections.discard(self)
        self._part()
        begin_wire(transport, accepted, self.connections, self._deadlines)

    def _part(self) -> None:
        """Undo the circles through which this object would hold itself until the collector comes."""
        self.transport = NO_TRANSPORT
        self._extensions().pop(EXTENSION, None)
        self.conn.parser.close()
        self.conn.parser = _NO_PARSER


def _nothing() -> Generator[None, None, None]:
    yield


_NO_PARSER: Final = _nothing()
