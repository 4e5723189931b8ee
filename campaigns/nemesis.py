"""Carries out a plan against a running server and its clients' connections. It decides nothing: `plan` did."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from campaigns.plan import Cut, Kill, Manner, Strike
from tidings.testing.faults import Direction, FaultProxy
from tidings.testing.process import ServerProcess

VICTIM_SECONDS = 20.0
"""How long to wait for a victim that is between two connections: cutting nothing must not count as a cut."""


@dataclass(slots=True)
class Toll:
    """What has been done so far. Times in seconds."""

    kills: int = 0
    cuts: int = 0
    victims_missed: int = 0
    longest_start: float = 0.0


class Nemesis:
    """Strikes one after another; blackholes go on beside the strikes that follow."""

    def __init__(self, server: ServerProcess, proxies: Sequence[FaultProxy]) -> None:
        self.toll = Toll()
        self._server = server
        self._proxies = proxies

    async def run(self, plan: Sequence[Strike]) -> None:
        """Carry out the plan; returns when the last server is ready and every line is healed."""
        async with asyncio.TaskGroup() as holding:
            for strike in plan:
                await asyncio.sleep(strike.wait)
                match strike:
                    case Kill():
                        await self._kill()
                    case Cut():
                        await self._cut(strike, holding)

    async def _kill(self) -> None:
        await asyncio.to_thread(self._server.kill9)
        self.toll.kills += 1
        took = await asyncio.to_thread(self._server.restart)
        self.toll.longest_start = max(self.toll.longest_start, took)

    async def _cut(self, cut: Cut, holding: asyncio.TaskGroup) -> None:
        proxy = self._proxies[cut.victim]
        try:
            async with asyncio.timeout(VICTIM_SECONDS):
                await proxy.linked()
        except TimeoutError:
            self.toll.victims_missed += 1
            return
        self.toll.cuts += 1
        match cut.manner:
            case Manner.FIN:
                proxy.cut()
            case Manner.RST:
                proxy.reset()
            case Manner.TORN:
                proxy.drop_after(cut.size)
            case Manner.BLACKHOLE:
                holding.create_task(_hold(proxy, Direction.BOTH, cut.hold))
            case Manner.DEAF:
                holding.create_task(_hold(proxy, Direction.DOWN, cut.hold))


async def _hold(proxy: FaultProxy, direction: Direction, seconds: float) -> None:
    """Swallow what is sent for a while; then end the connections with what they swallowed."""
    proxy.blackhole(direction)
    await asyncio.sleep(seconds)
    proxy.reset()
    await proxy.heal()
