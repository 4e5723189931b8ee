"""Joining: replay from the log, then live, without gap or repeat, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.unit.node.builders import (
    Clock,
    Line,
    ask,
    connect,
    publish,
    publish_row,
    running,
    settings,
    settled,
    token,
)
from tests.unit.node.pusher_clients import PusherClient
from tidings.engines.base import Page
from tidings.hub.channel import Retention
from tidings.hub.subscription import MAX_HELD
from tidings.ids import ChannelName
from tidings.node.apps import ChannelRule
from tidings.node.limits import Limits
from tidings.node.node import Node


class SlowReads:
    """Holds every read of a node's log back until it is let through."""

    def __init__(self, node: Node) -> None:
        self.gate = asyncio.Event()
        self.reads = 0
        self._read = node.engine.broker.read
        node.engine.broker.read = self._slow_read  # type: ignore[method-assign]

    async def _slow_read(self, *given: object, **named: object) -> Page:
        page = await self._read(*given, **named)  # type: ignore[arg-type]
        self.reads += 1
        await self.gate.wait()
        return page


async def test_a_newcomer_gets_what_comes_and_nothing_before() -> None:
    async with running() as node:
        await publish(node, 1)
        session, line = connect(node)
        await ask(session, type="subscribe", channel="a", ref=1)
        await publish(node, 2)
        assert line.numbers() == [2]
        assert line.said("subscribed")[0]["cursor"] == str(node.head(node.apps.default))[:-1] + "1"


async def test_a_returning_client_gets_all_it_missed_once_and_in_order() -> None:
    async with running() as node:
        cursor = await publish(node, 0)
        for number in range(1, 1200):
            await publish(node, number, "ab"[number % 2])
        session, line = connect(node)
        await ask(session, type="subscribe", channels=["a", "b"], cursor=str(cursor))
        await publish(node, 1200)
        assert line.numbers() == list(range(1, 1201))
        positions = [int(one["position"].split(":")[1]) for one in line.said("message")]
        assert positions == sorted(positions)
        assert [one["type"] for one in line.said()][-3:] == ["subscribed", "subscribed", "message"]


async def test_what_is_published_during_the_replay_comes_once() -> None:
    async with running() as node:
        cursor = await publish(node, 0)
        await publish(node, 1)
        slow = SlowReads(node)
        session, line = connect(node)
        session.receive(f'{{"type":"subscribe","channel":"a","cursor":"{cursor}"}}')
        while not slow.reads:
            await asyncio.sleep(0)
        await publish(node, 2)
        await publish(node, 3)
        slow.gate.set()
        await settled(session)
        assert line.numbers() == [1, 2, 3]


async def test_more_than_can_be_held_back_is_read_from_the_log_again() -> None:
    async with running() as node:
        cursor = await publish(node, 0)
        slow = SlowReads(node)
        session, line = connect(node)
        session.receive(f'{{"type":"subscribe","channel":"a","cursor":"{cursor}"}}')
        while not slow.reads:
            await asyncio.sleep(0)
        for number in range(1, MAX_HELD + 10):
            await publish(node, number)
        slow.gate.set()
        await settled(session)
        await publish(node, MAX_HELD + 10)
        assert line.numbers() == list(range(1, MAX_HELD + 11))
        assert line.said("reset") == []


async def test_only_the_channel_below_its_floor_is_reset_and_the_others_continue() -> None:
    rule = ChannelRule(match="short", history=Retention(count=2))
    async with running(settings(rule)) as node:
        cursor = await publish(node, 0, "long")
        for number in range(1, 6):
            await publish(node, number, "short")
        await publish(node, 6, "long")
        session, line = connect(node)
        await ask(session, type="subscribe", channels=["short", "long"], cursor=str(cursor))
        await publish(node, 7, "short")
        await publish(node, 8, "long")
        reset = line.said("reset")
        assert [(one["channels"], one["reason"]) for one in reset] == [(["short"], "retention")]
        assert line.numbers() == [6, 7, 8]


async def test_a_cursor_of_another_epoch_resets_every_channel_and_then_follows() -> None:
    async with running() as node:
        await publish(node, 1)
        session, line = connect(node)
        await ask(session, type="subscribe", channels=["a", "b"], cursor="00000000:5")
        await publish(node, 2)
        assert sorted(line.said("reset")[0]["channels"]) == ["a", "b"]
        assert line.said("reset")[0]["reason"] == "epoch"
        assert line.numbers() == [2]


async def test_a_latest_value_channel_gives_its_last_message_first() -> None:
    async with running() as node:
        await publish(node, 1, "cache-a")
        await publish(node, 2, "cache-a")
        session, line = connect(node)
        await ask(session, type="subscribe", channel="cache-a")
        await publish(node, 3, "cache-a")
        assert line.numbers() == [2, 3]


@pytest.mark.parametrize(
    "channel", ["cache-a", "private-cache-a", "presence-cache-a", "private-encrypted-cache-a"]
)
async def test_each_form_of_cache_channel_gives_its_last_event_right_after_the_success(channel: str) -> None:
    async with running() as node:
        member = {"user_id": "1"} if channel.startswith("presence-") else None
        early = PusherClient(node)
        await early.subscribe(channel, member)
        await publish(node, 1, channel)
        await publish(node, 2, channel)
        late = PusherClient(node)
        await late.subscribe(channel, member)
        await publish(node, 3, channel)
        succeeded = "pusher_internal:subscription_succeeded"
        assert early.events(channel) == [succeeded, "pusher:cache_miss", "e", "e", "e"]
        assert late.events(channel) == [succeeded, "e", "e"]
        assert [frame["data"] for frame in late.frames("e")] == [2, 3]


async def test_a_kept_event_that_is_too_old_is_a_miss() -> None:
    clock = Clock()
    async with running(settings(ChannelRule(match="cache-*", cache_seconds=60.0)), wall=clock) as node:
        await publish(node, 1, "cache-a")
        for seconds, events in ((60.0, ["e"]), (0.1, ["pusher:cache_miss"])):
            clock.now += seconds
            client = PusherClient(node)
            await client.subscribe("cache-a")
            assert client.events("cache-a")[1:] == events


async def test_client_events_are_not_kept() -> None:
    async with running() as node:
        sender, late = PusherClient(node), PusherClient(node)
        await sender.subscribe("private-cache-a")
        await sender.send("client-a", {}, channel="private-cache-a")
        await late.subscribe("private-cache-a")
        assert late.events("private-cache-a")[1:] == ["pusher:cache_miss"]


async def test_what_comes_while_joining_is_neither_missed_nor_doubled() -> None:
    async with running() as node:
        gate, latest = asyncio.Event(), node.engine.broker.latest

        async def slow(*given: Any) -> Any:
            found = await latest(*given)
            await gate.wait()
            return found

        node.engine.broker.latest = slow  # type: ignore[method-assign, assignment]
        client = PusherClient(node)
        joining = asyncio.ensure_future(client.subscribe("cache-a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await publish(node, 1, "cache-a")
        gate.set()
        await joining
        assert client.events("cache-a")[1:] == ["e"]


async def test_who_comes_back_gets_what_was_missed_and_after_a_reset_the_last_event() -> None:
    async with running() as node:
        await publish(node, 1, "cache-a")
        cursor = await publish(node, 2, "cache-a")
        for after, numbers in (
            (str(cursor), []),
            (f"{cursor.epoch}:{cursor.offset - 1}", [2]),
            ("0" * 8 + ":0", [2]),
        ):
            session, line = connect(node)
            await ask(session, type="subscribe", channel="cache-a", cursor=after)
            assert line.numbers() == numbers
            assert line.said("cache_miss") == []


async def test_a_burst_while_the_last_event_is_looked_up_is_read_from_the_log() -> None:
    async with running() as node:
        gate, latest = asyncio.Event(), node.engine.broker.latest

        async def slow(*given: Any) -> Any:
            found = await latest(*given)
            await gate.wait()
            return found

        await publish(node, -1, "cache-a")
        node.engine.broker.latest = slow  # type: ignore[method-assign, assignment]
        session, line = connect(node)
        joining = asyncio.ensure_future(ask(session, type="subscribe", channel="cache-a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for number in range(MAX_HELD + 10):
            await publish(node, number, "cache-a")
        gate.set()
        await joining
        assert line.numbers() == list(range(-1, MAX_HELD + 10))


async def test_a_plain_client_is_told_of_a_miss_too() -> None:
    async with running() as node:
        session, line = connect(node)
        await ask(session, type="subscribe", channel="cache-a")
        assert line.said("cache_miss") == [{"type": "cache_miss", "channel": "cache-a"}]


async def test_a_reader_that_stops_is_waited_for_between_pages() -> None:
    async with running() as node:
        cursor = await publish(node, 0)
        for number in range(1, 1301):
            await publish(node, number)
        session, line = connect(node)
        line.on_write = session.outlet.pause
        session.receive(f'{{"type":"subscribe","channel":"a","cursor":"{cursor}"}}')
        for _ in range(200):
            await asyncio.sleep(0)
        assert session.busy
        line.on_write = None
        session.outlet.resume()
        await settled(session)
        assert line.numbers() == list(range(1, 1301))


async def test_a_client_that_leaves_during_the_replay_leaves_nothing_behind() -> None:
    async with running() as node:
        cursor = await publish(node, 0)
        slow = SlowReads(node)
        session, _ = connect(node)
        session.receive(f'{{"type":"subscribe","channel":"a","cursor":"{cursor}"}}')
        while not slow.reads:
            await asyncio.sleep(0)
        session.closed()
        slow.gate.set()
        await asyncio.sleep(0.01)
        assert list(node.apps.default.hub.occupied()) == []
        assert node.connections == 0


async def test_a_gap_declared_while_joining_is_told_when_the_channel_goes_live() -> None:
    async with running() as node:
        cursor = await publish(node, 0)
        slow = SlowReads(node)
        session, line = connect(node)
        session.receive(f'{{"type":"subscribe","channel":"a","cursor":"{cursor}"}}')
        while not slow.reads:
            await asyncio.sleep(0)
        await publish(node, 1)
        await node.engine.broker.declare_gap(node.apps.default.id, "a", "source")
        await publish(node, 2)
        slow.gate.set()
        await settled(session)
        assert [(one["channels"], one["reason"]) for one in line.said("reset")] == [(["a"], "source")]
        assert line.numbers() == [2]


async def test_a_newcomer_on_a_busy_channel_loses_nothing_while_it_waits() -> None:
    async with running() as node:
        gate, waiting, latest = asyncio.Event(), asyncio.Event(), node.engine.broker.latest

        async def slow_latest(*given: object, **named: object) -> object:
            waiting.set()
            await gate.wait()
            return await latest(*given, **named)  # type: ignore[arg-type]

        node.engine.broker.latest = slow_latest  # type: ignore[assignment, method-assign]
        session, line = connect(node)
        session.receive('{"type":"subscribe","channel":"cache-a"}')
        await waiting.wait()
        for number in range(MAX_HELD + 2):
            await publish(node, number, "cache-a")
        gate.set()
        await settled(session)
        assert line.numbers() == list(range(MAX_HELD + 2))


async def test_who_does_not_get_into_every_presence_channel_is_present_in_none() -> None:
    limits = Limits(presence_members=1)
    async with running(settings(limits=limits)) as node:
        first, _ = connect(node, token=token(time.time(), user="bo", channels=["presence-*"]))
        await ask(first, type="subscribe", channel="presence-full")
        second, line = connect(node, token=token(time.time(), user="ada", channels=["presence-*"]))
        await ask(second, type="subscribe", channels=["presence-free", "presence-full"], ref=7)
        await asyncio.sleep(0.01)
        refused = [(one["channel"], one["error"]["name"], one["ref"]) for one in line.said("reply")]
        assert refused == [("presence-free", "presence_full", 7), ("presence-full", "presence_full", 7)]
        assert await node.members(node.apps.default, ChannelName("presence-free")) == ()


# ── with a row filter


def chained(line: Line) -> list[tuple[int, int | None]]:
    """Offset and `previous` of the messages received."""
    return [(int(one["position"].split(":")[1]), one["previous"]) for one in line.said("message")]


async def test_a_filter_holds_for_history_for_what_was_held_and_for_what_comes() -> None:
    async with running() as node:
        cursor = await publish_row(node, {"p": 1})
        for number in (2, 1, 2, 1):
            await publish_row(node, {"p": number})
        slow = SlowReads(node)
        session, line = connect(node)
        session.receive(f'{{"type":"subscribe","channel":"a","filter":"p=eq.1","cursor":"{cursor}"}}')
        while not slow.reads:
            await asyncio.sleep(0)
        await publish_row(node, {"p": 2})
        await publish_row(node, {"p": 1})
        slow.gate.set()
        await settled(session)
        head = node.head(node.apps.default).offset
        await publish_row(node, {"p": 2})
        await publish_row(node, {"p": 1})
        first = cursor.offset
        assert chained(line) == [
            (first + 2, None),
            (first + 4, first + 2),
            (first + 6, first + 4),
            (head + 2, head),
        ]
        assert line.said("subscribed")[0]["cursor"] == f"{cursor.epoch}:{head}"


async def test_a_long_history_is_sifted_page_by_page_in_one_chain() -> None:
    async with running() as node:
        cursor = await publish_row(node, None)
        for number in range(1200):
            await publish_row(node, {"p": number % 100})
        session, line = connect(node)
        await ask(session, type="subscribe", channel="a", filter="p=eq.7", cursor=str(cursor))
        offsets = [cursor.offset + 8 + 100 * n for n in range(12)]
        assert chained(line) == list(zip(offsets, [None, *offsets], strict=False))


async def test_resets_are_told_whatever_the_filter() -> None:
    rule = ChannelRule(match="a", history=Retention(count=2))
    async with running(settings(rule)) as node:
        cursor = await publish(node, 0, "b")
        for number in range(5):
            await publish_row(node, {"p": number})
        session, line = connect(node)
        await ask(session, type="subscribe", channel="a", filter="p=eq.9", cursor=str(cursor))
        assert [(one["channels"], one["reason"]) for one in line.said("reset")] == [(["a"], "retention")]
        await node.engine.broker.declare_gap(node.apps.default.id, "a", "source")
        assert [one["reason"] for one in line.said("reset")] == ["retention", "source"]


async def test_a_last_value_that_the_filter_keeps_back_is_neither_given_nor_missing() -> None:
    async with running() as node:
        await publish_row(node, {"p": 1}, "cache-a")
        for wanted, given in (("p=eq.1", [{"p": 1}]), ("p=eq.2", [])):
            session, line = connect(node)
            await ask(session, type="subscribe", channel="cache-a", filter=wanted)
            assert line.numbers() == given
            assert line.said("cache_miss") == []
            assert len(line.said("subscribed")) == 1


async def test_a_burst_while_a_filtered_channel_joins_is_read_from_the_log_again() -> None:
    async with running() as node:
        cursor = await publish_row(node, None)
        slow = SlowReads(node)
        session, line = connect(node)
        session.receive(f'{{"type":"subscribe","channel":"a","filter":"p=eq.1","cursor":"{cursor}"}}')
        while not slow.reads:
            await asyncio.sleep(0)
        for number in range(MAX_HELD + 10):
            await publish_row(node, {"p": number % 2})
        slow.gate.set()
        await settled(session)
        offsets = [cursor.offset + 2 + 2 * n for n in range(MAX_HELD // 2 + 5)]
        assert chained(line) == list(zip(offsets, [None, *offsets], strict=False))


async def test_presence_and_other_filters_on_the_channel() -> None:
    async with running() as node:
        session, line = connect(node, token=token(time.time(), channels=["presence-*"]))
        await ask(session, type="subscribe", channel="presence-a", filter="p=eq.1")
        await ask(session, type="subscribe", channel="presence-a", filter="p=eq.2", ref=2)
        assert line.said("reply")[0]["error"]["name"] == "already_subscribed"
        other, _ = connect(node, token=token(time.time(), user="bo", channels=["presence-*"]))
        await ask(other, type="subscribe", channel="presence-a")
        await ask(other, type="track", channel="presence-a", info={"p": 9})
        await asyncio.sleep(0.01)
        assert [one["user"] for one in line.said("joined")] == ["bo"]
