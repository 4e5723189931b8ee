"""Clients without cursors: the server holds theirs, and a pong is the only proof of receipt it believes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.unit.node.builders import Clock, Line, ask, connect, publish, running
from tidings.node.node import Node
from tidings.node.session import Session


@asynccontextmanager
async def remembering(**given: Any) -> AsyncIterator[Node]:
    """A node whose engine counts as one that outlives its process."""
    async with running(**given) as node:
        node.engine.lasting = True
        yield node


async def confirmed(session: Session, line: Line) -> None:
    """Wait for the ping that asks about what was written, and answer it."""
    seen = len(line.pings)
    async with asyncio.timeout(10):
        while len(line.pings) == seen:
            await asyncio.sleep(0.01)
    session.pong(line.pings[-1])


async def test_a_cut_client_gets_what_was_not_confirmed_again_and_all_it_missed() -> None:
    async with remembering() as node:
        first, line = connect(node, client="phone-1")
        await ask(first, type="subscribe", channel="a")
        await publish(node, 1)
        await confirmed(first, line)
        await publish(node, 2)  # written, and perhaps not received: no pong came
        first.closed()
        await publish(node, 3)
        second, again = connect(node, client="phone-1")
        await ask(second, type="subscribe", channel="a")
        await publish(node, 4)
        assert again.numbers() == [2, 3, 4]


async def test_a_new_channel_is_settled_before_the_client_is_told_that_it_is_in() -> None:
    async with remembering() as node:
        told_before_settled: list[int] = []

        async def settle() -> None:
            told_before_settled.append(len(line.said("subscribed")))

        node.engine.cursors.settle = settle  # type: ignore[method-assign]
        session, line = connect(node, client="c")
        await ask(session, type="subscribe", channel="a")
        assert told_before_settled == [0]
        assert len(line.said("subscribed")) == 1
        session.closed()
        again, _ = connect(node, client="c")
        await ask(again, type="subscribe", channel="a")
        assert told_before_settled == [0], "a channel that is held already needs no settling"


async def test_a_client_never_seen_starts_from_now() -> None:
    async with remembering() as node:
        await publish(node, 1)
        session, line = connect(node, client="new")
        await ask(session, type="subscribe", channel="a")
        assert line.numbers() == []


async def test_a_pong_proves_nothing_for_a_channel_that_went_live_after_its_ping() -> None:
    async with remembering() as node:
        first, line = connect(node, client="c")
        await ask(first, type="subscribe", channels=["a", "b"])
        await publish(node, 1, "a")
        first.closed()
        await publish(node, 2, "b")
        second, line = connect(node, client="c")
        await ask(second, type="subscribe", channel="a")
        async with asyncio.timeout(10):
            await publish(node, 3, "a")
            while not line.pings:
                await asyncio.sleep(0.01)
        await ask(second, type="subscribe", channel="b")  # its replay is written after the ping
        second.pong(line.pings[0])
        second.closed()
        third, again = connect(node, client="c")
        await ask(third, type="subscribe", channel="b")
        assert again.numbers() == [2]


async def test_a_pong_that_nobody_asked_for_proves_nothing() -> None:
    async with remembering() as node:
        first, _ = connect(node, client="c")
        await ask(first, type="subscribe", channel="a")
        await publish(node, 1)
        first.pong(str(node.head(node.apps.default)).encode())
        first.pong(b"")
        first.closed()
        second, again = connect(node, client="c")
        await ask(second, type="subscribe", channel="a")
        assert again.numbers() == [1]


async def test_leaving_of_its_own_accord_forgets_the_channel() -> None:
    async with remembering() as node:
        first, _ = connect(node, client="c")
        await ask(first, type="subscribe", channel="a")
        await ask(first, type="unsubscribe", channel="a")
        await publish(node, 1)
        first.closed()
        second, again = connect(node, client="c")
        await ask(second, type="subscribe", channel="a")
        assert again.numbers() == []


async def test_channels_of_a_lost_log_are_reset_even_when_asked_for_late() -> None:
    async with remembering() as node:
        first, _ = connect(node, client="c")
        await ask(first, type="subscribe", channels=["a", "b"])
        first.closed()
        held = await node.engine.cursors.held(node.apps.default.id, "c")  # type: ignore[arg-type]
    async with remembering() as node:
        assert held is not None
        node.engine.cursors.hold(node.apps.default.id, "c", held)  # type: ignore[arg-type]
        second, again = connect(node, client="c")
        await ask(second, type="subscribe", channel="a")
        await ask(second, type="subscribe", channel="b")
        assert [(one["channels"], one["reason"]) for one in again.said("reset")] == [
            (["a"], "epoch"),
            (["b"], "epoch"),
        ]


async def test_an_engine_that_forgets_with_its_process_tells_every_unknown_client_to_read_anew() -> None:
    async with running() as node:
        first, line = connect(node, client="c")
        await ask(first, type="subscribe", channel="a")
        await ask(first, type="subscribe", channel="b")
        await publish(node, 1)
        assert [(one["channels"], one["reason"]) for one in line.said("reset")] == [
            (["a"], "epoch"),
            (["b"], "epoch"),
        ]
        assert line.numbers() == [1]


# ── transports without pings


async def asked_in_words(line: Line, times: int) -> None:
    """Wait until so many heartbeats were said."""
    async with asyncio.timeout(10):
        while len(line.said("heartbeat")) < times:
            await asyncio.sleep(0.01)


async def test_without_pings_the_answer_to_a_heartbeat_is_the_proof() -> None:
    async with remembering() as node:
        first, line = connect(node, client="c", can_ping=False)
        await ask(first, type="subscribe", channel="a")
        await publish(node, 1)
        await asked_in_words(line, 1)
        await publish(node, 2)  # written after the question: its answer does not prove it
        await ask(first, type="pong")
        first.closed()
        second, again = connect(node, client="c", can_ping=False)
        await ask(second, type="subscribe", channel="a")
        assert again.numbers() == [2]


async def test_questions_in_words_come_once_a_second_and_one_at_a_time() -> None:
    clock = Clock(100.0)
    async with remembering(clock=clock) as node:
        session, line = connect(node, client="c", can_ping=False)
        await ask(session, type="subscribe", channel="a")
        await publish(node, 1)
        await asked_in_words(line, 1)
        clock.now += 5
        await publish(node, 2)
        node.keeper._confirm()
        assert len(line.said("heartbeat")) == 1, "the first is not answered yet"
        await ask(session, type="pong")
        node.keeper._confirm()
        await asked_in_words(line, 2)
        await ask(session, type="pong")
        await publish(node, 3)
        node.keeper._confirm()
        assert len(line.said("heartbeat")) == 2, "too soon"
        clock.now += 1
        node.keeper.sweep()
        assert len(line.said("heartbeat")) == 3, "the sweep asks about what came too soon"
        await ask(session, type="pong")
        assert session.resume is not None
        assert session.resume.snapshot() == {"a": node.head(node.apps.default).offset}


async def test_a_heartbeat_for_life_is_a_question_too_so_that_answers_are_not_mixed_up() -> None:
    clock = Clock(100.0)
    async with remembering(clock=clock) as node:
        session, line = connect(node, client="c", can_ping=False)
        await ask(session, type="subscribe", channel="a")
        clock.now += node.limits.activity_seconds + 1
        node.keeper.sweep()
        await publish(node, 1)
        node.keeper._confirm()
        assert len(line.said("heartbeat")) == 1
        before = node.head(node.apps.default).offset - 1
        await ask(session, type="pong")
        assert session.resume is not None
        assert session.resume.snapshot() == {"a": before}, "the answer is older than the message"
        assert line.ended is None


async def test_where_pings_can_be_sent_a_word_of_life_proves_nothing() -> None:
    async with remembering() as node:
        first, line = connect(node, client="c")
        await ask(first, type="subscribe", channel="a")
        await publish(node, 1)
        async with asyncio.timeout(10):
            while not line.pings:
                await asyncio.sleep(0.01)
        await ask(first, type="pong")
        first.closed()
        second, again = connect(node, client="c")
        await ask(second, type="subscribe", channel="a")
        assert again.numbers() == [1]


async def test_a_slow_connection_is_not_robbed_by_a_faster_one_with_the_same_id() -> None:
    async with remembering() as node:
        slow, _ = connect(node, client="bob")
        await ask(slow, type="subscribe", channel="a")
        fast, line = connect(node, client="bob")
        await ask(fast, type="subscribe", channel="a")
        await publish(node, 1)
        await confirmed(fast, line)
        slow.closed()
        again, told = connect(node, client="bob")
        await ask(again, type="subscribe", channel="a")
        assert told.numbers() == [1]


async def test_one_connection_does_not_forget_the_channels_of_another_with_the_same_id() -> None:
    async with remembering() as node:
        first, line = connect(node, client="bob")
        await ask(first, type="subscribe", channel="x")
        second, _ = connect(node, client="bob")
        await ask(second, type="subscribe", channels=["x", "y"])
        await publish(node, 1, "x")
        await confirmed(first, line)
        second.closed()
        await publish(node, 2, "y")
        again, told = connect(node, client="bob")
        await ask(again, type="subscribe", channel="y")
        assert told.numbers() == [2]


async def test_a_client_that_is_back_before_its_end_was_noticed_misses_nothing() -> None:
    async with remembering() as node:
        dead, _ = connect(node, client="c")
        await ask(dead, type="subscribe", channel="a")
        await publish(node, 1)  # written into a dead connection
        back, line = connect(node, client="c")
        await ask(back, type="subscribe", channel="a")
        assert line.numbers() == [1]
