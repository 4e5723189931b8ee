"""How many subscribers a channel has on this node, told to whom it may concern. Holds no subscriber: the hub does.

Observers hear of the first and the last; subscribers hear the number, where the app wants it. A number is told once
for each turn of the loop in which it changed, and in a large channel at most every `PAUSE_SECONDS`; the last one is
always told in the end.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from tidings.ids import AppId, ChannelName, new_message_id
from tidings.messages import Message
from tidings.node.occurrences import Occurrence, OccurrenceKind

if TYPE_CHECKING:
    from tidings.node.apps import App
    from tidings.node.node import Node

LARGE: Final = 100
"""Subscribers above which a number is told seldom (pusher.md 1.3): each change costs a frame for everybody."""

PAUSE_SECONDS: Final = 5.0
"""Between two numbers told to a large channel."""


class _Told(msgspec.Struct):
    """The last number told of a channel, and when (monotonic seconds)."""

    count: int
    at: float


class Counts:
    """The counts of one node's channels."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._changed: dict[tuple[AppId, ChannelName], App] = {}
        self._told: dict[tuple[AppId, ChannelName], _Told] = {}
        self._scheduled = False

    def changed(self, app: App, channel: ChannelName, before: int, after: int) -> None:
        """A subscriber came or went. Costs next to nothing where nobody wants to know."""
        if not (self._node.observed or app.settings.subscription_count or self._told):
            return
        if not after:
            self._told.pop((app.id, channel), None)  # also where telling has been switched off meanwhile
        options = app.options(channel)
        if options.owner is not None:  # a channel of one user: who is signed in is nobody else's matter
            return
        if self._node.observed and not (before and after):
            self._occur(app, channel, "channel_vacated" if before else "channel_occupied")
        if (
            options.presence or not app.settings.subscription_count
        ):  # members are counted on presence channels
            return
        self._changed[app.id, channel] = app
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._soon)

    def sweep(self) -> None:
        """Tell the numbers whose time has come. Called by the keeper, and after each change."""
        if not self._changed:
            return
        now = self._node.clock()
        waiting, self._changed = self._changed, {}
        for key, app in waiting.items():
            count, told = app.hub.subscribers(key[1]), self._told.get(key)
            if not count:
                self._told.pop(key, None)
            elif told is not None and count > LARGE and now - told.at < PAUSE_SECONDS:
                self._changed[key] = app
            elif told is None or told.count != count:
                self._told[key] = _Told(count, now)
                self._tell(app, key[1], count)

    def _soon(self) -> None:
        self._scheduled = False
        self.sweep()

    def _tell(self, app: App, channel: ChannelName, count: int) -> None:
        """To this node's subscribers alone: another node has a count of its own."""
        app.hub.deliver(
            Message(
                id=new_message_id(),
                channel=channel,
                event="subscription_count",
                data=b"%d" % count,
                time=self._node.wall_ms(),
                kind="count",
            )
        )
        if self._node.observed:
            self._occur(app, channel, "subscription_count", count)

    def _occur(self, app: App, channel: ChannelName, kind: OccurrenceKind, count: int | None = None) -> None:
        time = self._node.wall_ms()
        self._node.tell(Occurrence(kind=kind, app=app.id, channel=channel, time=time, count=count))
