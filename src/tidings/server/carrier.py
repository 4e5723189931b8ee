"""A connection that carries one session on uvicorn's transport and nothing else. Its two kinds: `wire.py`, `stream.py`.

Here stands what they share: back-pressure, silence after the end, and the end itself. No ASGI task is parked, no
timer runs; what an idle connection costs is this object, the transport and the session.
"""

from __future__ import annotations

import abc
import asyncio
import enum
from collections.abc import Callable
from typing import Any, Final, cast

from tidings.errors import Disconnect
from tidings.hub.fanout import Framer
from tidings.node.session import Session
from tidings.server.deadlines import Deadlines

WRITE_BUFFER: Final = 64 << 10
"""Bytes a transport may hold before its session goes to the slow list (contract 9 bounds what waits behind it)."""

CLOSE_SECONDS: Final = 5.0
"""For the peer to answer a close and read what was sent before it; then the connection is cut."""

FAIL_SECONDS: Final = 1.0
"""For a peer that broke the protocol to read why."""


class Phase(enum.Enum):
    """OPEN: carrying. CLOSING: the end was said, the peer may finish. GONE: nothing is read or written any more."""

    OPEN = "open"
    CLOSING = "closing"
    GONE = "gone"


def drop(data: bytes) -> None:
    """Where writes go after the end."""


class Carrier(asyncio.Protocol, abc.ABC):
    """Carries one session. `node.Transport` by shape.

    connections: uvicorn's own set, by which it waits for connections at its end.
    """

    __slots__ = ("_connections", "_deadlines", "framer", "phase", "session", "transport", "write")

    def __init__(
        self, transport: asyncio.Transport, framer: Framer, connections: set[Any], deadlines: Deadlines
    ) -> None:
        self.transport = transport
        self.framer = framer
        self.write: Callable[[bytes], None] = transport.write  # bound once: the hub's loop calls it directly
        self.session: Session | None = None
        self.phase = Phase.OPEN
        self._connections = connections
        self._deadlines = deadlines
        connections.add(self)

    # ── what the transport tells

    def pause_writing(self) -> None:
        if self.session is not None and self.phase is Phase.OPEN:
            self.session.outlet.pause()

    def resume_writing(self) -> None:
        if self.session is not None and self.phase is Phase.OPEN:
            self.session.outlet.resume()

    def eof_received(self) -> bool | None:
        """The peer will send no more; its end is ours."""
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.phase = Phase.GONE
        self.write = drop
        self._connections.discard(self)
        self._deadlines.clear(self)
        session, self.session = self.session, None
        if session is not None:
            session.outlet.write = drop
            session.closed()

    # ── what the session tells

    def close(self, disconnect: Disconnect) -> None:
        """End the connection after what was written before; a peer that does not read is cut at once."""
        if self.phase is not Phase.OPEN:
            return
        self.silence()
        if disconnect.name == "slow":
            self.abort()
            return
        self._deadlines.set(self, CLOSE_SECONDS)
        self.say_end(disconnect)

    def ping(self, payload: bytes) -> bool:
        """Ask for a sign of life; False where the transport has no word for it."""
        return False

    # ── the end

    @abc.abstractmethod
    def say_end(self, disconnect: Disconnect) -> None:
        """Write the transport's own last word."""

    def silence(self) -> None:
        """From here on nothing that the hub or the session says is written."""
        self.phase = Phase.CLOSING
        if self.session is not None:
            self.session.outlet.pause()  # out of every group's plain loop, which holds the bare write
            self.session.outlet.close()
            self.session.outlet.write = drop
        self.write = drop

    def abort(self) -> None:
        """Cut: what waits is dropped and its memory is free at once."""
        self.transport.abort()

    def expired(self) -> None:
        """The peer used its time up."""
        self.abort()

    def shutdown(self) -> None:
        """uvicorn stops. Whoever was not sent away by the drain is sent away now."""
        self.close(Disconnect("draining"))


def adopt(transport: asyncio.Transport, carrier: Carrier) -> None:
    """Give a transport to a carrier; whoever had it before may be forgotten."""
    transport.set_write_buffer_limits(high=WRITE_BUFFER)
    transport.set_protocol(carrier)


class NoTransport:
    """Stands where a transport was given away: its former owner may go on as if it were closed."""

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        """It is somebody else's to close."""

    def abort(self) -> None:
        """It is somebody else's to cut."""

    def write(self, data: bytes) -> None:
        """Nobody listens here."""

    def pause_reading(self) -> None:
        """It is somebody else's to read."""

    def resume_reading(self) -> None:
        """It is somebody else's to read."""


NO_TRANSPORT: Final = cast(asyncio.Transport, NoTransport())
