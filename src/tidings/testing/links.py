"""One connection through the fault proxy: its weather, and the two pumps that carry bytes through it.

It does not listen and does not dial: `faults.FaultProxy` does, and hands over two pairs of streams.
Memory per link is bounded: each direction holds at most `CHUNKS_HELD` chunks of `CHUNK_BYTES`, and a source
that sends more is simply not read.
"""

from __future__ import annotations

import asyncio
import enum
import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

CHUNK_BYTES = 16 * 1024
"""Read at once; also the mark at which writing waits for the peer."""

CHUNKS_HELD = 16
"""Chunks in flight in each direction: enough for a delayed line, small enough for a thousand links."""

LINGER_SECONDS = 1.0
"""How long a cut link waits for the peers' own FIN; closing with unread bytes would send a RST instead."""


class Direction(enum.Flag):
    """Which way bytes flow: UP from client to server, DOWN from server to client."""

    NONE = 0
    UP = enum.auto()
    DOWN = enum.auto()
    BOTH = UP | DOWN


@dataclass(frozen=True, slots=True)
class Weather:
    """The faults in force on a link. The default is fair weather: everything passes at once."""

    held: Direction = Direction.NONE
    delay: float = 0.0
    jitter: float = 0.0
    drip_bytes: int = 0
    drip_interval: float = 0.0


@dataclass(slots=True)
class Counts:
    """What has happened so far, over all links of a proxy. Bytes are those that were passed on."""

    accepted: int = 0
    unreachable: int = 0
    cut: int = 0
    reset: int = 0
    dropped: int = 0
    bytes_up: int = 0
    bytes_down: int = 0

    def add_bytes(self, direction: Direction, size: int) -> None:
        """Count `size` bytes passed on in `direction`."""
        if direction is Direction.UP:
            self.bytes_up += size
        else:
            self.bytes_down += size


@dataclass(frozen=True, slots=True)
class Streams:
    """Both halves of one TCP connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Ending(enum.Enum):
    """How a link ends: with FIN on both sides, or with RST on both sides."""

    CUT = enum.auto()
    RESET = enum.auto()


class Link:
    """A client and a server joined by the proxy. Faults act at once and only on this link."""

    def __init__(
        self, client: Streams, server: Streams, *, weather: Weather, rng: random.Random, counts: Counts
    ) -> None:
        self.counts = counts
        self._client = client
        self._server = server
        self._weather = weather
        self._rng = rng
        self._changed = asyncio.Event()
        self._allowance: dict[Direction, int] = {}
        self._ending: Ending | None = None
        self._pumping: asyncio.Task[None] | None = None

    @property
    def weather(self) -> Weather:
        """The faults in force now."""
        return self._weather

    @property
    def ended(self) -> bool:
        """Whether a fault or a peer has ended it."""
        return self._ending is not None

    def set_weather(self, weather: Weather) -> None:
        """Put other faults in force; bytes that wait are judged anew."""
        self._weather = weather
        self._changed.set()
        self._changed = asyncio.Event()

    def cut(self) -> None:
        """End with FIN to both peers, losing what is in flight inside the proxy."""
        if self._end(Ending.CUT):
            self.counts.cut += 1

    def reset(self) -> None:
        """End with RST to both peers."""
        if self._end(Ending.RESET):
            self.counts.reset += 1

    def blackhole(self, direction: Direction = Direction.BOTH) -> None:
        """Keep the sockets open and pass nothing in `direction`; what was sent passes after `heal`."""
        self.set_weather(replace(self._weather, held=direction))

    def delay(self, seconds: float, *, jitter: float = 0.0) -> None:
        """Pass each chunk `seconds` later, plus up to `jitter` seconds; the order is kept."""
        self.set_weather(replace(self._weather, delay=seconds, jitter=jitter))

    def drip(self, size: int, *, interval: float) -> None:
        """Pass at most `size` bytes in every `interval` seconds, in each direction."""
        self.set_weather(replace(self._weather, drip_bytes=size, drip_interval=interval))

    def drop_after(self, size: int, *, direction: Direction = Direction.DOWN) -> None:
        """Pass exactly `size` more bytes in `direction`, then end with FIN: a torn frame."""
        self._allowance[direction] = size
        if size <= 0:
            self._drop()

    def heal(self) -> None:
        """Fair weather again; a pending `drop_after` is forgotten. An ended link stays ended."""
        self._allowance.clear()
        self.set_weather(Weather())

    async def run(self) -> None:
        """Carry bytes until a peer ends, a fault ends the link, or the task is cancelled."""
        self._pumping = asyncio.create_task(self._pump_both())
        try:
            await self._pumping
        except asyncio.CancelledError:
            if self._ending is None:
                self._ending = Ending.RESET
                raise
        finally:
            await self._close()

    async def held_back(self, direction: Direction) -> None:
        """Wait while `direction` is blackholed."""
        while self._weather.held & direction:
            await self._changed.wait()

    def due(self, now: float) -> float:
        """Return the loop time at which a chunk read `now` may pass."""
        return now + self._weather.delay + self._rng.uniform(0.0, self._weather.jitter)

    async def until(self, due: float) -> None:
        """Wait for the loop time `due`, or until the delay is healed."""
        while self._weather.delay or self._weather.jitter:
            left = due - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await self._pause(left)

    async def rest(self) -> None:
        """Wait between two drips, if it drips."""
        if self._weather.drip_bytes:
            await self._pause(self._weather.drip_interval)

    def portion(self, direction: Direction, size: int) -> int:
        """Return how many of `size` waiting bytes may pass now."""
        drip = self._weather.drip_bytes or size
        return min(size, drip, self._allowance.get(direction, size))

    def passed(self, direction: Direction, size: int) -> None:
        """Count `size` bytes; end the link when its allowance in `direction` is used up."""
        self.counts.add_bytes(direction, size)
        if direction not in self._allowance:
            return
        self._allowance[direction] -= size
        if self._allowance[direction] <= 0:
            self._drop()

    def _drop(self) -> None:
        if self._end(Ending.CUT):
            self.counts.dropped += 1

    def _end(self, ending: Ending) -> bool:
        if self._ending is not None:
            return False
        self._ending = ending
        if ending is Ending.RESET:
            self._abort()
        if self._pumping is not None:
            self._pumping.cancel()
        return True

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)

    async def _pump_both(self) -> None:
        up = _Pump(self, Direction.UP, self._client.reader, self._server.writer)
        down = _Pump(self, Direction.DOWN, self._server.reader, self._client.writer)
        try:
            async with asyncio.TaskGroup() as group:
                for step in (up.read, up.write, down.read, down.write):
                    group.create_task(step())
        except* OSError:
            # One peer vanished: tell the other in the same way, as a line without a proxy would.
            self._ending = self._ending or Ending.RESET

    async def _close(self) -> None:
        try:
            if self._ending is Ending.CUT:
                await self._linger()
        finally:
            if self._ending is Ending.RESET:
                self._abort()
            for streams in (self._client, self._server):
                streams.writer.close()

    async def _linger(self) -> None:
        with suppress(TimeoutError, OSError, RuntimeError):  # uvloop: the handler is closed
            async with asyncio.timeout(LINGER_SECONDS):
                for streams in (self._client, self._server):
                    streams.writer.write_eof()
                await asyncio.gather(_discard(self._client.reader), _discard(self._server.reader))

    def _abort(self) -> None:
        for streams in (self._client, self._server):
            reset_transport(streams.writer)


class _Pump:
    """Carries one direction: one task reads and notes when a chunk is due, the other passes it on."""

    def __init__(
        self,
        link: Link,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._link = link
        self._direction = direction
        self._reader = reader
        self._writer = writer
        self._waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS_HELD)
        writer.transport.set_write_buffer_limits(high=CHUNK_BYTES)

    async def read(self) -> None:
        clock: Callable[[], float] = asyncio.get_running_loop().time
        last_due = 0.0
        while True:
            await self._link.held_back(self._direction)
            chunk = await self._reader.read(CHUNK_BYTES)
            last_due = max(last_due, self._link.due(clock()))
            await self._waiting.put((last_due, chunk))
            if not chunk:
                return

    async def write(self) -> None:
        while True:
            due, chunk = await self._waiting.get()
            await self._link.until(due)
            await self._link.held_back(self._direction)
            if not chunk:
                self._writer.write_eof()
                return
            await self._pass_on(chunk)

    async def _pass_on(self, chunk: bytes) -> None:
        while chunk and not self._link.ended:
            await self._link.held_back(self._direction)
            size = self._link.portion(self._direction, len(chunk))
            self._writer.write(chunk[:size])
            await self._writer.drain()
            self._link.passed(self._direction, size)
            chunk = chunk[size:]
            await self._link.rest()


def reset_transport(writer: asyncio.StreamWriter) -> None:
    """Close the connection of `writer` with RST: SO_LINGER of zero seconds, then abort."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError, ValueError):  # uvloop's way to say that the socket is closed already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _discard(reader: asyncio.StreamReader) -> None:
    while await reader.read(CHUNK_BYTES):
        pass
