"""The hub: joining without missing, leaving without remains, and who is where."""

from __future__ import annotations

import pytest

from tests.unit.hub.builders import EPOCH, Showing, Wire, join, message
from tidings.errors import Refusal
from tidings.hub.hub import Hub
from tidings.ids import ChannelName
from tidings.messages import Message

A, B = ChannelName("a"), ChannelName("b")


@pytest.fixture
def hub() -> Hub:
    return Hub(lambda: None)


def test_what_is_said_while_joining_is_merged_with_history(hub: Hub) -> None:
    wire, showing = Wire("1"), Showing()
    joining = hub.join(wire.outlet, (A,), showing, showing)
    hub.deliver(message(3))
    hub.deliver(message(4))
    first = hub.complete(joining, [message(2), message(3)], after=1)
    assert [m.data for m in first] == [b"2", b"3", b"4"]
    hub.deliver(message(5))
    hub.flush()
    assert wire.text == "a5;"


def test_a_newcomer_does_not_get_what_was_pending_before_it_went_live(hub: Hub) -> None:
    old, new, showing = Wire("1"), Wire("2"), Showing()
    join(hub, old, "a", showing=showing)
    hub.deliver(message(1))  # pending, not flushed
    joining = hub.join(new.outlet, (A,), showing, showing)
    assert hub.complete(joining, [message(1)], after=0)[0].data == b"1"
    hub.flush()
    assert old.text == "a1;"
    assert new.text == ""


def test_a_leaver_gets_what_was_said_before_and_nothing_after(hub: Hub) -> None:
    wire = Wire("1")
    join(hub, wire, "a")
    hub.deliver(message(1))
    assert hub.leave(wire.outlet, A)
    hub.deliver(message(2))
    hub.flush()
    assert wire.text == "a1;"


def test_joining_twice_is_refused_and_changes_nothing(hub: Hub) -> None:
    wire, showing = Wire("1"), Showing()
    join(hub, wire, "a")
    with pytest.raises(Refusal, match="already in a"):
        hub.join(wire.outlet, (B, A), showing, showing)
    assert hub.subscribers(B) == 0
    assert hub.subscribers(A) == 1


def test_a_channel_named_twice_is_refused(hub: Hub) -> None:
    showing = Showing()
    with pytest.raises(Refusal, match="twice"):
        hub.join(Wire("1").outlet, (A, A), showing, showing)
    assert hub.subscribers(A) == 0


def test_an_abandoned_join_leaves_nothing_behind(hub: Hub) -> None:
    showing = Showing()
    hub.abandon(hub.join(Wire("1").outlet, (A, B), showing, showing))
    assert list(hub.occupied()) == []


def test_empty_channels_are_forgotten(hub: Hub) -> None:
    wires = [Wire(str(n)) for n in range(3)]
    for wire in wires:
        join(hub, wire, "a", "b")
    for wire in wires:
        assert hub.leave(wire.outlet, A)
        assert hub.leave(wire.outlet, B)
        assert not hub.leave(wire.outlet, B)
        assert wire.outlet.groups == {}
    assert list(hub.occupied()) == []


def test_occupied_channels_are_found_by_prefix(hub: Hub) -> None:
    join(hub, Wire("1"), "presence-x", "a")
    join(hub, Wire("2"), "presence-x")
    assert dict(hub.occupied("presence-")) == {"presence-x": 2}
    assert dict(hub.occupied()) == {"presence-x": 2, "a": 1}


def test_matching_names_the_live_ones_of_a_pattern(hub: Hub) -> None:
    first, second = Wire("1"), Wire("2")
    join(hub, first, "project-1")
    join(hub, second, "project-2", "other")
    found = {name: [outlet.session for outlet in outlets] for name, outlets in hub.matching("project-*")}
    assert found == {"project-1": ["1"], "project-2": ["2"]}


def test_the_sender_is_spared_in_replay_too(hub: Hub) -> None:
    wire, showing = Wire("1.1"), Showing()
    joining = hub.join(wire.outlet, (A,), showing, showing, excludes_sender=True)
    given = hub.complete(joining, [message(1, sender="1.1"), message(2)], after=0)
    assert [m.data for m in given] == [b"2"]
    assert given[0].position is not None
    assert given[0].position.epoch == EPOCH


def test_each_coming_and_going_is_counted() -> None:
    told: list[tuple[str, int, int]] = []
    hub = Hub(lambda: None, counted=lambda name, before, after: told.append((name, before, after)))
    first, second, showing = Wire("1"), Wire("2"), Showing()
    hub.complete(hub.join(first.outlet, (A,), showing, showing), (), after=0)
    hub.abandon(hub.join(second.outlet, (A,), showing, showing))
    hub.leave(first.outlet, A)
    assert told == [("a", 0, 1), ("a", 1, 2), ("a", 2, 1), ("a", 1, 0)]


def test_an_encoder_that_raises_concerns_its_own_subscribers_only() -> None:
    class Broken(Showing):
        def encode(self, message: Message) -> bytes:
            raise ValueError("cannot be said")

    told: list[tuple[bytes, list[str]]] = []
    hub = Hub(
        lambda: None,
        on_fault=lambda message, outlets, error: told.append((message.data, [o.session for o in outlets])),
    )
    broken, fine = Wire("1.1"), Wire("2.2")
    join(hub, broken, "a", showing=Broken("broken"))
    join(hub, fine, "a")
    hub.deliver(message(1))
    hub.deliver(message(2))
    hub.flush()
    assert fine.text == "a1;a2;"
    assert broken.text == ""
    assert told == [(b"1", ["1.1"]), (b"2", ["1.1"])]
