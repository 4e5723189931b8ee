"""The long poll: what lies after a cursor, at once or as soon as there is something. Holds no HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tidings.engines.base import Page
from tidings.hub.filtering import Sift
from tidings.hub.sendqueue import Outlet
from tidings.ids import ChannelName, SessionId
from tidings.messages import Message, Position
from tidings.node.apps import App
from tidings.row_filters import RowFilter

if TYPE_CHECKING:
    from tidings.node.node import Node


class _Silent:
    """Encoder and framer of a waiting poll: it only wants to know that there is something."""

    key: Final = "poll"

    def encode(self, message: Message) -> bytes:
        return b""

    def frame(self, payload: bytes) -> bytes:
        return payload


_SILENT: Final = _Silent()

MAX_EMPTIED_PAGES: Final = 100
"""Pages in a row that a filter may empty before a poll is answered without messages: 50,000 messages, or 100 MiB. The
answer's cursor stands behind them, so a reader far back still arrives, and no request reads without end."""


class Polled(Page, frozen=True, kw_only=True):
    """A page for one poll. reached: how far its log was read, where a filter kept messages back.

    Its cursor may stand there: what lies before was told, or is not for this reader.
    """

    reached: Position | None = None


async def poll(
    node: Node,
    app: App,
    channels: tuple[ChannelName, ...],
    after: Position | None,
    wait: float,
    filter: RowFilter | None = None,
) -> Polled:
    """What lies after a cursor; when there is nothing, wait for something and read again. Without a cursor: none.

    A cursor of another epoch is answered at once. With a filter, what it keeps back neither ends the wait nor is read
    twice. Rights are the caller's matter.
    """
    if after is None:
        return Polled(head=node.head(app))
    woken = asyncio.Event()
    node.polls.add(woken)
    outlet = Outlet(SessionId("0.0"), lambda data: woken.set(), lambda: None)
    app.hub.complete(app.hub.join(outlet, channels, _SILENT, _SILENT, filter=filter), (), after=0)
    deadline = node.clock() + wait
    reading = _Reading(node, app, channels, after, filter)
    try:
        while True:
            woken.clear()
            page = await reading.more()
            left = deadline - node.clock()
            over = node.draining or node.apps.get(app.id) is not app  # sent away, like any other client
            if page.messages or page.resets or left <= 0 or over:
                return page
            try:
                async with asyncio.timeout(left):
                    await woken.wait()
            except TimeoutError:
                # With a filter once more: the cursor passes what was kept back.
                return page if filter is None else await reading.more()
    finally:
        node.polls.discard(woken)
        for channel in channels:
            app.hub.leave(outlet, channel)


class _Reading:
    """One poll's way through the log."""

    def __init__(
        self,
        node: Node,
        app: App,
        channels: tuple[ChannelName, ...],
        after: Position,
        filter: RowFilter | None,
    ) -> None:
        self._node = node
        self._app = app
        self._channels = channels
        self._at = after  # where to read on
        self._reached: Position | None = None  # the last message that was read, told or not
        self._sift = Sift(filter)

    async def more(self) -> Polled:
        """The next page that holds something; an empty one when nothing that passes lies before the head."""
        for _ in range(MAX_EMPTIED_PAGES - 1):
            page = await self._read()
            if page.messages or page.resets or page.complete:
                return page
            await asyncio.sleep(0)
        return await self._read()

    async def _read(self) -> Polled:
        page = await self._node.engine.broker.read(self._app.id, self._channels, self._at)
        if self._sift.filter is not None and page.messages:
            self._reached = page.messages[-1].position
            self._at = self._reached or self._at
        return Polled(
            messages=tuple(self._sift.told(page.messages)),
            head=page.head,
            complete=page.complete,
            resets=page.resets,
            reached=self._reached,
        )
