"""The state of a channel's rows at a cursor: load it, then follow from there, with nothing between and nothing twice.

The source reads the rows at one of its checkpoints; the landmarks say which cursor that is. Holds no HTTP.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tidings.errors import Refusal, SourceError
from tidings.ids import ChannelName
from tidings.messages import Position
from tidings.node.apps import App
from tidings.node.authorizer import Visitor
from tidings.node.pump import Pump
from tidings.sources.base import Snapshot, SnapshotSource, Wanted
from tidings.sources.templates import TooManyWays

if TYPE_CHECKING:
    from tidings.node.node import Node
    from tidings.sources.rulebook import CompiledRule

log = logging.getLogger(__name__)

MAX_ROWS: Final = 10_000
"""Rows of one snapshot: more is no page of an application, and would hold memory for as long as its client reads."""

MAX_BYTES: Final = 16 << 20
"""Bytes of rows of one snapshot."""

AT_ONCE: Final = 4
"""Snapshots that are read at once: each takes a connection and, in Postgres, a slot."""

MAX_WAITING: Final = 200
"""Requests that may wait for one: beyond, they are told to come back."""

SECONDS: Final = 20.0
"""Longest wait: for the database, and until the log has what the rows hold."""

TRIES: Final = 3
"""A snapshot whose place in the log is no longer known is read again."""

_rows: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)

Rows = dict[ChannelName, dict[str, list[bytes]]]
"""By channel and table: rows as raw JSON."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by channel and table, and the cursor from which to follow them."""

    cursor: Position
    rows: Rows


class _Asked(msgspec.Struct, frozen=True):
    """What one channel needs of one table: several wanted where its name can be read in several ways."""

    channel: ChannelName
    rule: CompiledRule
    wanted: list[Wanted]


class Snapshots:
    """Reads states for a node's clients."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._places = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def read(self, app: App, visitor: Visitor, channels: Sequence[ChannelName]) -> State:
        """The rows of channels, if the visitor may subscribe to them.

        Raises Refusal: for the rights, when no rule tells such a channel rows, too many rows, `busy`, `unavailable`.
        """
        await self._node.check(app, visitor, channels)
        try:
            asked = [(pump, found) for pump in self._node.pumps_of(app) if (found := _asked(pump, channels))]
        except TooManyWays:
            detail = "the name can be read in too many ways: the rule's columns need a text between them"
            raise Refusal("bad_channel", field="channel", detail=detail) from None
        served = {one.channel for _, found in asked for one in found}
        for channel in channels:
            if channel not in served:
                raise Refusal(
                    "not_found",
                    field="channel",
                    detail=f"no rule with deliver = full, patch or change tells rows to channel {channel!r}",
                )
        if self._waiting >= MAX_WAITING:
            raise Refusal("busy", detail="too many snapshots are waiting", limit=MAX_WAITING)
        self._waiting += 1
        try:
            async with asyncio.timeout(SECONDS), self._places:
                states = [await self._state(pump, found) for pump, found in asked]
        except TimeoutError:
            raise Refusal("unavailable", detail="the database or the log is too slow; try again") from None
        finally:
            self._waiting -= 1
        return _joined(states)

    async def _state(self, pump: Pump, asked: Sequence[_Asked]) -> State:
        source = pump.source
        if not isinstance(source, SnapshotSource):
            raise Refusal("not_found", field="channel", detail="its source gives no snapshots")
        wanted = [each for one in asked for each in one.wanted]
        for _ in range(TRIES):
            try:
                snapshot = await source.snapshot(wanted, most=MAX_ROWS)
            except SourceError as error:
                log.warning("snapshot_failed", extra={"source": source.name, "error": str(error)})
                detail = "the rows cannot be read now; the server's log says why"
                raise Refusal("unavailable", detail=detail) from error
            position = await pump.landmarks.position(snapshot.generation, snapshot.checkpoint)
            if position is not None:
                # Off the loop: ten thousand rows are a tenth of a second of reading.
                return State(cursor=position, rows=await asyncio.to_thread(_sorted, asked, snapshot))
        raise Refusal("unavailable", detail="the source has begun anew; try again")


def _asked(pump: Pump, channels: Sequence[ChannelName]) -> list[_Asked]:
    return [
        _Asked(channel, rule, [Wanted(table=rule.table, equal=equal) for equal in values])
        for channel in channels
        for rule, values in pump.router.rows_of(channel)
    ]


def _sorted(asked: Sequence[_Asked], snapshot: Snapshot) -> Rows:
    """Give each channel its rows. Raises Refusal when they are too many."""
    found: Rows = {}
    given = iter(snapshot.rows)
    count = size = 0
    for one in asked:
        rows = [row for _ in one.wanted for row in next(given)]
        kept = [row for row in rows if one.rule.is_in(_rows.decode(row), one.channel)]
        count, size = count + len(kept), size + sum(map(len, kept))
        if count > MAX_ROWS or size > MAX_BYTES:
            limit = MAX_ROWS if count > MAX_ROWS else MAX_BYTES
            what = "rows" if count > MAX_ROWS else "bytes of rows"
            raise Refusal(
                "request_too_large", field="channel", limit=limit, detail=f"more {what} than the limit"
            )
        found.setdefault(one.channel, {})[one.rule.table] = kept
    return found


def _joined(states: Sequence[State]) -> State:
    """Of several databases: followed from the earliest cursor, so that nothing lies between."""
    rows: Rows = {}
    for state in states:
        for channel, tables in state.rows.items():
            rows.setdefault(channel, {}).update(tables)
    return State(cursor=min(state.cursor for state in states), rows=rows)
