"""The cursor that the server holds for a client that knows nothing of cursors. Holds one client's; the engine keeps it.

What was written is not yet received. So a WebSocket ping carries the offset written last, and its pong, which every
browser answers by itself, proves that all before it has arrived. A cut repeats what lies after the last pong; it never
loses it. The repeats carry their `id` and `position`. Where the transport has no pings, the protocol's own heartbeat
asks, and its answer proves the same: both go through one connection, in order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from tidings.ids import ChannelName, ClientId
from tidings.messages import Position
from tidings.node.clients import LOST, View
from tidings.pushes import Heartbeat

if TYPE_CHECKING:
    from tidings.node.session import Session

NOWHERE: Final = Position("00000000", 0)
"""A position in no log: reading after it tells `reset`. Held as offset `LOST`."""

MAX_HELD_CHANNELS: Final = 200
"""Channels in one held cursor: twice what a connection may have, so that those not asked for again yet are kept."""


WORD_SECONDS: Final = 1.0
"""Between two questions in words: scripts see them, and each costs the client a message."""


class Resume:
    """The held cursor of one session's client."""

    __slots__ = ("_asked_at", "_client", "_pinged", "_released", "_session", "_stranger", "_view", "in_words")

    def __init__(self, session: Session, client: ClientId) -> None:
        self._session = session
        self._client = client
        self._stranger = False  # nothing was held for this client
        self._released = False  # the session has ended
        self._view: View | None = (
            None  # channel → offset up to which it was surely received; claimed when first asked
        )
        self._pinged: tuple[Position, tuple[ChannelName, ...]] | None = None  # what is asked about
        self._asked_at = float("-inf")  # monotonic seconds of the last question in words
        self.in_words = False  # the transport has no pings

    async def after(self, channel: ChannelName) -> Position | None:
        """From where to replay a channel; None when this client never had it.

        An engine that forgets with its process cannot tell a stranger from a client it has forgotten: `reset` then.
        """
        node, app = self._session.node, self._session.app
        epoch = node.head(app).epoch
        if self._view is None:
            client, view = await node.clients.claim(app.id, self._client, epoch)
            self._stranger, self._view = client.stranger, view
            if self._released:  # the connection ended while we waited
                node.clients.release(app.id, self._client, view)
        offset = self._view.get(channel)
        if offset is None:
            return NOWHERE if self._stranger and not node.engine.lasting else None
        return NOWHERE if offset == LOST else Position(epoch, offset)

    def release(self) -> None:
        """The connection has ended."""
        if not self._released and self._view is not None:
            self._session.node.clients.release(self._session.app.id, self._client, self._view)
        self._released = True

    def joining(self, channels: Iterable[ChannelName], head: Position) -> bool:
        """Channels are about to be joined from `head`; True when one of them is new and must be settled.

        Only then may the client be told that it is in: had the server forgotten it after a crash, it would come back
        as a stranger and miss what it was promised.
        """
        view = self._claimed()
        new = [channel for channel in channels if channel not in view]
        for channel in new:
            self.joined(channel, head)
        return bool(new)

    def joined(self, channel: ChannelName, head: Position) -> None:
        """A channel went live, covered up to `head` by what has been written, though not yet received."""
        view = self._claimed()
        # What was replayed just now is not confirmed: keep the older offset until a pong says more.
        if view.setdefault(channel, head.offset) == LOST:
            view[channel] = head.offset
        while len(view) > MAX_HELD_CHANNELS:
            del view[next(iter(view))]
        self._save()

    def left(self, channel: ChannelName) -> None:
        """The client left a channel of its own accord."""
        if self._claimed().pop(channel, None) is not None:
            self._save()

    def due(self, head: Position) -> bool:
        """True when there is something to confirm and no question under way, nor too soon after one in words."""
        if self._pinged is not None or self._view is None:
            return False
        if self.in_words and self._session.node.clock() - self._asked_at < WORD_SECONDS:
            return False
        return any(self._view.get(name, head.offset) < head.offset for name in self._session.channels)

    def ping(self, head: Position) -> None:
        """Ask whether all up to `head` has arrived. Call only when all of it has been written."""
        if not self.in_words and self._session.transport.ping(str(head).encode()):
            self._pinged = head, tuple(self._session.channels)
        else:
            self.ask_in_words(head)

    def ask_in_words(self, head: Position) -> None:
        """Ask by a heartbeat of the protocol, unless one is under way: answers carry nothing that tells them apart."""
        self.in_words = True
        if self._pinged is not None:
            return
        self._asked_at = self._session.node.clock()
        self._session.say(Heartbeat(time=self._session.node.wall_ms()))  # writes what is pending before it
        self._pinged = head, tuple(self._session.channels)

    def answered(self) -> None:
        """The client answered a heartbeat. Where pings can be sent that is a sign of life and proves nothing more."""
        if self.in_words and self._pinged is not None:
            self._prove(*self._pinged)

    def confirmed(self, payload: bytes) -> None:
        """A pong came back. A payload that we never sent proves nothing (RFC 6455 5.5.3 allows unsolicited pongs)."""
        if not self.in_words and self._pinged is not None and payload == str(self._pinged[0]).encode():
            self._prove(*self._pinged)

    def _prove(self, position: Position, live: Iterable[ChannelName]) -> None:
        self._pinged = None
        view = self._claimed()
        for name in live:  # a channel that went live after the question is not proved by its answer
            if name in view:
                view[name] = max(view[name], position.offset)
        self._save()
        if self.due(self._session.node.head(self._session.app)):
            self._session.node.keeper.confirm_soon()

    def snapshot(self) -> View:
        """What this connection is known to have received."""
        return dict(self._view or {})

    def _claimed(self) -> View:
        """What this connection holds; nothing that matters before it has asked."""
        if self._view is None:
            self._view = {}
        return self._view

    def _save(self) -> None:
        self._session.node.clients.save(self._session.app.id, self._client)
