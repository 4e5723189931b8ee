"""The memory engine: its log, roster and cursors put together, and the timer that frees what has passed its age."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tidings.engines.base import Health, OptionsOf
from tidings.engines.memory.cursors import MemoryCursors
from tidings.engines.memory.log import MemoryLog
from tidings.engines.roster import LocalRoster
from tidings.hub.channel import DEFAULT_OPTIONS

SWEEP_SECONDS = 1.0
"""Between two sweeps. Reads and publishes drop by age themselves; the sweep only frees memory of silent channels."""


class MemoryEngine:
    """An `Engine` for one process that needs no disk. Every start is a new epoch.

    options: what each channel keeps. clock: seconds since the Unix epoch.
    """

    name = "memory"
    lasting = False
    durability = "an acknowledged publish is kept until the process ends"

    def __init__(
        self,
        *,
        options: OptionsOf = lambda app, channel: DEFAULT_OPTIONS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.broker = MemoryLog(options, clock)
        self.presence = LocalRoster()
        self.cursors = MemoryCursors(clock)
        self._timer: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Begin to accept publishes and reads."""
        self.broker.closed = False
        self._sweep(asyncio.get_running_loop(), 0)

    async def close(self) -> None:
        """Accept nothing more. Idempotent."""
        self.broker.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def health(self) -> Health:
        """Well while it is open."""
        return Health(
            ok=not self.broker.closed, detail="the engine is not open" if self.broker.closed else ""
        )

    def _sweep(self, loop: asyncio.AbstractEventLoop, begin: int) -> None:
        onward = self.broker.sweep(begin)
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop, onward)
