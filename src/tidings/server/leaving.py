"""Hears that the process is told to end, so that streams end before the host waits for them. Ends nothing itself.

A server such as uvicorn tells an application of its end only when every connection is closed, and a stream is never
closed by itself (docs/decisions/0005-library-mode-hears-signals.md).
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

Handler = Callable[[int, FrameType | None], object]


class _Ear:
    """One handler before another."""

    __slots__ = ("leaving", "previous")

    def __init__(self, leaving: Leaving, previous: Handler) -> None:
        self.leaving = leaving
        self.previous = previous

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.leaving.heard()
        self.previous(number, frame)


class Leaving:
    """Calls `end` in the loop at a signal, then lets the host's own handler have it.

    end: may be called more than once. A signal whose handling is the system's own is left alone: the process would
    die of it with or without us.
    """

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._loop: asyncio.AbstractEventLoop | None = None

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

    def heard(self) -> None:
        """A signal came, in the middle of anything: the loop acts on it."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end)

    def _stands_in(self, handler: object) -> bool:
        """Whether one of the ears that stand one before another is ours."""
        while isinstance(handler, _Ear):
            if handler.leaving is self:
                return True
            handler = handler.previous
        return False
