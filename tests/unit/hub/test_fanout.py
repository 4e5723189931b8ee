"""Fan-out groups: once encoded, once framed, once written; in log order; nobody's fullness is another's."""

from __future__ import annotations

import pytest

from tests.unit.hub.builders import Showing, Wire, join, message
from tidings.hub.hub import Hub


@pytest.fixture
def scheduled() -> list[int]:
    return []


@pytest.fixture
def hub(scheduled: list[int]) -> Hub:
    return Hub(lambda: scheduled.append(1))


def test_a_message_is_encoded_and_framed_once_for_all_subscribers(hub: Hub) -> None:
    showing, wires = Showing(), [Wire(str(i)) for i in range(50)]
    for wire in wires:
        join(hub, wire, "a", showing=showing)
    hub.deliver(message(1))
    hub.flush()
    assert (showing.encoded, showing.framed) == (1, 1)
    assert all(wire.text == "a1;" for wire in wires)


def test_equal_keys_share_a_group_and_other_keys_do_not(hub: Hub) -> None:
    first, same, other = Showing("k"), Showing("k"), Showing("other")
    for at, showing in enumerate((first, same, other)):
        join(hub, Wire(str(at)), "a", showing=showing)
    hub.deliver(message(1))
    assert (first.encoded, same.encoded, other.encoded) == (1, 0, 1)


def test_a_burst_is_one_write_per_subscriber_and_schedules_once(hub: Hub, scheduled: list[int]) -> None:
    wire = Wire("1")
    join(hub, wire, "a")
    for offset in range(1, 17):
        hub.deliver(message(offset))
    assert scheduled == [1]
    hub.flush()
    assert len(wire.written) == 1
    assert wire.text == "".join(f"a{n};" for n in range(1, 17))


def test_a_session_on_several_channels_gets_them_in_log_order_in_one_write(hub: Hub) -> None:
    both, only = Wire("1"), Wire("2")
    join(hub, both, "a", "b")
    join(hub, only, "a")
    for offset, channel in ((1, "a"), (2, "b"), (3, "a"), (4, "b")):
        hub.deliver(message(offset, channel))
    hub.flush()
    assert both.written == [b"a1;b2;a3;b4;"]
    assert only.written == [b"a1;a3;"]


def test_leaving_all_but_one_channel_returns_a_session_to_the_plain_loop(hub: Hub) -> None:
    wire = Wire("1")
    join(hub, wire, "a", "b")
    hub.leave(wire.outlet, message(0, "b").channel)
    hub.deliver(message(1, "a"))
    hub.flush()
    assert wire.written == [b"a1;"]
    assert [len(group.singles) for group in wire.outlet.groups] == [1]


def test_the_sender_is_spared_its_own_message_but_not_its_neighbours(hub: Hub) -> None:
    sender, other = Wire("1.1"), Wire("2.2")
    for wire in (sender, other):
        join(hub, wire, "a", excludes_sender=True)
    hub.deliver(message(1))
    hub.deliver(message(2, sender="1.1"))
    hub.deliver(message(3))
    hub.flush()
    assert sender.text == "a1;a3;"
    assert other.text == "a1;a2;a3;"


def test_a_sender_on_several_channels_is_spared_too(hub: Hub) -> None:
    sender = Wire("1.1")
    join(hub, sender, "a", "b", excludes_sender=True)
    hub.deliver(message(1, "a", sender="1.1"))
    hub.deliver(message(2, "b"))
    hub.flush()
    assert sender.text == "b2;"


def test_a_protocol_that_keeps_order_by_previous_is_never_spared(hub: Hub) -> None:
    sender = Wire("1.1")
    join(hub, sender, "a", excludes_sender=False)
    hub.deliver(message(1, sender="1.1"))
    hub.flush()
    assert sender.text == "a1;"


def test_a_write_that_pauses_its_own_session_does_not_disturb_the_loop(hub: Hub) -> None:
    wires = [Wire(str(i)) for i in range(5)]
    for wire in wires:
        join(hub, wire, "a")
    wires[2].on_write = wires[2].outlet.pause
    hub.deliver(message(1))
    hub.flush()
    hub.deliver(message(2))
    hub.flush()
    assert [wire.text for wire in wires] == ["a1;a2;", "a1;a2;", "a1;", "a1;a2;", "a1;a2;"]
    wires[2].on_write = None
    wires[2].outlet.resume()
    hub.deliver(message(3))
    hub.flush()
    assert wires[2].text == "a1;a2;a3;"


def test_a_member_that_vanishes_during_the_flush_harms_nobody(hub: Hub) -> None:
    first, second = Wire("1"), Wire("2")
    join(hub, first, "a")
    join(hub, second, "a")

    def vanish() -> None:
        first.on_write = None
        second.outlet.close()
        hub.leave(second.outlet, message(0).channel)

    first.on_write = vanish
    hub.deliver(message(1))
    hub.flush()
    assert first.text == "a1;"


def test_flushing_with_nothing_pending_writes_nothing(hub: Hub) -> None:
    wire = Wire("1")
    join(hub, wire, "a")
    hub.flush()
    assert wire.written == []
