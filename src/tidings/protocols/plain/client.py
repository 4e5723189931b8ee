"""The client's side of plain WebSocket: commands → JSON, JSON → pushes. No connection."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from tidings.commands import Command
from tidings.errors import CATALOGUE, Disconnect, RemoteProtocolError
from tidings.ids import ChannelName
from tidings.messages import Position
from tidings.protocols.neutral_reading import decode_push
from tidings.protocols.plain.messages import encode_command
from tidings.pushes import Push
from tidings.row_filters import RowFilter

CLOSE_BASE = 4000
"""What the server adds to a catalogue code to make a close code."""

_BY_CODE = {reason.code: reason.name for reason in CATALOGUE.values()}


class PlainClient:
    """One conversation."""

    def query(
        self,
        channels: Sequence[ChannelName] = (),
        *,
        after: Position | None = None,
        filter: RowFilter | None = None,
        app: str | None = None,
    ) -> str:
        """The query string of `GET /ws`: subscribes in the handshake, one round trip less."""
        pairs = [("channel", str(name)) for name in channels]
        if app is not None:
            pairs.append(("app", app))
        if after is not None:
            pairs.append(("cursor", str(after)))
        if filter is not None:
            pairs.append(("filter", str(filter)))
        return urlencode(pairs)

    def send(self, command: Command) -> str:
        """The text frame of a command. Raises LocalProtocolError for what this protocol has no word for."""
        return encode_command(command).decode()

    def receive(self, data: str | bytes) -> list[Push]:
        """Read one frame; nothing for a type that only a newer server knows.

        Raises RemoteProtocolError for what no server of ours writes.
        """
        if isinstance(data, bytes):
            raise RemoteProtocolError("a binary frame on plain WebSocket")
        push = decode_push(data)
        return [] if push is None else [push]

    def closed(self, code: int, reason: str) -> Disconnect | None:
        """What a close means; None for a code that is not of our catalogue (1000, 1006, …)."""
        name = _BY_CODE.get(code - CLOSE_BASE)
        if name is None or not 300 <= code - CLOSE_BASE < 400:
            return None
        # The reason may be cut anywhere, so it serves as it is.
        return Disconnect(name, detail=reason.removeprefix(f"{name}: "))
