"""What a node's loop, memory and other channels feel while something passes: probes on the loop, a clock outside."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import deque
from types import TracebackType
from typing import Final, Self

import msgspec

from benchmarks.arrivals import quantile
from benchmarks.machine import CORES, resident_kb
from tidings.hub.sendqueue import Outlet
from tidings.ids import AppId, ChannelName, SessionId
from tidings.messages import Message
from tidings.node.node import Node
from tidings.protocols.neutral_writing import MessageEncoder

STEP_SECONDS: Final = 0.001
MEMORY_STEPS: Final = 5
"""Steps between two looks at the memory."""

TICKER: Final = "benchmarks.peers.ticker"
CHANNEL: Final = ChannelName("elsewhere")
EVENT: Final = "tick"


class Watched(msgspec.Struct, frozen=True):
    """hold: the longest time that the loop did not come round, in ms. grown: MiB of resident memory at the peak more
    than at the beginning. p50, p99: of publishes to a channel that has nothing to do with it, in ms."""

    hold: float
    grown: float
    p50: float
    p99: float


class Watch:
    """Publishes to a channel at moments that a process outside gives, and looks at loop and memory all the while.

    A publish counts from the moment outside to the write to a subscriber: a loop that is held makes it late.
    """

    def __init__(self, node: Node, app: AppId) -> None:
        self._node = node
        self._app = app
        self._sent: deque[float] = deque()
        self._took: list[float] = []
        self._holds: list[float] = []
        self._memory: list[int] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._ticker: Process | None = None

    async def __aenter__(self) -> Self:
        app = self._node.apps.by_id(self._app)
        outlet = Outlet(SessionId("0.1"), self._written, lambda: None)
        app.hub.complete(app.hub.join(outlet, (CHANNEL,), MessageEncoder(), _Whole()), (), after=0)
        self._ticker = await asyncio.create_subprocess_exec(sys.executable, "-m", TICKER, stdout=PIPE)
        if CORES is not None:
            os.sched_setaffinity(self._ticker.pid, {CORES[1]})
        self._tasks = [asyncio.create_task(self._look()), asyncio.create_task(self._publish(self._ticker))]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._ticker is not None:
            if self._ticker.returncode is None:
                self._ticker.kill()
            await self._ticker.wait()

    def begin(self) -> None:
        """From now on."""
        self._took.clear()
        self._holds.clear()
        self._memory[:] = [resident_kb(os.getpid())]

    def end(self) -> Watched:
        """Up to now."""
        took = self._took or [0.0]
        return Watched(
            hold=max(self._holds, default=0.0),
            grown=(max(self._memory) - self._memory[0]) / 1024,
            p50=quantile(took, 0.5),
            p99=quantile(took, 0.99),
        )

    async def _look(self) -> None:
        before, steps = time.perf_counter(), 0
        while True:
            await asyncio.sleep(STEP_SECONDS)
            now = time.perf_counter()
            self._holds.append((now - before - STEP_SECONDS) * 1e3)
            before, steps = now, steps + 1
            if steps % MEMORY_STEPS == 0:
                self._memory.append(resident_kb(os.getpid()))
                before = time.perf_counter()

    async def _publish(self, ticker: Process) -> None:
        assert ticker.stdout is not None
        async with asyncio.TaskGroup() as publishes:
            async for line in ticker.stdout:
                self._sent.append(float(line))
                publishes.create_task(self._tick())

    async def _tick(self) -> None:
        message = Message(id="tick", channel=CHANNEL, event=EVENT, data=b'{"n":1}', time=1)
        await self._node.engine.broker.publish(self._app, (message,))

    def _written(self, data: bytes) -> None:
        now = time.perf_counter()
        for _ in range(data.count(b'"event":"tick"')):
            self._took.append((now - self._sent.popleft()) * 1e3)


class _Whole:
    """A framer that adds nothing."""

    key = "whole"

    def frame(self, payload: bytes) -> bytes:
        return payload
