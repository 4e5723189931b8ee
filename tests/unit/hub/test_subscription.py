"""The table of states of a join, and its bounded memory."""

from __future__ import annotations

import itertools

import pytest

from tests.unit.hub.builders import Showing, Wire, message
from tidings.errors import LocalProtocolError
from tidings.hub.subscription import MAX_HELD, TRANSITIONS, Event, Join, State
from tidings.ids import ChannelName


def a_join() -> Join:
    showing = Showing()
    return Join(Wire("1").outlet, (ChannelName("a"),), showing, showing, excludes_sender=False)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_either_stands_in_the_table_or_raises_and_changes_nothing(
    state: State, event: Event
) -> None:
    join = a_join()
    join.state = state
    if (state, event) in TRANSITIONS:
        join.move(event)
        assert join.state is TRANSITIONS[state, event]
    else:
        with pytest.raises(LocalProtocolError, match=state.value):
            join.move(event)
        assert join.state is state


def test_more_than_the_bound_is_dropped_and_said() -> None:
    join = a_join()
    for offset in range(1, MAX_HELD + 2):
        join.hold(message(offset))
    assert join.overflowed
    assert [m.data for m in join.held] == [b"%d" % (MAX_HELD + 1)]
    join.read_again()
    assert not join.overflowed
