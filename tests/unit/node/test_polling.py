"""The long poll: at once when there is something, later when something comes, empty when nothing does."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.node.builders import connect, publish, running
from tidings.errors import Refusal
from tidings.ids import ChannelName
from tidings.messages import Position
from tidings.node.authorizer import Visitor

A = ChannelName("a")
B = ChannelName("b")


async def test_without_a_cursor_it_answers_the_present_one() -> None:
    async with running() as node:
        head = await publish(node, 1)
        page = await node.poll(node.apps.default, Visitor(), [A], None, 10)
        assert (page.head, page.messages) == (head, ())


async def test_what_is_there_is_answered_at_once() -> None:
    async with running() as node:
        cursor = await publish(node, 1)
        await publish(node, 2)
        page = await node.poll(node.apps.default, Visitor(), [A], cursor, 60)
        assert [m.data for m in page.messages] == [b"2"]


async def test_it_waits_for_something_on_its_channels_only() -> None:
    async with running() as node:
        cursor = await publish(node, 1)
        waiting = asyncio.create_task(node.poll(node.apps.default, Visitor(), [A, B], cursor, 60))
        await asyncio.sleep(0)
        await publish(node, 2, "other")
        assert not waiting.done()
        await publish(node, 3, "b")
        page = await waiting
        assert [m.data for m in page.messages] == [b"3"]
        assert list(node.apps.default.hub.occupied()) == []


async def test_it_answers_empty_after_its_wait_with_the_newest_cursor() -> None:
    async with running() as node:
        cursor = await publish(node, 1)
        newest = await publish(node, 2, "other")
        page = await node.poll(node.apps.default, Visitor(), [A], cursor, 0.01)
        assert (page.messages, page.head) == ((), newest)


async def test_a_gap_wakes_it_and_is_told() -> None:
    async with running() as node:
        cursor = await publish(node, 1)
        waiting = asyncio.create_task(node.poll(node.apps.default, Visitor(), [A], cursor, 60))
        await asyncio.sleep(0)
        await node.engine.broker.declare_gap(node.apps.default.id, "*", "source")
        assert dict((await waiting).resets) == {A: "source"}


async def test_a_poll_that_is_given_up_leaves_nothing_behind() -> None:
    async with running() as node:
        cursor = await publish(node, 1)
        waiting = asyncio.create_task(node.poll(node.apps.default, Visitor(), [A], cursor, 60))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert list(node.apps.default.hub.occupied()) == []


async def test_a_cursor_ahead_of_the_log_is_told_at_once() -> None:
    async with running() as node:
        head = await publish(node, 1)
        page = await node.poll(node.apps.default, Visitor(), [A], Position(head.epoch, 99), 60)
        assert dict(page.resets) == {A: "ahead"}


async def test_private_channels_need_a_proof_here_too() -> None:
    async with running() as node:
        connect(node)
        with pytest.raises(Refusal, match="proof"):
            await node.poll(node.apps.default, Visitor(), [ChannelName("private-x")], None, 0)


async def test_a_poll_of_an_app_that_is_removed_ends() -> None:
    async with running() as node:
        cursor = await publish(node, 1)
        waiting = asyncio.create_task(node.poll(node.apps.default, Visitor(), [A], cursor, 60))
        await asyncio.sleep(0)
        await node.remove_app(node.apps.default.id)
        async with asyncio.timeout(10):
            assert (await waiting).messages == ()
