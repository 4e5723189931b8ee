"""The long poll: at once when there is something, later when something comes, empty when nothing does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.node.builders import connect, publish, publish_row, running
from tidings.errors import Refusal
from tidings.ids import ChannelName
from tidings.messages import Position
from tidings.node import polling
from tidings.node.authorizer import Visitor
from tidings.node.polling import poll
from tidings.row_filters import RowFilter

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


# ── with a row filter

P1 = RowFilter.parse("p=eq.1")


async def test_a_filtered_poll_gives_what_passes_and_goes_past_what_does_not() -> None:
    async with running() as node:
        cursor = await publish_row(node, None)
        for number in (2, 1, 2, 1):
            await publish_row(node, {"p": number})
        newest = await publish_row(node, {"p": 2})
        page = await poll(node, node.apps.default, (A,), cursor, 0, P1)
        first = cursor.offset
        assert [(m.position and m.position.offset, m.previous) for m in page.messages] == [
            (first + 2, None),
            (first + 4, first + 2),
        ]
        assert page.reached == newest
        assert (await poll(node, node.apps.default, (A,), newest, 0, P1)).reached is None


async def test_what_is_kept_back_does_not_end_the_wait_nor_spin() -> None:
    async with running() as node:
        cursor = await publish_row(node, None)
        read, reads = node.engine.broker.read, 0

        async def counting(*given: Any, **named: Any) -> Any:
            nonlocal reads
            reads += 1
            return await read(*given, **named)

        node.engine.broker.read = counting  # type: ignore[method-assign]
        waiting = asyncio.create_task(poll(node, node.apps.default, (A,), cursor, 60, P1))
        await asyncio.sleep(0)
        for _ in range(20):
            await publish_row(node, {"p": 2})
        assert not waiting.done()
        assert reads == 1
        last = await publish_row(node, {"p": 1})
        page = await waiting
        assert [m.data for m in page.messages] == [b'{"p":1}']
        assert (page.reached, reads) == (last, 2)


async def test_an_empty_answer_after_the_wait_has_a_cursor_past_what_was_kept_back() -> None:
    async with running() as node:
        cursor = await publish_row(node, None)
        waiting = asyncio.create_task(poll(node, node.apps.default, (A,), cursor, 0.05, P1))
        await asyncio.sleep(0)
        last = await publish_row(node, {"p": 2})
        page = await waiting
        assert (page.messages, page.reached) == ((), last)


async def test_a_far_reader_is_read_on_through_pages_that_hold_nothing_for_it() -> None:
    async with running() as node:
        cursor = await publish_row(node, None)
        for _ in range(1100):
            await publish_row(node, {"p": 2})
        last = await publish_row(node, {"p": 1})
        page = await poll(node, node.apps.default, (A,), cursor, 0, P1)
        assert [m.data for m in page.messages] == [b'{"p":1}']
        assert page.reached == last


async def test_no_request_reads_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "MAX_EMPTIED_PAGES", 2)
    async with running() as node:
        cursor = await publish_row(node, None)
        for _ in range(1500):
            await publish_row(node, {"p": 2})
        page = await poll(node, node.apps.default, (A,), cursor, 0, P1)
        assert (page.messages, page.complete) == ((), False)
        assert page.reached == Position(cursor.epoch, cursor.offset + 1000)


async def test_a_reset_is_told_to_a_filtered_poll_too() -> None:
    async with running() as node:
        cursor = await publish_row(node, None)
        waiting = asyncio.create_task(poll(node, node.apps.default, (A,), cursor, 60, P1))
        await asyncio.sleep(0)
        await node.engine.broker.declare_gap(node.apps.default.id, "*", "source")
        assert dict((await waiting).resets) == {A: "source"}
