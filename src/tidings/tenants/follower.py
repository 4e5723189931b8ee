"""Keeps a node's apps as a table of apps has them. Decides what changes; the table is read in a thread.

One row that is wrong harms its own app only: it keeps the settings it had, or does not come to be. A table that cannot
be read changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from tidings.errors import ConfigError, SourceError
from tidings.ids import AppId
from tidings.node.apps import AppSettings
from tidings.node.node import Node
from tidings.tenants.table import Row

log = logging.getLogger(__name__)

MAX_FAULTS_LOGGED: Final = 100
"""Faulty rows named in the log after one reading."""

Read = Callable[[Row], AppSettings]
"""A row's settings. Raises ConfigError."""


class Table(Protocol):
    """What is followed. Both may block; `changed` raises SourceError."""

    def changed(self) -> list[Row] | None: ...

    def close(self) -> None: ...


class Follower:
    """A companion of the node. fixed: ids of apps that the table may not touch. poll: seconds between looks."""

    def __init__(self, node: Node, table: Table, read: Read, *, fixed: Iterable[AppId], poll: float) -> None:
        self._node = node
        self._table = table
        self._read = read
        self._fixed = frozenset(fixed)
        self._poll = poll
        self._known: dict[AppId, AppSettings] = {}
        self._trouble: str | None = None
        self._thread = ThreadPoolExecutor(1, "apps-table")
        self._stopped = False

    async def start(self) -> None:
        """Take the apps in, then follow. Raises SourceError when the table cannot be read at all."""
        if self._stopped:  # a second start, after one that failed
            self._thread, self._stopped = ThreadPoolExecutor(1, "apps-table"), False
        await self.look()
        self._node.spawn(self._follow())

    async def stop(self) -> None:
        """Close the table. The node has cancelled the following."""
        if self._stopped:
            return
        self._stopped = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._table.close)
        self._thread.shutdown()

    async def look(self) -> None:
        """Read the table and bring the node's apps in line with it. Raises SourceError."""
        rows = await asyncio.get_running_loop().run_in_executor(self._thread, self._table.changed)
        if rows is not None:
            await self._apply(rows)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._poll)
            try:
                await self.look()
            except SourceError as error:
                self._troubled(str(error))
            except Exception as error:  # a fault of ours in one look must not end the following for good
                log.exception("apps_table_look_failed")
                self._troubled(f"{type(error).__name__}: {error}")
            else:
                self._troubled(None)

    def _troubled(self, why: str | None) -> None:
        """Say it once, when it begins and when it ends."""
        if why != self._trouble:
            self._trouble = why
            if why is None:
                log.info("apps_table_readable")
            else:
                log.warning("apps_table_unreadable", extra={"error": why})
        self._node.metrics.apps_table_readable.set(why is None)

    async def _apply(self, rows: Iterable[Row]) -> None:
        wanted, faults = settings_of(rows, self._read, self._fixed)
        for gone in self._known.keys() - wanted.keys() - faults.keys():
            del self._known[gone]
            await self._node.remove_app(gone)
            log.info("app_removed", extra={"app": gone})
        changed = {at: new for at, new in wanted.items() if not same(self._known.get(at), new)}
        faults |= await self._put(changed)
        for at, why in list(faults.items())[:MAX_FAULTS_LOGGED]:
            log.warning("app_row_faulty", extra={"app": at, "error": why})
        self._node.metrics.apps_table_faulty.set(len(faults))
        self._troubled(None)

    async def _put(self, changed: Mapping[AppId, AppSettings]) -> dict[AppId, str]:
        """Put apps in; returns those that could not be. A key may pass from one app to another in one reading.

        Not in a circle: two apps that exchange their keys both stay as they were, and are told as faulty.
        """
        waiting = dict(changed)
        while True:
            before, faults = len(waiting), dict[AppId, str]()
            for at, settings in list(waiting.items()):
                try:
                    await self._node.put_app(settings)
                except ValueError as error:
                    faults[at] = str(error)
                    continue
                self._known[at] = waiting.pop(at)
                log.info("app_put", extra={"app": at, "enabled": settings.enabled})
            if not faults or len(faults) == before:
                return faults


def settings_of(
    rows: Iterable[Row], read: Read, fixed: frozenset[AppId]
) -> tuple[dict[AppId, AppSettings], dict[AppId, str]]:
    """Settings by app id, and what is wrong with the rows that have none."""
    wanted: dict[AppId, AppSettings] = {}
    faults: dict[AppId, str] = {}
    for row in rows:
        named = AppId(str(row.get("id")))
        try:
            if named in fixed:
                raise ConfigError("the configuration file has an app of this id, which wins")
            settings = read(row)
            if settings.id in wanted:
                raise ConfigError("the id stands twice")
            wanted[settings.id] = settings
        except ConfigError as error:
            faults[named] = str(error)
    return wanted, faults


def same(one: AppSettings | None, other: AppSettings) -> bool:
    """Whether nothing has changed, the order of the keys included: the first one signs."""
    return one is not None and one == other and list(one.keys) == list(other.keys)
