"""Deadlines of connections: one sweep for all instead of a timer each. Holds no opinion on what a deadline means."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

log = logging.getLogger(__name__)

TICK: Final = 0.25
"""Seconds between two sweeps while there is a deadline. One that falls before the next sweep counts as passed, so a
deadline is met up to so much early, never late."""


class Mortal(Protocol):
    """Something that ends when its time is over."""

    def expired(self) -> None:
        """The deadline has passed; it is no longer set."""
        ...


class Deadlines:
    """The deadlines of one event loop. Setting and clearing one costs a dictionary entry."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._at: dict[Mortal, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._at)

    def set(self, mortal: Mortal, seconds: float) -> None:
        """End `mortal` in `seconds`; replaces its earlier deadline."""
        self._at[mortal] = self.loop.time() + seconds
        if self._timer is None:
            self._timer = self.loop.call_later(TICK, self._sweep)

    def clear(self, mortal: Mortal) -> None:
        """Take a deadline back; harmless when there is none."""
        self._at.pop(mortal, None)

    def close(self) -> None:
        """Forget everything."""
        self._at.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        now = self.loop.time()
        over = [mortal for mortal, at in self._at.items() if at <= now + TICK]
        for mortal in over:
            del self._at[mortal]
        self._timer = self.loop.call_later(TICK, self._sweep) if self._at else None
        for mortal in over:
            try:
                mortal.expired()
            except Exception:  # one connection's fault must not spare all that are over with it
                log.exception("deadline_failed")


_of_loop: dict[asyncio.AbstractEventLoop, Deadlines] = {}


def deadlines_of(loop: asyncio.AbstractEventLoop) -> Deadlines:
    """The deadlines of a loop; those of loops that are closed are dropped."""
    found = _of_loop.get(loop)
    if found is None:
        for old in [old for old in _of_loop if old.is_closed()]:
            del _of_loop[old]
        found = _of_loop[loop] = Deadlines(loop)
    return found
