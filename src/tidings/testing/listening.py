"""How a listener of asyncio ends without losing a connection half accepted. It does not make listeners."""

from __future__ import annotations

import asyncio

TURNS = 2
"""Of the loop: in the first the task of accepting makes the transport, in the second its owner hears of it."""


async def stop_listening(server: asyncio.Server) -> None:
    """Accept nothing more, let what was accepted reach its owner, then close `server`.

    asyncio accepts in one turn of the loop and makes the transport in a task of the next (`_accept_connection2`).
    A server closed in between, or that task cancelled, forgets the accepted socket: the peer believes itself
    connected until the garbage collector comes by. Connections that stand live on; under TLS one that is still shaking
    hands is its owner's only afterwards.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    try:
        for _ in range(TURNS):
            await asyncio.sleep(0)
    finally:
        server.close()
