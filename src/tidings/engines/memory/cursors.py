"""Cursors held for clients, in memory: lost with the process, as the log that they point into."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from tidings.engines.base import Held
from tidings.ids import AppId, ClientId

HELD_MAX = 100_000
"""Clients whose cursor is remembered, about 1 kB each. Beyond, who was silent longest starts without history."""

HELD_SECONDS = 24 * 3600.0
"""As long as messages are kept by default: an older cursor would get `reset` anyway."""


class MemoryCursors:
    """A `CursorStore`: the last cursor of each client, by silence."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held: OrderedDict[tuple[AppId, ClientId], tuple[float, Held]] = OrderedDict()

    def hold(self, app: AppId, client: ClientId, held: Held) -> None:
        """Note a cursor."""
        now = self._clock()
        self._held[(app, client)] = now, held
        self._held.move_to_end((app, client))
        while len(self._held) > HELD_MAX or next(iter(self._held.values()))[0] <= now - HELD_SECONDS:
            self._held.popitem(last=False)

    async def settle(self) -> None:
        """Nothing here is more durable than it was."""

    async def held(self, app: AppId, client: ClientId) -> Held | None:
        """The last cursor noted; None for a client never seen or long gone."""
        known = self._held.get((app, client))
        if known is None or known[0] <= self._clock() - HELD_SECONDS:
            return None
        return known[1]
