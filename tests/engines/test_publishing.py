"""Publishing: one step, one order, told before it is acknowledged, once per key."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from tests.engines.harness import APP, NEWS, OTHER, SPORT, Bench, Heard, Kit, message, offset, opened
from tidings.changes import Checkpoint, Progress
from tidings.engines.base import MAX_KEY_LENGTH, DeclaredGap, Engine
from tidings.errors import EngineUnavailable, Refusal
from tidings.ids import AppId, ChannelName, SessionId, UserId
from tidings.messages import Entity, Message, Origin, Position


async def test_offsets_rise_over_all_channels_and_previous_follows_the_channel(bench: Bench) -> None:
    said = [
        *await bench.say(NEWS, b"1"),
        *await bench.say(SPORT, b"2"),
        *await bench.say(NEWS, b"3"),
        *await bench.say(SPORT, b"4"),
    ]
    assert said == sorted(set(said))
    assert [m.previous for m in bench.heard.messages()] == [None, None, said[0], said[1]]


async def test_messages_of_one_publish_are_neighbours(bench: Bench) -> None:
    several = [message(NEWS), message(SPORT), message(NEWS)]
    published = await bench.engine.broker.publish(APP, several)
    first = published.positions[0].offset
    assert [position.offset for position in published.positions] == [first, first + 1, first + 2]
    assert [m.previous for m in bench.heard.messages()] == [None, None, first]


async def test_read_gives_what_the_listener_was_told(bench: Bench) -> None:
    full = Message(
        id="m1",
        channel=NEWS,
        event="task-updated",
        data='{"text":"\u00e4\\u0000"}'.encode(),
        time=1_700_000_000_123,
        entity=Entity("task", 7, version=3, change="update"),
        keys=(("tasks", 7), ("projects", "a")),
        origin=Origin(mutation="mut", session=SessionId("1.2")),
        trail="abc",
        user=UserId("u"),
    )
    await bench.engine.broker.publish(APP, [full, message(NEWS)])
    page = await bench.read(NEWS)
    assert list(page.messages) == bench.heard.messages()
    assert page.messages[0].data == full.data
    assert page.messages[0].keys == full.keys


async def test_the_listener_is_told_before_publish_returns_and_what_it_gets_can_be_read(kit: Kit) -> None:
    engine = kit.make()
    seen: list[int] = []

    def listener(app: AppId, told: Sequence[Message | DeclaredGap]) -> None:
        seen.extend(offset(m) for m in told if isinstance(m, Message))

    engine.broker.listen(listener)
    await engine.open()
    published = await engine.broker.publish(APP, [message(NEWS), message(NEWS)])
    assert seen == [position.offset for position in published.positions]
    assert engine.broker.head(APP) == published.positions[-1]
    await engine.close()


async def test_sixty_four_publishers_at_once_see_one_order(bench: Bench) -> None:
    async def publisher(number: int) -> list[int]:
        channel = ChannelName(f"c{number % 5}")
        return [(await bench.say(channel, b"%d" % n))[0] for n in range(10)]

    said = await asyncio.gather(*[publisher(number) for number in range(64)])
    told = [offset(m) for m in bench.heard.messages()]
    assert told == sorted(told)
    assert sorted(told) == sorted(o for own in said for o in own)
    assert all(own == sorted(own) for own in said)
    newest: dict[str, int] = {}
    for m in bench.heard.messages():
        assert m.previous == newest.get(m.channel)
        newest[m.channel] = offset(m)


async def test_apps_with_the_same_channel_names_know_nothing_of_each_other(bench: Bench) -> None:
    await bench.say(NEWS, b"1")
    await bench.say(NEWS, b"2", key="k", app=OTHER)
    await bench.say(NEWS, b"3", key="k")
    assert [m.data for m in bench.heard.messages()] == [b"1", b"3"]
    assert [m.data for m in (await bench.read(NEWS, app=OTHER)).messages] == [b"2"]
    assert bench.heard.messages(OTHER)[0].previous is None
    assert bench.engine.broker.head(AppId("unused")).offset == 0


async def test_a_repeated_key_stores_nothing_and_returns_the_first_receipt(bench: Bench) -> None:
    publish = bench.engine.broker.publish
    first = await publish(APP, [message(NEWS), message(SPORT)], key="k")
    again = await publish(APP, [message(NEWS), message(SPORT)], key="k")
    assert (first.repeated, again.repeated) == (False, True)
    assert again.positions == first.positions
    assert len(bench.heard.messages()) == 2


async def test_the_same_key_at_the_same_time_is_one_message(bench: Bench) -> None:
    publish = bench.engine.broker.publish
    receipts = await asyncio.gather(*[publish(APP, [message(NEWS)], key="k") for _ in range(20)])
    assert {receipt.positions for receipt in receipts} == {receipts[0].positions}
    assert sum(not receipt.repeated for receipt in receipts) == 1
    assert len(bench.heard.messages()) == 1


@pytest.mark.parametrize(
    "other",
    [message(SPORT), message(NEWS, event="shouted"), message(NEWS, b"2")],
    ids=["channel", "event", "data"],
)
async def test_a_key_used_for_another_message_is_refused(bench: Bench, other: Message) -> None:
    await bench.say(NEWS, b"1", key="k")
    with pytest.raises(Refusal) as refused:
        await bench.engine.broker.publish(APP, [other], key="k")
    assert refused.value.name == "key_reused"
    assert len(bench.heard.messages()) == 1


@pytest.mark.parametrize("key", ["", "x" * (MAX_KEY_LENGTH + 1), "a\nb", "\u00e4"])
async def test_a_key_that_must_not_be_stored_is_refused(bench: Bench, key: str) -> None:
    with pytest.raises(Refusal) as refused:
        await bench.say(NEWS, b"1", key=key)
    assert refused.value.name == "bad_key"


async def test_a_publish_of_nothing_is_the_callers_error(bench: Bench) -> None:
    with pytest.raises(ValueError, match="at least one"):
        await bench.engine.broker.publish(APP, [])


async def test_a_publisher_that_gives_up_loses_its_answer_only(bench: Bench) -> None:
    task = asyncio.create_task(bench.say(NEWS, b"1"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await bench.say(NEWS, b"2")
    assert [m.data for m in bench.heard.messages()][-1] == b"2"
    assert list((await bench.read(NEWS)).messages) == bench.heard.messages()


async def test_a_relayed_message_is_told_and_not_kept(bench: Bench) -> None:
    said = Message(id="e", channel=NEWS, event="client-typing", data=b"{}", time=1, kind="client")
    bench.engine.broker.relay(APP, said)
    await bench.say(NEWS, b"1")
    assert said in bench.heard.messages()
    assert said not in (await bench.read(NEWS)).messages


async def test_a_listener_that_raises_costs_no_acknowledgement(kit: Kit) -> None:
    engine = kit.make()

    def listener(app: AppId, told: Sequence[Message | DeclaredGap]) -> None:
        raise RuntimeError("a fault of the node")

    engine.broker.listen(listener)
    await engine.open()
    assert (await engine.broker.publish(APP, [message(NEWS)])).repeated is False
    await engine.close()


async def test_a_closed_engine_refuses_and_says_so(kit: Kit) -> None:
    engine = kit.make()
    assert not engine.health().ok
    async with opened(engine) as bench:
        await bench.say(NEWS, b"1")
        assert engine.health().ok
    assert not engine.health().ok
    with pytest.raises(EngineUnavailable):
        await engine.broker.publish(APP, [message(NEWS)])
    with pytest.raises(EngineUnavailable):
        await engine.broker.read(APP, [NEWS], Position("00000000", 0))
    await engine.close()


async def test_publishes_under_way_while_closing_are_answered_truly(kit: Kit) -> None:
    engine: Engine = kit.make()
    heard = Heard()
    engine.broker.listen(heard)
    await engine.open()
    tasks = [asyncio.create_task(engine.broker.publish(APP, [message(NEWS)])) for _ in range(50)]
    await asyncio.sleep(0)
    await engine.close()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    kept = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(kept) == len(heard.messages())


def progress(value: int, part: int = 0, *, source: str = "db", generation: str = "g") -> Progress:
    return Progress(source=source, generation=generation, checkpoint=Checkpoint(value, part))


async def test_progress_is_kept_with_its_messages_and_what_it_covers_stores_nothing(bench: Bench) -> None:
    broker = bench.engine.broker
    assert await broker.progress(APP, "db") is None
    await broker.publish(APP, [message(NEWS)], progress=progress(5, 2))
    for covered in (progress(5, 2), progress(5, 1), progress(4, 9)):
        again = await broker.publish(APP, [message(NEWS)], progress=covered)
        assert (again.repeated, again.positions) == (True, ())
    assert await broker.progress(APP, "db") == progress(5, 2)
    after = await broker.publish(APP, [message(NEWS)], progress=progress(5, 3))
    assert not after.repeated
    assert len(bench.heard.messages()) == 2


async def test_progress_alone_is_kept_and_told_to_nobody(bench: Bench) -> None:
    broker = bench.engine.broker
    head = broker.head(APP)
    assert not (await broker.publish(APP, [], progress=progress(5))).repeated
    assert await broker.progress(APP, "db") == progress(5)
    assert (broker.head(APP), bench.heard.messages()) == (head, [])


async def test_seals_stay_until_there_are_others_and_are_stored_though_the_progress_is_the_same(
    bench: Bench,
) -> None:
    broker = bench.engine.broker
    sealed = replace(progress(5), seals={"tasks": "1"})
    await broker.publish(APP, [message(NEWS)], progress=sealed)
    assert (await broker.publish(APP, [], progress=sealed)).repeated
    await broker.publish(APP, [], progress=progress(6))
    assert await broker.progress(APP, "db") == replace(progress(6), seals={"tasks": "1"})
    for others in ({"tasks": "2"}, {}):
        again = replace(progress(6), seals=others)
        assert not (await broker.publish(APP, [], progress=again)).repeated
        assert await broker.progress(APP, "db") == again
    assert (await broker.publish(APP, [message(NEWS)], progress=progress(6))).repeated
    assert len(bench.heard.messages()) == 1


async def test_sources_and_generations_do_not_cover_one_another(bench: Bench) -> None:
    broker = bench.engine.broker
    await broker.publish(APP, [message(NEWS)], progress=progress(5))
    for other in (progress(1, source="other"), progress(1, generation="h")):
        assert not (await broker.publish(APP, [message(NEWS)], progress=other)).repeated
    assert await broker.progress(APP, "db") == progress(1, generation="h")


async def test_a_publish_of_nothing_at_all_is_an_error_of_the_caller(bench: Bench) -> None:
    with pytest.raises(ValueError, match="at least one message"):
        await bench.engine.broker.publish(APP, [])
