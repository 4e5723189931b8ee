"""What both kinds of carried connection share: back-pressure, silence, the end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.server.doubles import Loop, Session, Transport
from tidings.errors import Disconnect
from tidings.server.carrier import NO_TRANSPORT, WRITE_BUFFER, Carrier, Phase, adopt
from tidings.server.deadlines import Deadlines
from tidings.server.framing import PlainFramer


class Ending(Carrier):
    """Says "bye"."""

    __slots__ = ()

    def say_end(self, disconnect: Disconnect) -> None:
        self.transport.write(b"bye")


class Rig:
    def __init__(self) -> None:
        self.transport, self.connections = Transport(), set[Any]()
        self.deadlines = Deadlines(Loop())  # type: ignore[arg-type]
        self.carrier = Ending(self.transport, PlainFramer(), self.connections, self.deadlines)  # type: ignore[arg-type]
        self.session = Session(self.carrier.write)
        self.carrier.session = self.session  # type: ignore[assignment]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_uvicorn_knows_the_connection_until_it_is_lost(rig: Rig) -> None:
    assert rig.connections == {rig.carrier}
    rig.carrier.connection_lost(None)
    assert rig.connections == set()
    assert rig.session.ends == 1


def test_the_write_is_the_transports_own(rig: Rig) -> None:
    assert rig.carrier.write == rig.transport.write


def test_a_full_transport_holds_the_outlet_back(rig: Rig) -> None:
    rig.carrier.pause_writing()
    rig.session.outlet.send(b"a")
    assert rig.transport.written == []
    rig.carrier.resume_writing()
    assert rig.transport.written == [b"a"]


def test_a_close_comes_after_what_was_written_and_before_nothing(rig: Rig) -> None:
    rig.session.outlet.send(b"a")
    rig.carrier.close(Disconnect("draining"))
    rig.session.outlet.send(b"b")
    rig.session.outlet.write(b"c")
    rig.carrier.write(b"d")
    rig.carrier.close(Disconnect("draining"))
    assert rig.transport.written == [b"a", b"bye"]
    assert rig.carrier.phase is Phase.CLOSING
    assert len(rig.deadlines) == 1


def test_a_peer_that_does_not_read_is_cut_at_once(rig: Rig) -> None:
    rig.carrier.close(Disconnect("slow"))
    assert rig.transport.calls == ["abort"]
    assert rig.transport.written == []


def test_a_peer_that_does_not_finish_is_cut(rig: Rig) -> None:
    rig.carrier.close(Disconnect("draining"))
    rig.carrier.expired()
    assert rig.transport.calls == ["abort"]


def test_after_the_end_everything_is_harmless(rig: Rig) -> None:
    rig.carrier.connection_lost(None)
    rig.carrier.write(b"a")
    rig.session.outlet.write(b"a")
    rig.carrier.pause_writing()
    rig.carrier.resume_writing()
    rig.carrier.ping(b"")
    rig.carrier.close(Disconnect("draining"))
    assert rig.transport.written == []
    assert rig.session.ends == 1


def test_uvicorns_shutdown_sends_away(rig: Rig) -> None:
    rig.carrier.shutdown()
    assert rig.transport.written == [b"bye"]


def test_a_transport_is_adopted_with_our_mark() -> None:
    rig = Rig()
    adopt(rig.transport, rig.carrier)  # type: ignore[arg-type]
    assert rig.transport.protocol is rig.carrier
    assert rig.transport.calls == [f"high={WRITE_BUFFER}"]


def test_a_transport_that_was_given_away_takes_everything() -> None:
    NO_TRANSPORT.write(b"a")
    NO_TRANSPORT.close()
    NO_TRANSPORT.abort()
    NO_TRANSPORT.pause_reading()
    NO_TRANSPORT.resume_reading()
    assert NO_TRANSPORT.is_closing()


def test_a_carrier_has_no_room_for_more_than_its_slots(rig: Rig) -> None:
    assert not hasattr(rig.carrier, "__dict__")
