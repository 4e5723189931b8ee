"""From a change source into the log: route, append, acknowledge, for as long as the node runs. Holds no rule.

A transaction is acknowledged only after its messages are in the log. A crash between the two repeats it; the key made
from its checkpoint lets the log drop the repeat.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tidings.changes import Gap, Transaction
from tidings.engines.base import Broker
from tidings.errors import EngineUnavailable, Refusal, SourceError
from tidings.ids import AppId
from tidings.messages import Message
from tidings.node.metrics import Metrics
from tidings.sources.base import ChangeSource

if TYPE_CHECKING:
    from tidings.sources.router import ChangeRouter

log = logging.getLogger(__name__)

CHUNK: Final = 500
"""Messages appended in one step, so that a huge transaction never holds the log or the loop."""

RETRY_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Waits between tries while the log or the database cannot be used; the last one repeats. Nothing is given up."""


class Pump:
    """Moves one source's changes into one app's log."""

    def __init__(
        self, app: AppId, source: ChangeSource, router: ChangeRouter, broker: Broker, metrics: Metrics
    ) -> None:
        self.source = source
        self._app = app
        self._router = router
        self._broker = broker
        self._metrics = metrics
        self.fault = ""  # what keeps it from moving on, for /readyz

    async def run(self) -> None:
        """Run until cancelled. A source that fails is opened again; its health says why."""
        tries = 0
        while True:
            try:
                async for transaction in self.source.transactions():
                    await self._move(transaction)
                    tries, self.fault = 0, ""
            except SourceError as error:
                self.fault = str(error)
                log.warning("source_failed", extra={"source": self.source.name, "error": self.fault})
            except (
                Exception
            ) as error:  # a fault of ours must be seen and tried again, never end the pump in silence
                self.fault = f"{type(error).__name__}: {error}"
                log.exception("pump_failed", extra={"source": self.source.name})
            await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
            tries += 1

    async def _move(self, transaction: Transaction) -> None:
        for gap in self._gaps(transaction):
            for pattern in self._router.patterns(gap):
                await self._insist(pattern, gap)
        key = self.source.key(transaction.checkpoint)
        messages = self._router.route(transaction, key)
        for start in range(0, len(messages), CHUNK):
            await self._append(messages[start : start + CHUNK], f"{key}/{start}")
        await self.source.acknowledge(transaction.checkpoint)
        self._metrics.captured.labels(self.source.name).inc(len(transaction.changes))
        lag = self.source.health().lag
        self._metrics.source_lag.labels(self.source.name).set(lag or 0)

    def _gaps(self, transaction: Transaction) -> list[Gap]:
        """The gaps to declare. Not that of a database captured for the first time, while the log is still empty: there
        is no message that anybody could have missed, and no earlier state that anybody could have read from us."""
        first = transaction.gap is not None and transaction.gap.first
        return [] if first and self._broker.head(self._app).offset == 0 else self._router.gaps(transaction)

    async def _append(self, messages: Sequence[Message], key: str) -> None:
        tries = 0
        while True:
            try:
                published = await self._broker.publish(self._app, messages, key=key)
            except EngineUnavailable as error:
                log.warning("log_unavailable", extra={"source": self.source.name, "error": str(error)})
                await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
                tries += 1
            except Refusal as refusal:
                # The rules changed between a crash and this start: what was appended under the old ones stands.
                log.warning("change_already_told", extra={"key": key, "reason": refusal.name})
                return
            else:
                if not published.repeated:
                    self._metrics.published.labels(self._app).inc(len(messages))
                return

    async def _insist(self, pattern: str, gap: Gap) -> None:
        log.warning(
            "source_gap",
            extra={"source": self.source.name, "pattern": pattern, "why": gap.reason},
        )
        tries = 0
        while True:
            try:
                await self._broker.declare_gap(self._app, pattern, "source")
            except EngineUnavailable:
                await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
                tries += 1
            else:
                return
