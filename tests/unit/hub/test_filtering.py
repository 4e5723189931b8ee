"""Filtered groups: found through the index, told `previous` among what passed, and nothing left of them afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.hub.builders import Chain, Showing, Wire, change, join, message, row_message
from tidings.hub import filtering
from tidings.hub.filtering import FilteredGroups, Sift
from tidings.hub.hub import Hub
from tidings.ids import ChannelName
from tidings.messages import Message
from tidings.row_filters import RowFilter

A = ChannelName("a")


@pytest.fixture
def hub() -> Hub:
    return Hub(lambda: None)


def deliver(hub: Hub, *messages: Message) -> None:
    for each in messages:
        hub.deliver(each)
    hub.flush()


def test_each_gets_what_passes_its_filter(hub: Hub) -> None:
    wires = {text: Wire(str(n)) for n, text in enumerate(("p=eq.1", "p=in.(1,2)", "p=gt.1", "p=eq.2,q=eq.x"))}
    everything = Wire("9")
    for text, wire in wires.items():
        join(hub, wire, "a", filter=text, showing=Chain())
    join(hub, everything, "a", showing=Chain())
    deliver(
        hub,
        row_message(1, {"p": 1}),
        row_message(2, {"p": 2, "q": "x"}),
        row_message(3, {"p": 2, "q": "y"}),
        row_message(4, {"p": "1"}),
        row_message(5, "no row"),
        row_message(6, {"p": None}),
    )
    assert [wire.text for wire in wires.values()] == [
        "1<0;4<1;5<4;",
        "1<0;2<1;3<2;4<3;5<4;",
        "2<0;3<2;5<3;",
        "2<0;5<2;",
    ]
    assert everything.text.count(";") == 6


def test_an_update_reaches_the_group_of_the_row_before_and_of_the_row_after_once_each(hub: Hub) -> None:
    before, after, both = Wire("1"), Wire("2"), Wire("3")
    join(hub, before, "a", filter="p=eq.1")
    join(hub, after, "a", filter="p=eq.2")
    join(hub, both, "a", filter="p=in.(1,2)")
    deliver(hub, row_message(1, change("UPDATE", new={"p": 2}, old={"p": 1})))
    assert [wire.text.count(";") for wire in (before, after, both)] == [1, 1, 1]


def test_equal_filters_are_one_group_encoded_once(hub: Hub) -> None:
    showing = Showing()
    for number, text in enumerate(("a=eq.1,b=eq.2", "b=eq.2,a=eq.1")):
        join(hub, Wire(str(number)), "a", filter=text, showing=showing)
    deliver(hub, row_message(1, {"a": 1, "b": 2}))
    assert showing.encoded == 1


def test_presence_and_client_events_are_for_all_and_change_no_previous(hub: Hub) -> None:
    wire = Wire("1")
    join(hub, wire, "a", filter="p=eq.1", head=3)
    deliver(hub, message(8, kind="joined"), message(9, kind="client"))
    assert wire.text == "a8;a9;"
    (group,) = wire.outlet.groups
    assert isinstance(group, filtering.FilteredGroup)
    assert group.previous == 3


def test_data_is_read_once_a_message_and_not_at_all_without_filters(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []

    def counting(data: bytes) -> Any:
        read.append(data)
        return ({"p": 1},)

    monkeypatch.setattr(filtering, "rows_of", counting)
    join(hub, Wire("0"), "a")
    deliver(hub, row_message(1, {"p": 1}))
    assert read == []
    for number, text in enumerate(("p=eq.1", "p=eq.2", "p=gt.0", "q=eq.1"), 1):
        join(hub, Wire(str(number)), "a", filter=text)
    deliver(hub, row_message(2, {"p": 1}))
    assert len(read) == 1


def test_only_the_groups_that_the_index_finds_are_judged(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    judge = RowFilter.judge

    def watched(self: RowFilter, row: Any) -> Any:
        judged.append(str(self))
        return judge(self, row)

    monkeypatch.setattr(RowFilter, "judge", watched)
    for number in range(1500):
        join(hub, Wire(str(number)), "a", filter=f"p=eq.{number}")
    deliver(hub, row_message(1, change("UPDATE", new={"p": 7}, old={"p": 8})))
    assert sorted(set(judged)) == ["p=eq.7", "p=eq.8"]


def test_a_group_begins_at_the_head_that_its_first_member_was_told(hub: Hub) -> None:
    wire = Wire("1")
    join(hub, wire, "a", filter="p=eq.1", head=7, showing=Chain())
    deliver(hub, row_message(9, {"p": 2}, previous=3), row_message(12, {"p": 1}, previous=9))
    assert wire.text == "12<7;"


def test_a_newcomer_to_a_group_is_never_told_a_previous_above_what_it_knows(hub: Hub) -> None:
    old, new = Wire("1"), Wire("2")
    join(hub, old, "a", filter="p=eq.1", head=7, showing=Chain())
    join(
        hub, new, "a", filter="p=eq.1", head=5, showing=Chain()
    )  # was told its head before the other one began
    deliver(hub, row_message(8, {"p": 1}))
    assert old.text == new.text == "8<5;"
    late = Wire("3")
    join(hub, late, "a", filter="p=eq.1", head=20, showing=Chain())
    deliver(hub, row_message(21, {"p": 1}))
    assert late.text == "21<8;"


def test_history_and_what_was_held_are_sifted_and_chained_and_the_live_go_on_from_them(hub: Hub) -> None:
    wire, chain = Wire("1"), Chain()
    joining = hub.join(wire.outlet, (A,), chain, chain, filter=RowFilter.parse("p=eq.1"))
    hub.deliver(row_message(5, {"p": 1}, previous=4))
    hub.deliver(row_message(6, {"p": 2}, previous=5))
    history = [row_message(3, {"p": 1}, previous=2), row_message(4, {"p": 2}, previous=3)]
    told = hub.complete(joining, history, after=2, head=4)
    assert [(m.position and m.position.offset, m.previous) for m in told] == [(3, None), (5, 3)]
    deliver(hub, row_message(7, {"p": 1}, previous=6))
    assert wire.text == "7<5;"


def test_a_sift_keeps_a_chain_for_each_channel_and_without_filter_changes_nothing() -> None:
    messages = [row_message(n, {"p": 1}, "ab"[n % 2], previous=99) for n in range(1, 5)]
    sift = Sift(RowFilter.parse("p=eq.1"))
    assert [m.previous for m in (*sift.told(messages[:3]), *sift.told(messages[3:]))] == [None, None, 1, 2]
    assert Sift(None).told(messages) is messages


def test_groups_that_empty_leave_nothing_behind(hub: Hub) -> None:
    texts = ("p=eq.1", "p=eq.1,q=in.(1,2)", "p=eq.1", "p=gt.1", "q=eq.1")
    wires = [Wire(str(n)) for n in range(len(texts))]
    for wire, text in zip(wires, texts, strict=True):
        join(hub, wire, "a", filter=text)
    join(hub, Wire("9"), "a")
    channel = hub._channels[A]
    groups = channel.filtered
    assert isinstance(groups, FilteredGroups)
    assert len(groups) == 4
    for wire in wires:
        assert hub.subscribed(wire.outlet, A)
        assert hub.leave(wire.outlet, A)
        assert not hub.subscribed(wire.outlet, A)
        assert not hub.leave(wire.outlet, A)
    assert channel.filtered is None
    left = [groups._by_key, groups._of, groups._by_value, groups._by_column, groups._scanned]
    assert left == [{}, {}, {}, {}, {}]


def test_filtered_ones_are_among_the_live_of_a_pattern(hub: Hub) -> None:
    join(hub, Wire("1"), "a")
    join(hub, Wire("2"), "a", filter="p=eq.1")
    assert [(name, [o.session for o in outlets]) for name, outlets in hub.matching("*")] == [
        ("a", ["1", "2"])
    ]


def test_one_session_takes_no_two_filters_on_a_channel(hub: Hub) -> None:
    wire = Wire("1")
    join(hub, wire, "a", filter="p=eq.1")
    with pytest.raises(Exception, match="already in a"):
        join(hub, wire, "a", filter="p=eq.2")


def test_an_encoder_that_raises_concerns_its_group_and_leaves_its_previous() -> None:
    class Broken(Chain):
        def encode(self, message: Message) -> bytes:
            if message.previous == 4:
                raise ValueError("cannot be said")
            return super().encode(message)

    told: list[list[str]] = []
    hub = Hub(
        lambda: None, on_fault=lambda message, outlets, error: told.append([o.session for o in outlets])
    )
    broken, fine = Wire("1"), Wire("2")
    join(hub, broken, "a", filter="p=eq.1", showing=Broken(), head=4)
    join(hub, fine, "a", filter="p=gt.0", showing=Chain(), head=3)
    deliver(hub, row_message(5, {"p": 1}))
    assert (told, fine.text) == ([["1"]], "5<3;")
    unheard = Hub(lambda: None)
    join(unheard, broken, "a", filter="p=eq.1", showing=Broken(), head=4)
    with pytest.raises(ValueError, match="cannot be said"):
        deliver(unheard, row_message(5, {"p": 1}))
