"""An outlet keeps order over a full transport, holds no more than its bound, and tells once when it overflows."""

from __future__ import annotations

from tests.unit.hub.builders import Wire


def test_what_is_sent_while_paused_comes_in_order_after_resuming() -> None:
    wire = Wire("1")
    wire.outlet.send(b"1")
    wire.outlet.pause()
    wire.outlet.send(b"2")
    wire.outlet.send(b"3")
    assert wire.text == "1"
    wire.outlet.resume()
    wire.outlet.send(b"4")
    assert wire.text == "1234"


def test_a_transport_that_fills_again_while_draining_keeps_the_rest_queued() -> None:
    wire = Wire("1")
    wire.outlet.pause()
    for data in (b"1", b"2", b"3"):
        wire.outlet.send(data)
    wire.on_write = wire.outlet.pause
    wire.outlet.resume()
    assert wire.text == "1"
    assert wire.outlet.queued == 2
    wire.on_write = None
    wire.outlet.resume()
    assert wire.text == "123"
    assert wire.outlet.queued == 0


def test_above_its_bound_it_is_closed_once_and_holds_nothing() -> None:
    wire = Wire("1", limit=10)
    wire.outlet.pause()
    for _ in range(5):
        wire.outlet.send(b"xxxx")
    assert wire.full == 1
    assert wire.outlet.closed
    assert wire.outlet.queued == 0
    assert not wire.outlet.queue


def test_exactly_at_its_bound_it_lives() -> None:
    wire = Wire("1", limit=8)
    wire.outlet.pause()
    wire.outlet.send(b"xxxx")
    wire.outlet.send(b"xxxx")
    assert wire.full == 0
    wire.outlet.resume()
    assert wire.text == "xxxxxxxx"


def test_whoever_waits_for_room_is_told_when_there_is_some() -> None:
    wire, told = Wire("1"), []
    wire.outlet.pause()
    wire.outlet.on_resume = lambda: told.append(1)
    wire.outlet.resume()
    assert told == [1]


def test_a_closed_outlet_takes_nothing() -> None:
    wire = Wire("1")
    wire.outlet.close()
    wire.outlet.send(b"1")
    wire.outlet.pause()
    wire.outlet.resume()
    assert wire.written == []
