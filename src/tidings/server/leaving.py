"""Hears that the process is told to end, and has streams ended before the host hears of it. Ends nothing itself.

A server such as uvicorn tells an application of its end only when every connection is closed, and a stream is never
closed by itself (docs/decisions/0005-library-mode-hears-signals.md). WebSockets it closes in its own way, so who is to
be told goodbye must be told before.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from types import FrameType
from typing import Final

log = logging.getLogger(__name__)

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

FIRST_SECONDS: Final = 1.0
"""How long the host waits at most for us to have ended: what a client that reads slowly may cost it."""

Handler = Callable[[int, FrameType | None], object]


class _Ear:
    """One handler before another."""

    __slots__ = ("leaving", "previous")

    def __init__(self, leaving: Leaving, previous: Handler) -> None:
        self.leaving = leaving
        self.previous = previous

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self.leaving.heard(partial(self.previous, number, None)):
            self.previous(number, frame)


class Leaving:
    """Calls `end` in the loop at a signal, and lets the host's own handler have the signal when that is done.

    A second signal goes on at once. One whose handling is the system's own is left alone: the process would die of it
    with or without us. What a loop handles by itself (`add_signal_handler`) hears of it beside us.
    """

    def __init__(self, end: Callable[[], Awaitable[None]]) -> None:
        self._end = end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Task[None] | None = None
        self._heard = False

    def listen(self) -> None:
        """Stand before the handlers that are there now. Cheap, and to be called again: a server sets its own when it
        begins, which may be after us. Elsewhere than in the main thread nothing is done; no signals come there."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._loop = asyncio.get_running_loop()
        for number in SIGNALS:
            found = signal.getsignal(number)
            if callable(found) and not self._stands_in(found):
                signal.signal(number, _Ear(self, found))

    def close(self) -> None:
        """Put back what was there. Where somebody stands before us, we stay and pass everything on."""
        self._loop = None
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            found: object = signal.getsignal(number)
            above: _Ear | None = None
            while isinstance(found, _Ear) and found.leaving is not self:
                above, found = found, found.previous
            if not isinstance(found, _Ear):
                continue
            if above is None:
                signal.signal(number, found.previous)
            else:
                above.previous = found.previous

    def heard(self, pass_on: Callable[[], object]) -> bool:
        """A signal came, in the middle of anything: the loop acts on it. Whether `pass_on` will be called."""
        if self._heard or self._loop is None or self._loop.is_closed():
            return False
        self._heard = True
        self._loop.call_soon_threadsafe(self._begin, pass_on)
        return True

    def _begin(self, pass_on: Callable[[], object]) -> None:
        self._ending = asyncio.ensure_future(self._end_first(pass_on))

    async def _end_first(self, pass_on: Callable[[], object]) -> None:
        try:
            async with asyncio.timeout(FIRST_SECONDS):
                await self._end()
        except TimeoutError:
            pass
        except Exception:
            log.exception("end_failed")
        finally:
            self._heard = False  # a host that goes on may be told to end again
            pass_on()

    def _stands_in(self, handler: object) -> bool:
        """Whether one of the ears that stand one before another is ours."""
        while isinstance(handler, _Ear):
            if handler.leaving is self:
                return True
            handler = handler.previous
        return False
