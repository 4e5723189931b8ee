"""The client's side of polling: requests to make, answers → pushes, and the cursor between them. No connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import msgspec

from tidings.errors import Refusal, RemoteProtocolError
from tidings.ids import ChannelName
from tidings.messages import Position
from tidings.protocols.neutral_objects import ErrorObject
from tidings.protocols.neutral_reading import refusal_of
from tidings.protocols.poll.pages import PollPage, read_page
from tidings.pushes import Delivered, Push, Reset
from tidings.row_filters import RowFilter


class _Error(msgspec.Struct):
    error: ErrorObject


class PollClient:
    """Follows channels by asking.

    cursor: all up to here was received or told to be lost; None before the first answer.
    """

    def __init__(
        self,
        channels: Sequence[ChannelName],
        *,
        after: Position | None = None,
        filter: RowFilter | None = None,
        app: str | None = None,
    ) -> None:
        self._channels = tuple(channels)
        self._filter = filter
        self._app = app
        self._tag: str | None = None
        self.cursor = after

    def query(self, wait: float = 0.0) -> str:
        """The query string of the next `GET /poll`. wait: seconds that the server may hold it."""
        pairs = [("channel", str(name)) for name in self._channels]
        if self._app is not None:
            pairs.append(("app", self._app))
        if self._filter is not None:
            pairs.append(("filter", str(self._filter)))
        if self.cursor is not None:
            pairs.append(("cursor", str(self.cursor)))
        if wait:
            pairs.append(("wait", f"{wait:.3f}".rstrip("0").rstrip(".")))
        return urlencode(pairs)

    def headers(self) -> Mapping[str, str]:
        """The request's headers; a quiet page seen before is answered with 304 and no body."""
        headers = {"Accept": "application/json"}
        return headers | {"If-None-Match": self._tag} if self._tag else headers

    def receive(self, status: int, headers: Mapping[str, str], body: bytes) -> list[Push]:
        """Take an answer. headers: names in lower case.

        Raises Refusal as the server told it; RemoteProtocolError for what no server of ours writes.
        """
        if status == 304:
            return []
        if status != 200:
            raise _refusal(status, body)
        page = read_page(body)
        self.cursor = page.cursor
        self._tag = headers.get("etag")
        return list(_pushes(page))


def _pushes(page: PollPage) -> list[Push]:
    resets = [Reset(channels=e.channels, reason=e.reason, cursor=page.cursor) for e in page.resets]
    return [*resets, *(Delivered(message=message) for message in page.messages)]


def _refusal(status: int, body: bytes) -> Refusal:
    try:
        return refusal_of(msgspec.json.decode(body, type=_Error).error)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RemoteProtocolError(f"an answer {status} without an error that can be read") from error
