"""The record of a stable id over several connections: never ahead of any of them, and told where it cannot say."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, precondition, rule

from tests.unit.node.builders import Clock
from tidings.engines.base import Held
from tidings.ids import ChannelName
from tidings.node.clients import LOST, SUCCEEDED_SECONDS, Client, View, least

A, B = ChannelName("a"), ChannelName("b")
EPOCH = "0a1b2c3d"


def held(connections: int = 1, **channels: int) -> Held:
    return Held(
        epoch=EPOCH, channels={ChannelName(n): o for n, o in channels.items()}, connections=connections
    )


def test_whoever_comes_back_gets_what_the_ended_connection_had() -> None:
    client = Client(EPOCH, held(a=5), Clock())
    view = client.claim()
    assert view == {A: 5}
    view[A] = 9
    client.release(view)
    assert client.claim() == {A: 9}


def test_two_that_end_both_start_from_the_least() -> None:
    client = Client(EPOCH, None, Clock())
    first, second = client.claim(), client.claim()
    first.update({A: 3})
    second.update({A: 7, B: 1})
    client.release(second)
    client.release(first)
    assert client.claim() == {A: 3, B: 1}
    assert client.claim() == {A: 3, B: 1}


def test_an_ended_connection_is_given_up_after_a_while_and_told_if_it_comes_after_all() -> None:
    clock = Clock(100.0)
    client = Client(EPOCH, held(connections=2, a=5), clock)
    view = client.claim()
    view[A] = 50
    clock.now += SUCCEEDED_SECONDS + 1
    assert client.held() == held(a=50)
    assert client.claim() == {A: LOST}


def test_nobody_is_given_up_while_no_other_is_there() -> None:
    clock = Clock(100.0)
    client = Client(EPOCH, held(a=5), clock)
    clock.now += 10 * SUCCEEDED_SECONDS
    assert client.claim() == {A: 5}


def test_offsets_of_another_epoch_are_lost() -> None:
    assert Client("ffffffff", held(a=5), Clock()).claim() == {A: LOST}


def test_least_takes_each_channel_by_itself() -> None:
    assert least([{A: 3}, {A: 2, B: 9}, {}]) == {A: 2, B: 9}


class ClientMachine(RuleBasedStateMachine):
    """Connections of one id come, receive, end and come back: none ever starts ahead of what it had.

    A new tab is opened only while none that ended is still to come back: the server could not tell the two apart.
    """

    live = Bundle("live")
    ended = Bundle("ended")

    def __init__(self) -> None:
        super().__init__()
        self.client = Client(EPOCH, None, Clock())
        self.views: list[View] = []
        self.waiting = 0

    @precondition(lambda self: not self.waiting)
    @rule(target=live, offset=st.integers(0, 50))
    def a_new_tab(self, offset: int) -> View:
        view = self.client.claim()
        view.setdefault(A, offset)
        self.views.append(view)
        return view

    @rule(view=live, more=st.integers(0, 20))
    def receives(self, view: View, more: int) -> None:
        if view in self.views:
            view[A] += more

    @rule(target=ended, view=consumes(live))
    def ends(self, view: View) -> int:
        self.views = [other for other in self.views if other is not view]
        self.client.release(view)
        self.waiting += 1
        return view[A]

    @rule(target=live, had=consumes(ended))
    def comes_back(self, had: int) -> View:
        view = self.client.claim()
        assert view[A] <= had
        self.waiting -= 1
        self.views.append(view)
        return view


ClientMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestClient = ClientMachine.TestCase
