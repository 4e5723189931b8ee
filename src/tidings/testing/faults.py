"""A TCP proxy that breaks connections on demand: the network of a bad day, inside one process.

It speaks no protocol above TCP and never changes a byte. What happens to one connection is in `links`; a
façade for tests without an event loop is in `faults_thread`.

    async with FaultProxy("127.0.0.1", server_port) as proxy:
        ...                                  # clients dial proxy.port
        proxy.cut()                          # FIN on every connection
        proxy.blackhole(Direction.DOWN)      # now and for connections to come
        await proxy.heal()
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from tidings.testing.links import CHUNK_BYTES, Counts, Direction, Link, Streams, Weather, reset_transport
from tidings.testing.listening import stop_listening
from tidings.testing.ports import free_port

__all__ = ["Counts", "Direction", "FaultProxy", "Link", "Weather"]

LINKS_MAX = 1024
"""Connections held at once; a client that leaks them gets a RST instead of the machine's last descriptor."""

DIAL_SECONDS = 5.0
"""How long the target may take to accept."""


class FaultProxy:
    """Listens on `host:port`, joins each client with the target, and applies faults.

    A fault given to the proxy acts on every present connection. `blackhole`, `delay` and `drip` also act on
    those to come, until `heal`. For one connection alone, use the methods of a `Link` from `links`.
    Jitter comes from `seed`. Port 0 chooses a free port, which `refuse` and `accept` keep.
    """

    def __init__(
        self, target_host: str, target_port: int, *, host: str = "127.0.0.1", port: int = 0, seed: int = 0
    ) -> None:
        self.host = host
        self.port = port or free_port(host)
        self.counts = Counts()
        self._target = (target_host, target_port)
        self._rng = random.Random(seed)
        self._weather = Weather()
        self._links: dict[Link, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._linked = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def links(self) -> tuple[Link, ...]:
        """The connections that live now, oldest first."""
        return tuple(self._links)

    @property
    def accepting(self) -> bool:
        """Whether new connections are accepted."""
        return self._server is not None

    async def accept(self) -> None:
        """Listen. Raises OSError when the port is taken. Nothing happens when it listens already."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._on_client, self.host, self.port, limit=CHUNK_BYTES, reuse_address=True
            )

    async def refuse(self) -> None:
        """Stop listening: whoever dials is refused by the kernel. Present connections live on."""
        if self._server is None:
            return
        try:
            await stop_listening(self._server)
        finally:
            self._server = None

    async def close(self) -> None:
        """Stop listening and end every connection with RST; returns when all are gone."""
        await self.refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def linked(self) -> None:
        """Wait until at least one connection lives."""
        await self._linked.wait()

    def cut(self) -> int:
        """End all connections with FIN; returns how many there were."""
        return self._each(Link.cut)

    def reset(self) -> int:
        """End all connections with RST; returns how many there were."""
        return self._each(Link.reset)

    def drop_after(self, size: int, *, direction: Direction = Direction.DOWN) -> int:
        """Let each present connection pass `size` more bytes, then end it; returns how many there were."""
        return self._each(lambda link: link.drop_after(size, direction=direction))

    def blackhole(self, direction: Direction = Direction.BOTH) -> None:
        """Keep connections open and pass nothing in `direction`, until `heal`."""
        self._weather = replace(self._weather, held=direction)
        self._each(lambda link: link.blackhole(direction))

    def delay(self, seconds: float, *, jitter: float = 0.0) -> None:
        """Pass everything `seconds` later, plus up to `jitter` seconds, until `heal`."""
        self._weather = replace(self._weather, delay=seconds, jitter=jitter)
        self._each(lambda link: link.delay(seconds, jitter=jitter))

    def drip(self, size: int, *, interval: float) -> None:
        """Pass at most `size` bytes in every `interval` seconds, until `heal`."""
        self._weather = replace(self._weather, drip_bytes=size, drip_interval=interval)
        self._each(lambda link: link.drip(size, interval=interval))

    async def heal(self) -> None:
        """Fair weather for all connections, present and to come, and accept again."""
        self._weather = Weather()
        self._each(Link.heal)
        await self.accept()

    def _each(self, act: Callable[[Link], None]) -> int:
        links = self.links
        for link in links:
            act(link)
        return len(links)

    def _on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts.accepted += 1
        if len(self._tasks) >= LINKS_MAX:
            reset_transport(writer)
            return
        task = asyncio.create_task(self._join(Streams(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Also when the task is cancelled before its first step, or while it dials.
        task.add_done_callback(lambda _: _give_up(writer))

    async def _join(self, client: Streams) -> None:
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                server = Streams(*await asyncio.open_connection(*self._target, limit=CHUNK_BYTES))
        except OSError:
            self.counts.unreachable += 1
            return
        await self._carry(Link(client, server, weather=self._weather, rng=self._rng, counts=self.counts))

    async def _carry(self, link: Link) -> None:
        self._links[link] = None
        self._linked.set()
        try:
            await link.run()
        finally:
            del self._links[link]
            if not self._links:
                self._linked.clear()


def _give_up(writer: asyncio.StreamWriter) -> None:
    if not writer.is_closing():
        reset_transport(writer)
