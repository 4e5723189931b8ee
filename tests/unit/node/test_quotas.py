"""Quotas: all or none, by the day of UTC, and connections that may or may not come back."""

from __future__ import annotations

import pytest

from tests.unit.node.builders import APP, Clock, ask, connect, publish, running, settings
from tidings.errors import Disconnect, Refusal
from tidings.ids import AppId, ChannelName, new_message_id
from tidings.messages import Message
from tidings.node.quotas import DAY_SECONDS, Quotas, Usage, check_connections

MIDNIGHT = 20_000 * DAY_SECONDS


def test_without_a_quota_everything_is_counted_and_nothing_refused() -> None:
    usage = Usage()
    usage.take(Quotas(), 1_000_000, MIDNIGHT)
    assert usage.messages == 1_000_000


def test_a_publish_is_taken_whole_or_not_at_all() -> None:
    usage, quotas = Usage(), Quotas(messages_per_day=10)
    usage.take(quotas, 8, MIDNIGHT)
    with pytest.raises(Refusal, match="messages a day") as over:
        usage.take(quotas, 3, MIDNIGHT)
    assert (over.value.name, over.value.reason.status, usage.messages) == ("over_quota", 403, 8)
    usage.take(quotas, 2, MIDNIGHT)


def test_the_day_turns_at_midnight_of_utc() -> None:
    usage, quotas = Usage(), Quotas(messages_per_day=1)
    usage.take(quotas, 1, MIDNIGHT - 0.001)
    with pytest.raises(Refusal):
        usage.take(quotas, 1, MIDNIGHT - 0.001)
    usage.take(quotas, 1, MIDNIGHT)
    assert usage.on(MIDNIGHT + 1) == 1
    assert usage.on(MIDNIGHT + DAY_SECONDS) == 0


def test_what_is_given_back_can_be_used_and_never_becomes_credit() -> None:
    usage, quotas = Usage(), Quotas(messages_per_day=5)
    usage.take(quotas, 5, MIDNIGHT)
    usage.give_back(2, MIDNIGHT)
    usage.take(quotas, 2, MIDNIGHT)
    usage.give_back(5, MIDNIGHT + DAY_SECONDS)
    assert usage.on(MIDNIGHT + DAY_SECONDS) == 0


@pytest.mark.parametrize(("hard", "name"), [(False, "app_full"), (True, "quota_reached")])
def test_above_the_quota_a_client_is_told_whether_to_come_back(hard: bool, name: str) -> None:
    quotas = Quotas(connections=2, hard=hard)
    check_connections(quotas, 1)
    with pytest.raises(Disconnect) as full:
        check_connections(quotas, 2)
    assert full.value.name == name
    check_connections(Quotas(), 1_000_000)


async def test_connections_are_counted_for_their_own_app_and_places_become_free() -> None:
    free = settings()
    free = type(free)(id=AppId("2002"), keys={"key2": "secret2"})
    async with running(settings(quotas=Quotas(connections=1)), free) as node:
        first, _ = connect(node)
        with pytest.raises(Disconnect) as full:
            connect(node)
        assert full.value.name == "app_full"
        for _ in range(3):
            connect(node, app="2002")
        first.closed()
        connect(node)
        count = node.metrics.registry.get_sample_value(
            "tidings_refused_total", {"app": APP, "reason": "app_full"}
        )
        assert count == 1


async def test_messages_are_counted_once_each_and_refused_above_the_quota() -> None:
    clock = Clock()
    async with running(settings(quotas=Quotas(messages_per_day=3)), wall=clock) as node:
        for _ in range(2):  # a retry is the same message
            again = Message(id=new_message_id(), channel=ChannelName("b"), event="e", data=b"1", time=0)
            await node.host.publish(APP, [again], key="same")
        session, line = connect(node)
        await ask(session, type="subscribe", channel="a")
        await publish(node, 2)
        await publish(node, 3)
        with pytest.raises(Refusal) as over:
            await publish(node, 4)
        assert over.value.name == "over_quota"
        assert line.numbers() == [2, 3]
        clock.now += DAY_SECONDS
        await publish(node, 5)
        assert line.numbers() == [2, 3, 5]
        node.keeper.sweep()
        assert node.metrics.registry.get_sample_value("tidings_app_messages_today", {"app": APP}) == 1
