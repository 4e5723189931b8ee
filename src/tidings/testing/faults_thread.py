"""The fault proxy for tests and programs without an event loop: one thread with a loop of its own.

It decides nothing: each method runs the method of the same name of `faults.FaultProxy` in that loop and waits.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from tidings.testing.faults import Counts, Direction, FaultProxy

CALL_SECONDS = 10.0
"""Limit for one call into the loop; no call does more than open or close sockets."""

T = TypeVar("T")


class FaultProxyThread:
    """A `FaultProxy` in a thread. Listens from `__enter__` to `__exit__`; safe to call from any thread."""

    def __init__(self, target_host: str, target_port: int, *, port: int = 0, seed: int = 0) -> None:
        self._proxy = FaultProxy(target_host, target_port, port=port, seed=seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def host(self) -> str:
        """The address that clients dial."""
        return self._proxy.host

    @property
    def port(self) -> int:
        """The port that clients dial."""
        return self._proxy.port

    @property
    def counts(self) -> Counts:
        """A copy of what has happened so far."""
        return replace(self._proxy.counts)

    @property
    def link_count(self) -> int:
        """How many connections live now."""
        return len(self._proxy.links)

    def start(self) -> None:
        """Start the thread and listen. Raises OSError when the port is taken."""
        self._thread.start()
        try:
            self._await(self._proxy.accept())
        except OSError:
            self._stop_loop()
            raise

    def close(self) -> None:
        """End every connection and the thread."""
        self._await(self._proxy.close())
        self._stop_loop()

    def cut(self) -> int:
        """End all connections with FIN; returns how many there were."""
        return self._call(self._proxy.cut)

    def reset(self) -> int:
        """End all connections with RST; returns how many there were."""
        return self._call(self._proxy.reset)

    def drop_after(self, size: int, *, direction: Direction = Direction.DOWN) -> int:
        """Let each present connection pass `size` more bytes, then end it; returns how many there were."""
        return self._call(lambda: self._proxy.drop_after(size, direction=direction))

    def blackhole(self, direction: Direction = Direction.BOTH) -> None:
        """Keep connections open and pass nothing in `direction`, until `heal`."""
        self._call(lambda: self._proxy.blackhole(direction))

    def delay(self, seconds: float, *, jitter: float = 0.0) -> None:
        """Pass everything `seconds` later, plus up to `jitter` seconds, until `heal`."""
        self._call(lambda: self._proxy.delay(seconds, jitter=jitter))

    def drip(self, size: int, *, interval: float) -> None:
        """Pass at most `size` bytes in every `interval` seconds, until `heal`."""
        self._call(lambda: self._proxy.drip(size, interval=interval))

    def refuse(self) -> None:
        """Stop listening; present connections live on."""
        self._await(self._proxy.refuse())

    def accept(self) -> None:
        """Listen again. Raises OSError when the port is taken."""
        self._await(self._proxy.accept())

    def heal(self) -> None:
        """Fair weather for all connections, and accept again."""
        self._await(self._proxy.heal())

    def _call(self, act: Callable[[], T]) -> T:
        async def run() -> T:
            return act()

        return self._await(run())

    def _await(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(CALL_SECONDS)

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_SECONDS)
        self._loop.close()
