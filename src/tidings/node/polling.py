"""The long poll: what lies after a cursor, at once or as soon as there is something. Holds no HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tidings.engines.base import Page
from tidings.hub.sendqueue import Outlet
from tidings.ids import ChannelName, SessionId
from tidings.messages import Message, Position
from tidings.node.apps import App

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


async def poll(node: Node, app: App, channels: tuple[ChannelName, ...], after: Position, wait: float) -> Page:
    """Read; when there is nothing, wait for something and read again. A cursor of another epoch is answered at once."""
    woken = asyncio.Event()
    node.polls.add(woken)
    outlet = Outlet(SessionId("0.0"), lambda data: woken.set(), lambda: None)
    app.hub.complete(app.hub.join(outlet, channels, _SILENT, _SILENT), (), after=0)
    deadline = node.clock() + wait
    try:
        while True:
            woken.clear()
            page = await node.engine.broker.read(app.id, channels, after)
            left = deadline - node.clock()
            over = node.draining or node.apps.get(app.id) is not app  # sent away, like any other client
            if page.messages or page.resets or left <= 0 or over:
                return page
            try:
                async with asyncio.timeout(left):
                    await woken.wait()
            except TimeoutError:
                return page
    finally:
        node.polls.discard(woken)
        for channel in channels:
            app.hub.leave(outlet, channel)
