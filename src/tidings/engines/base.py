"""The ports of an engine: broker, presence store, cursor store. Holds contracts, no implementation.

An engine keeps one log per app. Its promise, checked by one shared suite (`tests/engines`):

1. Appending, numbering and telling are one atomic step. What `publish` returns is as durable as the engine states.
2. Offsets rise strictly over the whole app; `previous` is the offset before it on the same channel.
3. The listener gets every message exactly once, in offset order, after it is durable and before `publish` returns.
   What it gets, `read` can read.
4. A cursor below a channel's floor, from another epoch or ahead of the log, is told in `Page.resets`. Never a part
   called whole.
5. A repeated idempotency key stores nothing and returns the first positions. A source's progress is kept in one step
   with its messages; what it covers already stores nothing.
6. A page, and `head`, never reach beyond what this node's listener was told. What comes later, the listener gets; so
   a reader that joins history to live messages sees each exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from tidings.changes import Progress
from tidings.hub.channel import ChannelOptions
from tidings.ids import AppId, ChannelName, ClientId, SessionId, UserId
from tidings.messages import Message, Position
from tidings.presence import Joined, Left, Member

MAX_KEY_LENGTH = 192
"""Characters of an idempotency key: it is stored with the log, so it must be small. A publisher's 128, and the name
space that each way in puts before them."""

KEY_WINDOW = 24 * 3600.0
"""Seconds for which an idempotency key is remembered at least: as long as messages are kept by default."""

PAGE_MESSAGES = 500
"""Messages in one page of history by default: about a millisecond of encoding, so that nobody else waits long."""

PAGE_BYTES = 1 << 20
"""Bytes of message data in one page by default. At least one message is always given."""


class Published(msgspec.Struct, frozen=True):
    """The receipt of a publish: a position for each message, in order. `repeated` when the key was known, or when the
    progress was covered already: then there are no positions."""

    positions: tuple[Position, ...]
    repeated: bool = False


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the log on some channels, taken at one instant.

    messages: in offset order, over all channels asked for that need no reset.
    head: the app's newest position at that instant.
    complete: True when nothing on these channels lies between the last message and `head`.
    resets: channel to a reason of `errors.RESET_REASONS`, for each channel that cannot be continued from the cursor.
    """

    messages: tuple[Message, ...] = ()
    head: Position
    complete: bool = True
    resets: Mapping[ChannelName, str] = {}


class DeclaredGap(msgspec.Struct, frozen=True, kw_only=True):
    """Told to the listener: on channels that match, what lies before `position` may be missing."""

    pattern: str
    reason: str
    position: Position


Listener = Callable[[AppId, Sequence[Message | DeclaredGap]], None]
"""Called on the event loop, in offset order. Must not raise and must not wait."""

OptionsOf = Callable[[AppId, ChannelName], ChannelOptions]
"""How an engine learns what a channel keeps."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """The cursor that the server holds for a client that knows nothing of cursors.

    channels: channel to the offset up to which every connection of this client that is in it has received all.
    connections: how many connections there are, or were when the process ended, that may come back for it.
    """

    epoch: str
    channels: Mapping[ChannelName, int]
    connections: int = 1


class Broker(Protocol):
    """The log of each app, and the way to every node that listens."""

    def listen(self, listener: Listener) -> None:
        """Set who is told of new messages. Called once, before `open`."""
        ...

    async def publish(
        self,
        app: AppId,
        messages: Sequence[Message],
        *,
        key: str | None = None,
        progress: Progress | None = None,
    ) -> Published:
        """Append messages as one step: all or none, with neighbouring offsets.

        messages: without position. An empty sequence without progress is an error of the caller.
        key: the same key within `KEY_WINDOW` stores nothing and returns the first receipt.
        progress: how far the source of these messages is with them; kept in the same step, for as long as the log.
        What the last progress of this source covers stores nothing. Its seals replace those that are kept; without
        seals they stay (`Progress.upon`). Other seals at the same checkpoint are news, and stored.

        Raises Refusal `key_reused` when the key was used for other messages (channel, event, data are compared),
        EngineUnavailable when the log cannot be written now; then nothing was stored, or at most once if the
        process dies at that moment.
        """
        ...

    def relay(self, app: AppId, message: Message) -> None:
        """Tell an ephemeral message to every node's listener. Not stored, not promised."""
        ...

    async def read(
        self,
        app: AppId,
        channels: Sequence[ChannelName],
        after: Position,
        *,
        max_messages: int = PAGE_MESSAGES,
        max_bytes: int = PAGE_BYTES,
    ) -> Page:
        """Read what lies after a position on some channels. Raises EngineUnavailable."""
        ...

    def head(self, app: AppId) -> Position:
        """The newest position that this node's listener was told; offset 0 when the log is empty. Does not wait."""
        ...

    async def latest(self, app: AppId, channel: ChannelName) -> Message | None:
        """The last message of a latest-value channel, also when history no longer holds it."""
        ...

    async def progress(self, app: AppId, source: str) -> Progress | None:
        """How far a source has come; None when it never wrote to this log. Raises EngineUnavailable."""
        ...

    async def declare_gap(self, app: AppId, pattern: str, reason: str) -> Position:
        """State durably that channels matching `pattern` lost changes before now.

        Takes an offset of its own. Every cursor before it gets `reset` on those channels; the listener is told.
        """
        ...


class PresenceStore(Protocol):
    """Who is in a channel, over all nodes. Each operation is atomic: the store says who was first and who was last."""

    async def add(
        self, app: AppId, channel: ChannelName, session: SessionId, member: Member, *, max_members: int
    ) -> Joined:
        """Note a session's arrival. Adding it again changes its user's info. Raises Refusal `presence_full`."""
        ...

    async def remove(self, app: AppId, channel: ChannelName, session: SessionId) -> Left | None:
        """Note a session's departure; None when it was not there."""
        ...

    async def members(self, app: AppId, channel: ChannelName) -> tuple[Member, ...]:
        """Everybody in the channel, one entry per user, oldest first."""
        ...

    async def user_sessions(self, app: AppId, channel: ChannelName, user: UserId) -> int:
        """How many sessions a user has in a channel."""
        ...


class CursorStore(Protocol):
    """Cursors that the server holds for clients with a stable id.

    Losing the newest position of a channel is safe: more is sent again. Losing that a client was in a channel at all
    is not: it would come back as a stranger. So a new channel is settled before the client is told that it is in.
    """

    def hold(self, app: AppId, client: ClientId, held: Held) -> None:
        """Note a cursor. Written within about a second."""
        ...

    async def settle(self) -> None:
        """Return when every cursor noted so far is as durable as the log. Raises EngineUnavailable."""
        ...

    async def held(self, app: AppId, client: ClientId) -> Held | None:
        """The last cursor noted, also one that is not on disk yet; None for a client never seen or long gone."""
        ...


class Health(msgspec.Struct, frozen=True):
    """Whether the engine can be heard and written, and why not."""

    ok: bool
    detail: str = ""


class Engine(Protocol):
    """A broker and its stores that belong together."""

    name: str
    durability: str
    """One sentence: what an acknowledged publish survives."""
    lasting: bool
    """Whether log and held cursors outlive the process. Where they do not, a client whose cursor is not held may have
    been forgotten, and is told `reset`."""

    @property
    def broker(self) -> Broker: ...

    @property
    def presence(self) -> PresenceStore: ...

    @property
    def cursors(self) -> CursorStore: ...

    async def open(self) -> None:
        """Open the log; call from the event loop that will be told. Raises EngineError when it cannot be used."""
        ...

    async def close(self) -> None:
        """Write what is pending, then close. Idempotent."""
        ...

    def health(self) -> Health:
        """What is known without waiting."""
        ...
