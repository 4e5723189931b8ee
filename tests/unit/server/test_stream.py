"""An event stream after its request, without a socket. With one: tests/integration/test_sse.py."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.server.doubles import Loop, Session, Transport
from tidings.errors import Disconnect
from tidings.server.deadlines import Deadlines
from tidings.server.stream import EventStream


def begin(*, chunked: bool) -> tuple[EventStream, Transport, Session]:
    transport, connections = Transport(), set[Any]()
    deadlines = Deadlines(Loop())  # type: ignore[arg-type]
    carrier = EventStream(transport, connections, deadlines, chunked=chunked)  # type: ignore[arg-type]
    session = Session(carrier.write)
    carrier.session = session  # type: ignore[assignment]
    return carrier, transport, session


@pytest.mark.parametrize(("chunked", "written"), [(True, [b"1\r\na\r\n", b"0\r\n\r\n"]), (False, [b"a"])])
def test_a_body_is_framed_and_ended_as_its_version_asks(chunked: bool, written: list[bytes]) -> None:
    carrier, transport, session = begin(chunked=chunked)
    session.outlet.send(carrier.framer.frame(b"a"))
    carrier.close(Disconnect("draining"))
    assert transport.written == written
    assert transport.calls == ["close"]


def test_what_comes_in_is_dropped() -> None:
    carrier, transport, session = begin(chunked=True)
    carrier.data_received(b"GET / HTTP/1.1\r\n\r\n")
    assert (transport.written, transport.calls, session.heard) == ([], [], [])


def test_a_stream_has_no_pings() -> None:
    carrier, transport, _ = begin(chunked=True)
    carrier.ping(b"x")
    assert transport.written == []
