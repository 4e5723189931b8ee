"""The query parameters that `/events`, `/poll` and `/ws` share: channels, cursor, filter, app. Holds no endpoint."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tidings.errors import Refusal
from tidings.ids import CHANNEL_CHARACTERS, MAX_CHANNEL_NAME, ChannelName
from tidings.messages import Position
from tidings.row_filters import RowFilter

CHANNEL_PATTERN: Final = re.compile(CHANNEL_CHARACTERS + rf"{{1,{MAX_CHANNEL_NAME}}}\Z")
"""A channel has one name on every protocol (contract 9)."""

MAX_CHANNELS: Final = 100
"""Channels a connection (contract 9): bounds the cost of one client's reconnect."""

MAX_TOKEN: Final = 8192
"""Characters of a token: half a header block."""

MAX_APP: Final = 200
"""Characters of an app's key."""


class Parameters:
    """A query's parameters. One that may be given once and is given twice is refused, not chosen from."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs

    def one(self, name: str) -> str | None:
        """The value of `name`, None when absent. Raises Refusal `bad_request` when it is given twice."""
        values = [value for key, value in self._pairs if key == name]
        if len(values) > 1:
            raise Refusal("bad_request", field=name, detail="is given twice")
        return values[0] if values else None

    def choice(self, name: str, values: Sequence[str]) -> str:
        """One of `values`, the first when absent. Raises Refusal `bad_request`."""
        value = self.one(name)
        if value is None:
            return values[0]
        if value not in values:
            raise Refusal("bad_request", field=name, detail=f"must be {' or '.join(values)}")
        return value

    def channels(self, *, required: bool = True) -> tuple[ChannelName, ...]:
        """Every `channel`, in order, repeats dropped.

        Raises Refusal `bad_channel`, `too_many_channels`, `bad_request` (none, though one is required).
        """
        names = [value for key, value in self._pairs if key == "channel"]
        if required and not names:
            raise Refusal("bad_request", field="channel", detail="name at least one channel")
        return check_channels(names)

    def cursor(self, name: str = "cursor") -> Position | None:
        """The cursor, None when absent or empty. Raises Refusal `bad_cursor`."""
        value = self.one(name)
        return Position.parse(value) if value else None

    def filter(self, name: str = "filter") -> RowFilter | None:
        """The row filter, for all channels of the request; None when absent or empty. Raises Refusal `bad_filter`."""
        value = self.one(name)
        return RowFilter.parse(value, field=name) if value else None

    def app(self) -> str | None:
        """The key of the app; None for the only one."""
        value = self.one("app")
        if value is not None and not 0 < len(value) <= MAX_APP:
            raise Refusal("unknown_app", field="app")
        return value


def check_channel(name: str, *, field: str = "channel") -> ChannelName:
    """Raises Refusal `bad_channel` for a name that is not allowed."""
    if CHANNEL_PATTERN.match(name) is None:
        detail = "the name is too long" if len(name) > 200 else ""
        raise Refusal("bad_channel", field=field, detail=detail, limit=200 if detail else None)
    return ChannelName(name)


def check_channels(names: Sequence[str], *, field: str = "channel") -> tuple[ChannelName, ...]:
    """Check each name and how many there are; repeats are dropped."""
    if len(names) > MAX_CHANNELS:
        raise Refusal("too_many_channels", field=field, limit=MAX_CHANNELS)
    return tuple(dict.fromkeys(check_channel(name, field=field) for name in names))
