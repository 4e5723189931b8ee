"""Stand-ins for a transport, a session and a protocol, which note what was done to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from tidings.errors import Disconnect
from tidings.hub.sendqueue import Outlet
from tidings.ids import SessionId
from tidings.pushes import Push


class Transport:
    """An asyncio transport without a socket."""

    def __init__(self, *, can_write_eof: bool = True) -> None:
        self.written: list[bytes] = []
        self.calls: list[str] = []
        self.protocol: Any = None
        self._can_write_eof = can_write_eof

    def write(self, data: bytes) -> None:
        assert "write_eof" not in self.calls, "written behind the end"
        self.written.append(data)

    def can_write_eof(self) -> bool:
        return self._can_write_eof

    def write_eof(self) -> None:
        self.calls.append("write_eof")

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")

    def is_closing(self) -> bool:
        return "close" in self.calls or "abort" in self.calls

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.calls.append(f"high={high}")

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol


class Session:
    """A session that only listens."""

    def __init__(self, write: Any) -> None:
        self.outlet = Outlet(SessionId("1.1"), write, lambda: None, limit=1000)
        self.heard: list[str | bytes] = []
        self.pongs: list[bytes] = []
        self.ends = 0

    def receive(self, data: str | bytes) -> None:
        self.heard.append(data)

    def pong(self, payload: bytes) -> None:
        self.pongs.append(payload)

    def alive(self) -> None:
        self.pongs.append(b"alive")

    def closed(self) -> None:
        self.ends += 1


class Protocol:
    """A conversation with one word."""

    name: ClassVar[str] = "double"
    subscribed_first: ClassVar[bool] = False
    excludes_sender: ClassVar[bool] = False
    one_way: ClassVar[bool] = False
    encoder: Any = None

    def receive(self, data: str | bytes) -> Sequence[Any]:
        return ()

    def push(self, push: Push) -> Sequence[bytes]:
        return [type(push).__name__.encode()]

    def close_code(self, disconnect: Disconnect) -> tuple[int, str]:
        return 4000 + disconnect.reason.code, disconnect.name


class Loop:
    """A clock for deadlines that stands still unless moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Any) -> Any:
        return None
