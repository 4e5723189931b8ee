"""A WebSocket after its handshake, without a socket. With one: tests/integration/test_websocket_limits.py."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.fix_server import client_frame
from tests.unit.server.doubles import Loop, Protocol, Session, Transport
from tidings.errors import Disconnect, Refusal
from tidings.node.limits import Limits
from tidings.server.carrier import Phase
from tidings.server.deadlines import Deadlines
from tidings.server.framing import PlainFramer, close_frame
from tidings.server.wire import Wire, as_disconnect, refuse


class Rig:
    def __init__(self, *, can_write_eof: bool = True) -> None:
        self.transport, self.loop = Transport(can_write_eof=can_write_eof), Loop()
        self.deadlines = Deadlines(self.loop)  # type: ignore[arg-type]
        connections: set[Any] = set()
        limits = Limits(frame_bytes=100)
        self.wire = Wire(self.transport, Protocol(), limits, connections, self.deadlines)  # type: ignore[arg-type]
        self.session = Session(self.wire.write)
        self.wire.session = self.session  # type: ignore[assignment]

    @property
    def ended(self) -> bool:
        return self.transport.calls[-1:] in (["write_eof"], ["close"], ["abort"])


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_messages_go_to_the_session(rig: Rig) -> None:
    rig.wire.data_received(client_frame(1, b"a") + client_frame(2, b"b"))
    assert rig.session.heard == ["a", b"b"]


def test_pings_are_answered_and_pongs_passed_on(rig: Rig) -> None:
    rig.wire.data_received(client_frame(9, b"x") + client_frame(10, b"y"))
    assert rig.transport.written == [b"\x8a\x01x"]
    assert rig.session.pongs == [b"y"]


def test_a_ping_of_ours_is_written(rig: Rig) -> None:
    rig.wire.ping(b"?")
    assert rig.transport.written == [b"\x89\x01?"]


def test_a_close_of_ours_speaks_the_protocols_words_and_waits_for_the_answer(rig: Rig) -> None:
    rig.wire.close(Disconnect("draining"))
    assert rig.transport.written == [close_frame(4300, "draining")]
    assert not rig.ended
    rig.wire.data_received(client_frame(1, b"late") + client_frame(8, b"\x0f\xa0"))
    assert rig.session.heard == []
    assert rig.transport.calls == ["close"]
    assert len(rig.transport.written) == 1


def test_a_close_of_theirs_is_echoed(rig: Rig) -> None:
    rig.wire.data_received(client_frame(8, b"\x03\xe8bye") + client_frame(1, b"late"))
    assert rig.transport.written == [close_frame(1000, "bye")]
    assert rig.transport.calls == ["close"]
    rig.wire.data_received(client_frame(1, b"later"))
    assert rig.session.heard == []
    assert rig.wire.phase is Phase.GONE


@pytest.mark.parametrize("can_write_eof", [True, False])
def test_a_fault_is_told_and_only_our_side_closed(can_write_eof: bool) -> None:
    rig = Rig(can_write_eof=can_write_eof)
    rig.wire.data_received(client_frame(1, b"good") + client_frame(1, b"x" * 101) + b"more")
    assert rig.session.heard == ["good"]
    assert rig.transport.written == [close_frame(1009, "message above 100 bytes")]
    assert rig.transport.calls == ["write_eof" if can_write_eof else "close"]
    rig.wire.data_received(b"and more")
    rig.session.outlet.write(b"x")
    rig.wire.expired()
    assert rig.transport.calls[-1] == "abort"


def test_a_fault_after_our_close_cuts(rig: Rig) -> None:
    rig.wire.close(Disconnect("draining"))
    rig.wire.data_received(client_frame(3))
    assert rig.transport.calls == ["abort"]


def test_control_frames_above_the_rate_are_cut(rig: Rig) -> None:
    rig.wire.data_received(client_frame(9) * 100)
    assert not rig.ended
    rig.loop.now += 1.0
    rig.wire.data_received(client_frame(9) * 20)
    assert not rig.ended
    rig.wire.data_received(client_frame(10))
    assert rig.transport.written[-1] == close_frame(1008, "too many control frames")


def test_a_session_that_ends_itself_within_a_message_hears_no_more(rig: Rig) -> None:
    heard: list[str | bytes] = []

    def receive(data: str | bytes) -> None:
        heard.append(data)
        rig.wire.close(Disconnect("ended"))

    rig.session.receive = receive  # type: ignore[method-assign]
    rig.wire.data_received(client_frame(1, b"a") + client_frame(1, b"b"))
    assert heard == ["a"]


def test_a_refusal_on_the_wire_is_said_in_the_protocols_words() -> None:
    class Line(Transport):
        framer = PlainFramer()
        closed: Disconnect | None = None

        def close(self, disconnect: Disconnect) -> None:  # type: ignore[override]
            self.closed = disconnect

    line = Line()
    refuse(line, Protocol(), Refusal("bad_token"))
    assert line.written == [b"Goodbye"]
    assert line.closed is not None
    assert line.closed.name == "expired"


def test_a_refusal_of_a_connection_says_whether_to_come_back() -> None:
    assert as_disconnect(Refusal("forbidden")).name == "ended"
    assert not as_disconnect(Refusal("bad_token")).reason.retry
