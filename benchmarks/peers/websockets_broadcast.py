"""The `websockets` library's own `broadcast()` on uvloop. `/ws` subscribes; what `/publish` says goes to all of those.

Prints its port. The end of input ends it.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

BACKLOG = 1024
"""Handshakes that may wait at once, as the others have it."""


class Server:
    """Who listens."""

    def __init__(self) -> None:
        self.subscribers: set[ServerConnection] = set()

    async def handle(self, connection: ServerConnection) -> None:
        """One connection, until it ends."""
        if connection.request is not None and connection.request.path == "/publish":
            await self._relay(connection)
            return
        self.subscribers.add(connection)
        await connection.wait_closed()
        self.subscribers.discard(connection)

    async def _relay(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in connection:
                broadcast(self.subscribers, message)
                await connection.send("ok")


async def main() -> None:
    """Serve until the input ends."""
    server = Server()
    async with serve(
        server.handle, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=BACKLOG
    ) as listening:
        print(next(iter(listening.sockets)).getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
