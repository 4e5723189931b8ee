"""A WebSocket that carries a session: frames in, shared frames out. The handshake is over before this begins."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from tidings.errors import Disconnect, Refusal
from tidings.node.limits import Limits, RateLimiter
from tidings.protocols.base import WireProtocol
from tidings.pushes import Goodbye
from tidings.server.carrier import CLOSE_SECONDS, FAIL_SECONDS, Carrier, Phase, adopt
from tidings.server.deadlines import Deadlines
from tidings.server.frames import CLOSE, PING, PONG, FrameError, FrameReader
from tidings.server.framing import WebSocketFramer, close_frame, ping_frame, pong_frame
from tidings.server.handshake import Accepted

FRAMER: Final = WebSocketFramer()

CONTROL_BURST_SECONDS: Final = 5.0
"""How many seconds' worth of control frames may come at once: a stalled peer answers several pings together."""

GOING_AWAY: Final = 1001
POLICY_VIOLATION: Final = 1008


class Wire(Carrier):
    """One WebSocket connection after its handshake."""

    __slots__ = ("_control", "_protocol", "_rate", "_reader")

    def __init__(
        self,
        transport: asyncio.Transport,
        protocol: WireProtocol,
        limits: Limits,
        connections: set[Any],
        deadlines: Deadlines,
    ) -> None:
        super().__init__(transport, FRAMER, connections, deadlines)
        self._protocol = protocol
        self._reader = FrameReader(limits.frame_bytes, limits.fragments)
        self._rate = limits.control_frames_per_second
        self._control: RateLimiter | None = None  # made at the first control frame

    def data_received(self, data: bytes) -> None:
        if self._gone():
            return
        try:
            for opcode, payload in self._reader.feed(data):
                if opcode >= CLOSE:
                    self._control_frame(opcode, payload)  # type: ignore[arg-type]
                elif self.phase is Phase.OPEN and self.session is not None:
                    self.session.receive(payload)
                if self._gone():
                    return
        except FrameError as error:
            self._fail(error.code, error.reason)

    def _gone(self) -> bool:
        return self.phase is Phase.GONE

    def ping(self, payload: bytes) -> bool:
        """Send a ping; its pong comes back through the session."""
        self.write(ping_frame(payload))
        return True

    def say_end(self, disconnect: Disconnect) -> None:
        """Begin the closing handshake (RFC 6455 7.1.2) in the words of the session's protocol."""
        self.transport.write(close_frame(*self._protocol.close_code(disconnect)))

    def _control_frame(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            self._peer_closes(payload)
            return
        if self._control is None:
            self._control = RateLimiter(self._rate, burst=self._rate * CONTROL_BURST_SECONDS)
        if not self._control.allow(self._deadlines.loop.time()):
            self._fail(POLICY_VIOLATION, "too many control frames")
        elif opcode == PING:
            self.write(pong_frame(payload))
        elif opcode == PONG and self.session is not None:
            self.session.pong(payload)

    def _peer_closes(self, payload: bytes) -> None:
        """Echo the close unless ours was first, then end the TCP connection, as a server must (RFC 6455 7.1.1)."""
        if self.phase is Phase.OPEN:
            self.silence()
            self._deadlines.set(self, CLOSE_SECONDS)
            self.transport.write(bytes((0x88, len(payload))) + payload)
        self.phase = Phase.GONE
        self.transport.close()

    def _fail(self, code: int, reason: str) -> None:
        """Say why, then read nothing more. Only our side is closed at first: closing both while the peer still sends
        would reset the connection, and the peer would never read the code."""
        was_open = self.phase is Phase.OPEN
        self.silence()
        self.phase = Phase.GONE
        if not was_open:
            self.transport.abort()
            return
        self._deadlines.set(self, FAIL_SECONDS)
        self.transport.write(close_frame(code, reason))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()


def begin_wire(
    transport: asyncio.Transport, accepted: Accepted, connections: set[Any], deadlines: Deadlines
) -> None:
    """Put an accepted client's session on its transport; one that cannot begin is told so and closed."""
    wire = Wire(transport, accepted.protocol, accepted.limits, connections, deadlines)
    adopt(transport, wire)
    try:
        wire.session = accepted.open(wire)
    except (Disconnect, Refusal) as error:
        refuse(wire, accepted.protocol, error)


def refuse(wire: Any, protocol: WireProtocol, error: Disconnect | Refusal) -> None:
    """Tell a client that was accepted on the wire that it may not stay, in its protocol's own words, and close."""
    disconnect = error if isinstance(error, Disconnect) else as_disconnect(error)
    for payload in protocol.push(Goodbye(disconnect=disconnect)):
        wire.write(wire.framer.frame(payload))
    wire.close(disconnect)


def as_disconnect(refusal: Refusal) -> Disconnect:
    """What a refusal of the whole connection amounts to."""
    name = "expired" if refusal.name == "bad_token" else "ended"
    return Disconnect(name, detail=refusal.text)
