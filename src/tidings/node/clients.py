"""What clients with a stable id are known to have received, over all their connections. Holds no connection itself.

One id may have several connections at once: two tabs with one id in their storage, or a connection that the server
still holds while its client has already come back. The record must be right for each that may return, so it keeps for
each channel the *least* that any of them has received. Sending again is safe; a cursor that ran ahead is a loss.

An id should name one tab (the page keeps it in its session storage). What cannot be told apart is a *new* tab under an
id whose former connection has just ended: it is taken for that one coming back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from tidings.engines.base import CursorStore, Held
from tidings.ids import AppId, ChannelName, ClientId

LOST: Final = -1
"""Stands for an offset that cannot be continued from: its epoch has ended, or its connection was given up."""

SUCCEEDED_SECONDS: Final = 120.0
"""After which an ended connection is taken to have been succeeded by one that is there: a client comes back within
seconds. Should another one come for it after all, it is told `reset`."""

View = dict[ChannelName, int]
"""Channel → offset up to which one connection has surely received all."""


class Client:
    """One stable id. A connection claims a view when it begins and releases it when it ends.

    clock: monotonic seconds. epoch: the log's; offsets of another one are lost.
    """

    def __init__(self, epoch: str, held: Held | None, clock: Callable[[], float]) -> None:
        self.epoch = epoch
        self.stranger = held is None
        self._clock = clock
        self._live: list[View] = []
        self._given_up: set[ChannelName] = set()  # channels of connections taken to have been succeeded
        self._ended: View = (
            {} if held is None else dict(held.channels)
        )  # the least over the connections that ended
        self._ended_count = 0 if held is None else held.connections
        self._ended_at = clock()
        if held is not None and held.epoch != epoch:
            self._ended = dict.fromkeys(self._ended, LOST)

    @property
    def busy(self) -> bool:
        """True while a connection is there."""
        return bool(self._live)

    def claim(self) -> View:
        """Begin a connection: what it may be taken to have received."""
        self._give_up()
        if self._ended_count:
            view = dict(self._ended)
            self._ended_count -= 1
            if not self._ended_count:
                self._ended = {}
        else:  # beside those that are there: a second tab, or a client that came back before its end was noticed
            view = least(self._live)
            view.update(dict.fromkeys(self._given_up, LOST))
        self._live.append(view)
        return view

    def release(self, view: View) -> None:
        """End a connection. What it had received waits for whoever comes back."""
        self._live = [other for other in self._live if other is not view]
        if view:
            self._ended = least([self._ended, view])
            self._ended_count += 1
            self._ended_at = self._clock()

    def held(self) -> Held:
        """What to keep for the time after a crash: every connection may come back then."""
        self._give_up()
        count = len(self._live) + self._ended_count
        return Held(epoch=self.epoch, channels=least([self._ended, *self._live]), connections=max(1, count))

    def _give_up(self) -> None:
        """Those that ended long ago, while another is there, have been succeeded by it."""
        if self._live and self._ended_count and self._clock() - self._ended_at > SUCCEEDED_SECONDS:
            self._given_up.update(self._ended)
            self._ended, self._ended_count = {}, 0


def least(views: Iterable[View]) -> View:
    """For each channel the least of the offsets that there are."""
    found: View = {}
    for view in views:
        for channel, offset in view.items():
            found[channel] = min(offset, found.get(channel, offset))
    return found


class Clients:
    """The ids that have a connection on this node. Those without one are in the engine's store."""

    def __init__(self, store: CursorStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._clients: dict[tuple[AppId, ClientId], Client] = {}

    async def claim(self, app: AppId, client: ClientId, epoch: str) -> tuple[Client, View]:
        """Begin a connection of an id. Raises EngineUnavailable."""
        found = self._clients.get((app, client))
        if found is None:
            held = await self._store.held(app, client)
            # Another connection of the id may have come while we waited: it is then the one that counts.
            found = self._clients.setdefault((app, client), Client(epoch, held, self._clock))
        return found, found.claim()

    def save(self, app: AppId, client: ClientId) -> None:
        """Note the record of an id."""
        found = self._clients.get((app, client))
        if found is not None:
            self._store.hold(app, client, found.held())

    def release(self, app: AppId, client: ClientId, view: View) -> None:
        """End a connection of an id."""
        found = self._clients.get((app, client))
        if found is None:
            return
        found.release(view)
        self._store.hold(app, client, found.held())
        if not found.busy:
            del self._clients[(app, client)]
