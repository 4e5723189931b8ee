"""One connected client: its conversation, its channels, its signs of life. Holds no rights and runs no command itself.

OPEN ──end──▶ ENDING ──closed──▶ CLOSED
  └────────────closed──────────────▲
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from typing import TYPE_CHECKING, Protocol

import msgspec

from tidings.commands import Command, Ping, Pong, UserGrant
from tidings.errors import Disconnect, Refusal
from tidings.hub.fanout import Framer
from tidings.hub.sendqueue import Outlet
from tidings.ids import ChannelName, Ref, SessionId, UserId, new_session_id
from tidings.node.apps import App
from tidings.node.authorizer import Identity, Visitor
from tidings.node.limits import RateLimiter
from tidings.protocols.base import WireProtocol
from tidings.pushes import Answer, Goodbye, Push, Refused

if TYPE_CHECKING:
    from tidings.node.node import Node
    from tidings.node.resume import Resume
    from tidings.node.users import Watch


class Transport(Protocol):
    """Carries bytes to one client. Neither method raises or waits."""

    @property
    def framer(self) -> Framer: ...

    def write(self, data: bytes) -> None:
        """Send framed bytes."""
        ...

    def close(self, disconnect: Disconnect) -> None:
        """End the connection after what was written before."""
        ...

    def ping(self, payload: bytes) -> bool:
        """Send a WebSocket ping, whose pong proves that all written before it has arrived.

        False, with nothing done, when the transport has no pings; whoever carries it then watches over the peer's life.
        """
        ...


class Membership(msgspec.Struct):
    """A channel that the session is in, and by what right.

    by_token: the right hangs on the session's token and ends with it. user: present under this user id.
    """

    by_token: bool = False
    user: UserId | None = None
    present: bool = False


class State(enum.Enum):
    OPEN = "open"
    ENDING = "ending"
    CLOSED = "closed"


class Session:
    """One connected client. Commands run one after another, in the order they came."""

    __slots__ = (
        "_bytes",
        "_commands",
        "_pace",
        "_resumed",
        "_runner",
        "app",
        "channels",
        "events",
        "heard",
        "id",
        "identity",
        "node",
        "opened",
        "outlet",
        "pinged",
        "protocol",
        "proven",
        "resume",
        "signed_in",
        "state",
        "transport",
        "visitor",
        "watch",
    )

    def __init__(
        self, node: Node, app: App, protocol: WireProtocol, transport: Transport, visitor: Visitor
    ) -> None:
        self.id: SessionId = new_session_id()
        self.node = node
        self.app = app
        self.protocol = protocol
        self.transport = transport
        self.visitor = visitor
        self.identity: Identity | None = None
        self.signed_in: UserGrant | None = None  # by the application's signature
        self.watch: Watch | None = None
        self.proven = False  # signed in, let in by a token, or once in a channel that asks for a proof
        self.outlet = Outlet(self.id, transport.write, self._overflowed, limit=app.limits.send_buffer)
        self.channels: dict[ChannelName, Membership] = {}
        self.resume: Resume | None = None  # set for a client with a stable id
        self.state = State.OPEN
        self.opened = node.clock()
        self.heard = self.opened  # monotonic seconds of the last sign of life
        self.pinged: float | None = None  # when a sign of life was asked for and has not come
        self.events: RateLimiter | None = None  # made at the first client event
        limits = app.limits
        self._pace = RateLimiter(limits.commands_per_second, burst=5 * limits.commands_per_second)
        self._bytes = RateLimiter(limits.inbound_bytes_per_second, burst=4 * limits.inbound_bytes_per_second)
        self._commands: deque[Command] | None = None  # made when first needed, as an idle connection has none
        self._runner: asyncio.Task[None] | None = None
        self._resumed: asyncio.Event | None = None

    # ── what the carrier tells

    def receive(self, data: str | bytes) -> None:
        """One whole message from the client. Never raises: bad input is answered, in the protocol's own words."""
        if self.state is not State.OPEN:
            return
        self.alive()
        if not self._bytes.allow(self.heard, len(data)):
            self.end(Disconnect("flood", detail="more bytes a second than the limit"))
            return
        try:
            commands = self.protocol.receive(data)
        except Refusal as refusal:
            self.refuse("", refusal)
        except Disconnect as disconnect:
            self.end(disconnect)
        else:
            for command in commands:
                self.submit(command)

    def submit(self, command: Command) -> None:
        """Queue a command. Pings are answered at once, whatever else is under way."""
        if self.state is not State.OPEN:
            return
        if isinstance(command, Pong):
            if self.resume is not None:
                self.resume.answered()
            return
        if isinstance(command, Ping):
            self.say(Answer(time=self.node.wall_ms(), ref=command.ref))
            return
        if not self._pace.allow(self.heard, _weight(command)):
            self.end(Disconnect("flood", detail="more commands a second than the limit"))
            return
        if self._commands is None:
            self._commands = deque()
        if len(self._commands) >= self.app.limits.commands_in_flight:
            limit = self.app.limits.commands_in_flight
            self.refuse(type(command).__name__.lower(), Refusal("busy", limit=limit))
            return
        self._commands.append(command)
        if self._runner is None:
            self._runner = self.node.spawn(self._run())

    def pong(self, payload: bytes) -> None:
        """A WebSocket pong came: the peer lives, and has received all that was written before the ping."""
        self.alive()
        if self.resume is not None:
            self.resume.confirmed(payload)

    def closed(self) -> None:
        """The transport is gone. Idempotent."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self.outlet.close()
        self._commands = None
        if self._runner is not None:
            self._runner.cancel()
        if self._resumed is not None:
            self._resumed.set()
        self.node.forget(self)

    # ── what the node tells

    def say(self, push: Push) -> None:
        """Say something to this client alone, in order with what the hub sends it."""
        if self.state is State.CLOSED:
            return
        self.app.hub.flush()  # what is pending for this client lies before what is said now
        frame = self.transport.framer.frame
        for payload in self.protocol.push(push):
            self.outlet.send(frame(payload))

    def refuse(
        self, command: str, refusal: Refusal, *, channel: ChannelName | None = None, ref: Ref = None
    ) -> None:
        """Answer no; count it."""
        self.node.metrics.refused.labels(self.app.id, refusal.name).inc()
        self.say(Refused(command=command, refusal=refusal, channel=channel, ref=ref))

    def end(self, disconnect: Disconnect) -> None:
        """Say goodbye and close. Nothing more is read."""
        if not self.open:
            return
        self.state = (
            State.ENDING
        )  # first: a goodbye that is too much for a full buffer must not end it a second time
        self.say(Goodbye(disconnect=disconnect))
        self._commands = None
        self.node.metrics.disconnected.labels(self.app.id, disconnect.name).inc()
        self.transport.close(disconnect)

    def alive(self) -> None:
        """Note a sign of life."""
        self.heard = self.node.clock()
        self.pinged = None

    @property
    def open(self) -> bool:
        """True until the end has begun."""
        return self.state is State.OPEN

    @property
    def busy(self) -> bool:
        """True while commands wait or run."""
        return self._runner is not None

    async def drained(self) -> None:
        """Wait until the transport has room again, or the session is over."""
        while self.outlet.paused and self.state is State.OPEN:
            self._resumed = asyncio.Event()
            self.outlet.on_resume = self._resumed.set
            await self._resumed.wait()
        self.outlet.on_resume = None

    # ── inside

    async def _run(self) -> None:
        try:
            while self._commands and self.state is State.OPEN:
                await self.node.dispatcher.execute(self, self._commands.popleft())
                await asyncio.sleep(
                    0
                )  # others have their turn between two commands, also when none of ours waits
        finally:
            self._commands = None
            self._runner = None

    def _overflowed(self) -> None:
        """The send buffer is full. The goodbye cannot be written behind what waits, so only the close is."""
        if self.state is State.OPEN:
            disconnect = Disconnect("slow")
            self.state = State.ENDING
            self.node.metrics.disconnected.labels(self.app.id, disconnect.name).inc()
            self.transport.close(disconnect)


def _weight(command: Command) -> int:
    """What a command counts against the pace: one for each channel that it names."""
    return max(1, len(getattr(command, "channels", ())))
