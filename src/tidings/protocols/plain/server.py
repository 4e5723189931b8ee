"""The server's side of plain WebSocket: JSON → commands, pushes → JSON. No transport."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

from tidings.commands import Command
from tidings.errors import Disconnect, Refusal
from tidings.ids import ChannelName, Ref
from tidings.messages import Position
from tidings.protocols.http import Request
from tidings.protocols.json_values import MAX_DEPTH, check_json
from tidings.protocols.neutral_writing import MessageEncoder, encode_push
from tidings.protocols.plain.messages import COMMANDS, MAX_REF, decode_command
from tidings.protocols.queries import Parameters
from tidings.pushes import Encoder, Push, Refused, Welcome
from tidings.row_filters import RowFilter

MAX_DATA: Final = 100_000
"""Bytes of a message's data (contract 9)."""

MAX_REASON: Final = 123
"""Bytes of a close reason (RFC 6455 5.5)."""

CLOSE_BASE: Final = 4000
"""A close code is this and the catalogue's code: 4300 draining, 4301 slow, 4303 expired. Codes from 4000 are an
application's own (RFC 6455 7.4.2)."""

_ENCODER: Final = MessageEncoder()


class ConnectQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What the URL of a plain WebSocket asks. Channels may be none: the client subscribes later."""

    channels: tuple[ChannelName, ...] = ()
    after: Position | None = None
    filter: RowFilter | None = None
    app: str | None = None


def parse_connect(query: str) -> ConnectQuery:
    """Read the query string of `GET /ws`. Raises Refusal with the parameter's name."""
    request = Request(method="GET", path="/ws", query=query)
    parameters = Parameters(request.pairs())
    channels, wanted = parameters.channels(required=False), parameters.filter()
    if wanted is not None and not channels:
        raise Refusal(
            "bad_filter", field="filter", detail="holds for the channels of the URL, and there are none"
        )
    return ConnectQuery(
        channels=channels,
        after=parameters.cursor(),
        filter=wanted,
        app=parameters.app(),
    )


class PlainServer:
    """One conversation. `WireProtocol` by shape.

    after: the cursor in the URL. `connected` then tells that cursor and not the head, so that a client which keeps
    what it was last told never runs ahead of what it was given.
    """

    name: ClassVar[str] = "plain"
    subscribed_first: ClassVar[bool] = False
    excludes_sender: ClassVar[bool] = False
    one_way: ClassVar[bool] = False
    encoder: Encoder = _ENCODER

    def __init__(
        self,
        *,
        max_data_bytes: int = MAX_DATA,
        max_depth: int = MAX_DEPTH,
        after: Position | None = None,
    ) -> None:
        self._max_data_bytes = max_data_bytes
        self._max_depth = max_depth
        self._after = after
        self._refused: tuple[Refusal, str, Ref] | None = (
            None  # what `receive` last raised, and in answer to what
        )

    def receive(self, data: str | bytes) -> Sequence[Command]:
        if isinstance(data, bytes):
            raise Refusal(
                "bad_message", field="frame", detail="binary frames have no meaning here; send text"
            )
        # The envelope is a level of its own, so that `data` may be as deep here as on any other way in.
        checked = check_json(data, max_depth=self._max_depth + 1)
        try:
            return [decode_command(checked, max_data_bytes=self._max_data_bytes)]
        except Refusal as refusal:
            self._refused = (refusal, *_question(checked))
            raise

    def push(self, push: Push) -> Sequence[bytes]:
        if isinstance(push, Refused):
            push = self._answer(push)
        elif isinstance(push, Welcome) and self._after is not None:
            push = msgspec.structs.replace(push, cursor=self._after)
        return [encode_push(push)]

    def close_code(self, disconnect: Disconnect) -> tuple[int, str]:
        """4000 plus the catalogue's code; the reason is the name and the text, cut to what a close frame holds."""
        text = f"{disconnect.name}: {disconnect.text}".encode()[:MAX_REASON]
        return CLOSE_BASE + disconnect.reason.code, text.decode("utf-8", "ignore")

    def _answer(self, push: Refused) -> Refused:
        """Give the refusal of a command that could not be read the `ref` that could."""
        refused, self._refused = self._refused, None
        if refused is None or refused[0] is not push.refusal:
            return push
        return msgspec.structs.replace(push, command=refused[1], ref=refused[2])


def _question(data: bytes) -> tuple[str, Ref]:
    """Which command it was and its `ref`, as far as they can be told."""
    value = msgspec.json.decode(data)
    if not isinstance(value, dict):
        return "", None
    kind, ref = value.get("type"), value.get("ref")
    command = kind if isinstance(kind, str) and kind in COMMANDS else ""
    if (
        isinstance(ref, bool)
        or not isinstance(ref, str | int)
        or (isinstance(ref, str) and len(ref) > MAX_REF)
    ):
        return command, None
    return command, ref
