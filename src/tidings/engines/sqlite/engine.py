"""The sqlite engine: the file, its log and the roster put together, opened and closed in order."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from tidings.engines.base import Health, OptionsOf
from tidings.engines.roster import LocalRoster
from tidings.engines.sqlite.files import Files
from tidings.engines.sqlite.log import SqliteLog
from tidings.hub.channel import DEFAULT_OPTIONS


class SqliteEngine:
    """An `Engine` for one process with a disk: the durable default.

    path: the log's file; beside it stand `-wal`, `-shm` and `-lock`. options: what each channel keeps; also called
    from the writer's thread. clock: seconds since the Unix epoch.
    """

    name = "sqlite"
    lasting = True
    durability = "an acknowledged publish is on disk: it survives the end of the process and a power cut"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        options: OptionsOf = lambda app, channel: DEFAULT_OPTIONS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = os.fspath(path)
        self.broker = SqliteLog(options, clock)
        self.presence = LocalRoster()
        self.cursors = self.broker
        self._files: Files | None = None

    async def open(self) -> None:
        """Lock, check and open the file. Raises EngineError, which names the file and what to do."""
        self._files = await asyncio.to_thread(Files, self.path)
        self.broker.start(self._files)

    async def close(self) -> None:
        """Write what waits, fold the write-ahead log into the file, let go of the lock. Idempotent."""
        await self.broker.stop()
        files, self._files = self._files, None
        if files is not None:
            await asyncio.to_thread(files.close)

    def health(self) -> Health:
        """What the last write and the reads said."""
        return self.broker.health()
