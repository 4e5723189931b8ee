"""An event stream that carries a session over one HTTP response. The request was read before this begins."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from tidings.errors import Disconnect
from tidings.server.carrier import Carrier
from tidings.server.deadlines import Deadlines
from tidings.server.framing import END_OF_CHUNKS, ChunkFramer, PlainFramer

CHUNKED: Final = ChunkFramer()
PLAIN: Final = PlainFramer()


class EventStream(Carrier):
    """One response without end. What the client still sends is read and dropped, so that its end is noticed.

    chunked: HTTP/1.1; else the body ends with the connection.
    """

    __slots__ = ("_chunked",)

    def __init__(
        self, transport: asyncio.Transport, connections: set[Any], deadlines: Deadlines, *, chunked: bool
    ) -> None:
        super().__init__(transport, CHUNKED if chunked else PLAIN, connections, deadlines)
        self._chunked = chunked

    def data_received(self, data: bytes) -> None:
        """Nothing comes in on an event stream."""

    def say_end(self, disconnect: Disconnect) -> None:
        """End the body; the client reads why in what was said before."""
        if self._chunked:
            self.transport.write(END_OF_CHUNKS)
        self.transport.close()
