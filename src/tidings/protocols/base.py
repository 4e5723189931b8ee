"""The port of a wire protocol: a sans-I/O conversation with one client. Holds no transport and no clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from tidings.commands import Command
from tidings.errors import Disconnect
from tidings.pushes import Encoder, Push


class WireProtocol(Protocol):
    """One client's conversation. Bytes in → commands out; pushes in → payloads out."""

    name: ClassVar[str]

    subscribed_first: ClassVar[bool]
    """Whether `Subscribed` is said before the channel's replayed messages (Pusher clients expect it so)."""

    excludes_sender: ClassVar[bool]
    """Whether a message is withheld from the session in its `origin`. Only where a hole is not taken for a loss."""

    one_way: ClassVar[bool]
    """Whether the client cannot answer (SSE): it gets heartbeats but is never asked for a sign of life."""

    encoder: Encoder
    """Makes the payload of a message, the same bytes for every session with an equal `encoder.key`."""

    def receive(self, data: str | bytes) -> Sequence[Command]:
        """Read one frame (WebSocket) from the client.

        Raises Refusal for what cannot be understood (the connection lives on; the session answers through `push`
        with `Refused`), Disconnect when the connection must end.
        """
        ...

    def push(self, push: Push) -> Sequence[bytes]:
        """Say something; one payload per frame, in order. Empty when the protocol has no word for it."""
        ...

    def close_code(self, disconnect: Disconnect) -> tuple[int, str]:
        """The WebSocket close code and reason (at most 123 bytes of UTF-8, RFC 6455 5.5)."""
        ...
