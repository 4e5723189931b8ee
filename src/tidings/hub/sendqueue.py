"""Where one session's bytes go: straight to its transport, or while that is full into a bounded queue.

Holds no socket: `write` is given. The bytes are shared between sessions; the queue holds references only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tidings.ids import SessionId

if TYPE_CHECKING:
    from tidings.hub.fanout import FanoutGroup

SEND_BUFFER: Final = 1 << 20
"""Bytes that may wait for one session (contract 9). Enough for a second of a busy board over a poor line; above it the
client is so late that coming back with its cursor is cheaper than holding its memory."""

Write = Callable[[bytes], None]


class Outlet:
    """One session's way out.

    write: hands framed bytes to the transport; must not raise and must not wait.
    on_full: called once, when the queue passed `limit` bytes; the session is then cut.
    """

    __slots__ = (
        "_on_full",
        "closed",
        "groups",
        "limit",
        "on_resume",
        "paused",
        "pending",
        "queue",
        "queued",
        "session",
        "write",
    )

    def __init__(
        self, session: SessionId, write: Write, on_full: Callable[[], None], *, limit: int = SEND_BUFFER
    ) -> None:
        self.session = session
        self.write = write
        self.limit = limit
        self.queue: deque[bytes] | None = (
            None  # made when first needed: an empty deque costs 0.7 kB a connection
        )
        self.queued = 0  # bytes in `queue`
        self.pending: list[bytes] = []  # collected within one flush, for sessions on several channels
        self.groups: dict[FanoutGroup, None] = {}  # every group this outlet is a member of
        self.paused = False
        self.closed = False
        self.on_resume: Callable[[], None] | None = (
            None  # told when there is room again; set while somebody waits
        )
        self._on_full = on_full

    def send(self, data: bytes) -> None:
        """Write now, or keep the order behind what already waits."""
        if self.closed:
            return
        if not self.paused:
            self.write(data)
            return
        if self.queue is None:
            self.queue = deque()
        self.queue.append(data)
        self.queued += len(data)
        if self.queued > self.limit:
            self.close()
            self._on_full()

    def pause(self) -> None:
        """The transport's buffer is above its mark: leave the fast lists of all groups."""
        if self.paused or self.closed:
            return
        self.paused = True
        for group in self.groups:
            group.slow_down(self)

    def resume(self) -> None:
        """The transport has room: write what waited, then return to the fast lists.

        The transport may pause us again in the middle; what is left then stays queued, in order.
        """
        if not self.paused or self.closed:
            return
        self.paused = False
        while self.queue and not self.paused:
            data = self.queue.popleft()
            self.queued -= len(data)
            self.write(data)
        if not self.queue:
            self.queue = None
        if not self.paused:
            for group in self.groups:
                group.speed_up(self)
            if self.on_resume is not None:
                self.on_resume()

    def close(self) -> None:
        """Drop what waits and take nothing more. Memberships are removed by the hub."""
        self.closed = True
        self.queue = None
        self.queued = 0
