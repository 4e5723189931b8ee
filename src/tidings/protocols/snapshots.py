"""`GET /snapshot` as values: what a request asks, and the answer. It reads no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tidings.errors import Refusal
from tidings.ids import ChannelName
from tidings.messages import Position
from tidings.protocols.http import Request, Response
from tidings.protocols.personal import HEADERS
from tidings.protocols.queries import Parameters

MAX_CHANNELS: Final = 10
"""Channels of one snapshot: all are read in one transaction of the database."""


class SnapshotQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot asks."""

    channels: tuple[ChannelName, ...]
    app: str | None = None


def parse_snapshot(request: Request) -> SnapshotQuery:
    """Read `GET /snapshot`. Raises Refusal with the parameter's name."""
    parameters = Parameters(request.pairs())
    channels = parameters.channels()
    if len(channels) > MAX_CHANNELS:
        raise Refusal("too_many_channels", field="channel", limit=MAX_CHANNELS)
    return SnapshotQuery(channels=channels, app=parameters.app())


def snapshot_response(
    cursor: Position, rows: Mapping[ChannelName, Mapping[str, Sequence[bytes]]]
) -> Response:
    """Answer with rows by channel and table, and the cursor to follow them from."""
    body = {
        "cursor": str(cursor),
        "channels": {
            channel: {table: [msgspec.Raw(row) for row in found] for table, found in tables.items()}
            for channel, tables in rows.items()
        },
    }
    return Response(body=msgspec.json.encode(body), headers=HEADERS)
