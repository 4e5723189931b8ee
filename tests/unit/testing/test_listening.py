"""A listener that ends forgets no socket: whoever was accepted reaches its owner, whoever was not is refused."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest

from tidings.testing.listening import stop_listening

LIMIT = 30.0
"""Seconds; generous, for a condition that comes at once."""


@pytest.mark.parametrize("turns", range(6))
async def test_whoever_connects_while_it_ends_is_served_or_refused(turns: int) -> None:
    """The turn in which a connection is accepted moves, so several are tried."""
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as client:
        client.setblocking(False)
        for _ in range(turns):
            await asyncio.sleep(0)
        await stop_listening(server)
        for writer in writers:
            writer.transport.abort()
        answer = b""
        with suppress(ConnectionResetError):
            answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1), LIMIT)
        assert answer == b""


async def test_connections_that_stand_live_on() -> None:
    writers: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    server = await asyncio.start_server(lambda _, writer: writers.put_nowait(writer), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    theirs = await asyncio.wait_for(writers.get(), LIMIT)
    await stop_listening(server)
    theirs.write(b"still here")
    assert await asyncio.wait_for(reader.readexactly(10), LIMIT) == b"still here"
    for one in (theirs, writer):
        one.close()
        await one.wait_closed()
