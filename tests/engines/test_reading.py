"""Reading: pages, bounds, resets that name the truth, and never beyond what was told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.engines.harness import APP, NEWS, SPORT, Bench, Kit, message, offset, opened, until
from tidings.engines.base import DeclaredGap, Page
from tidings.hub.channel import ChannelOptions, Retention
from tidings.ids import AppId, ChannelName
from tidings.messages import Message, Position


async def test_an_empty_log_has_an_empty_page(bench: Bench) -> None:
    page = await bench.read(NEWS, SPORT)
    assert page == Page(head=bench.engine.broker.head(APP))
    assert page.head.offset == 0


async def test_channels_are_merged_in_order_and_others_left_out(bench: Bench) -> None:
    said = []
    for number in range(12):
        said += await bench.say((NEWS, SPORT, ChannelName("third"))[number % 3], b"%d" % number)
    assert await bench.offsets(NEWS, SPORT) == [o for n, o in enumerate(said) if n % 3 < 2]
    assert await bench.offsets(SPORT, SPORT, after=said[5]) == [said[7], said[10]]


async def test_a_hundred_channels_are_read_as_one(bench: Bench) -> None:
    names = [ChannelName(f"c{n}") for n in range(100)]
    for name in (*names, *reversed(names)):
        await bench.say(name, b"1")
    found = await bench.offsets(*names)
    assert found == [offset(m) for m in bench.heard.messages()]


async def test_pages_are_bounded_by_messages_and_together_whole(bench: Bench) -> None:
    for number in range(23):
        await bench.say(NEWS if number % 2 else SPORT, b"1")
    found: list[int] = []
    complete = False
    while not complete:
        page = await bench.read(NEWS, SPORT, after=found[-1] if found else 0, most=5)
        assert 0 < len(page.messages) <= 5
        found += [offset(m) for m in page.messages]
        complete = page.complete
    assert found == [offset(m) for m in bench.heard.messages()]


async def test_pages_are_bounded_by_bytes_but_never_empty(bench: Bench) -> None:
    said = await bench.say(NEWS, b"x" * 100, b"y" * 100, b"z" * 5000, b"1")
    assert len((await bench.read(NEWS, size=200)).messages) == 2
    assert len((await bench.read(NEWS, size=199)).messages) == 1
    huge = await bench.read(NEWS, after=said[1], size=10)
    assert [m.data[:1] for m in huge.messages] == [b"z"]
    assert not huge.complete


async def test_a_page_that_ends_exactly_at_the_last_message_is_complete(bench: Bench) -> None:
    await bench.say(NEWS, b"1", b"2")
    await bench.say(SPORT, b"3")
    page = await bench.read(NEWS, most=2)
    assert page.complete
    assert page.head == bench.engine.broker.head(APP)


async def test_a_cursor_of_another_epoch_is_told(bench: Bench) -> None:
    await bench.say(NEWS, b"1")
    page = await bench.engine.broker.read(APP, [NEWS, SPORT], Position("ffffffff", 0))
    assert (page.messages, page.resets) == ((), {NEWS: "epoch", SPORT: "epoch"})


async def test_a_cursor_ahead_of_the_log_is_told(bench: Bench) -> None:
    said = await bench.say(NEWS, b"1")
    page = await bench.read(NEWS, after=said[-1] + 1)
    assert (page.messages, page.resets) == ((), {NEWS: "ahead"})


async def test_the_floor_is_exact_and_resets_its_channel_alone(kit: Kit) -> None:
    kit.options.of[NEWS] = ChannelOptions(history=Retention(count=5))
    async with opened(kit.make()) as bench:
        said = await bench.say(NEWS, *[b"1"] * 9)
        other = await bench.say(SPORT, b"1")
        floor = said[3]
        assert await bench.offsets(NEWS, SPORT, after=floor) == [*said[4:], *other]
        page = await bench.read(NEWS, SPORT, after=floor - 1)
        if kit.exact:
            assert page.resets == {NEWS: "retention"}
            assert [offset(m) for m in page.messages] == other


async def test_retention_by_bytes_keeps_what_fits_and_always_the_newest(kit: Kit) -> None:
    kit.options.of[NEWS] = ChannelOptions(history=Retention(bytes=15))
    async with opened(kit.make()) as bench:
        said = await bench.say(NEWS, b"12345", b"12345", b"12345")
        assert await bench.offsets(NEWS) == said
        said += await bench.say(NEWS, b"12345")
        assert await bench.offsets(NEWS, after=said[0]) == said[1:]
        said += await bench.say(NEWS, b"x" * 100)
        assert await bench.offsets(NEWS, after=said[3]) == said[4:]
        if kit.exact:
            assert (await bench.read(NEWS, after=said[2])).resets == {NEWS: "retention"}


async def test_retention_by_age_drops_also_when_nobody_publishes(kit: Kit) -> None:
    kit.options.of[NEWS] = ChannelOptions(history=Retention(age=60))
    async with opened(kit.make()) as bench:
        await bench.say(NEWS, b"1")
        kit.clock.now += 30
        second = await bench.say(NEWS, b"2")
        await bench.say(SPORT, b"3")
        kit.clock.now += 31

        async def dropped() -> bool:
            return (await bench.read(NEWS)).resets == {NEWS: "retention"}

        await until(dropped)
        assert await bench.offsets(NEWS, after=second[0] - 1) == second


async def test_a_cursor_at_the_head_never_needs_a_reset(kit: Kit) -> None:
    kit.options.of[NEWS] = ChannelOptions(history=Retention(count=0))
    async with opened(kit.make()) as bench:
        said = await bench.say(NEWS, b"1", b"2")
        page = await bench.read(NEWS, after=said[-1])
        assert (page.messages, page.resets, page.complete) == ((), {}, True)
        assert (await bench.say(NEWS, b"3")) > said
        assert bench.heard.messages()[-1].previous == said[-1]


async def test_a_latest_value_channel_keeps_its_last_message_beyond_history(kit: Kit) -> None:
    kit.options.of[NEWS] = ChannelOptions(cache=True, history=Retention(age=60))
    async with opened(kit.make()) as bench:
        broker = bench.engine.broker
        assert await broker.latest(APP, NEWS) is None
        await bench.say(NEWS, b"1", b"2")
        kit.clock.now += 61

        async def dropped() -> bool:
            return (await bench.read(NEWS, after=0)).messages == ()

        await bench.say(SPORT, b"1")
        await until(dropped)
        latest = await broker.latest(APP, NEWS)
        assert latest == bench.heard.messages()[1]
        await bench.say(NEWS, b"3")
        latest = await broker.latest(APP, NEWS)
        assert latest is not None
        assert latest.data == b"3"


async def test_a_declared_gap_resets_every_cursor_before_it_on_matching_channels(bench: Bench) -> None:
    broker = bench.engine.broker
    said = await bench.say(NEWS, b"1")
    await bench.say(SPORT, b"2")
    gap = await broker.declare_gap(APP, "n*", "source")
    after = await bench.say(NEWS, b"3")
    assert said[0] < gap.offset < after[0]
    told = bench.heard.by_app[APP][2]
    assert told == DeclaredGap(pattern="n*", reason="source", position=gap)
    page = await bench.read(NEWS, SPORT, after=gap.offset - 1)
    assert page.resets == {NEWS: "source"}
    assert await bench.offsets(NEWS, after=gap.offset) == after
    assert bench.heard.messages()[-1].previous == said[0]


async def test_a_gap_on_a_silent_log_moves_the_head(bench: Bench) -> None:
    gap = await bench.engine.broker.declare_gap(APP, "*", "source")
    assert bench.engine.broker.head(APP) == gap
    assert (await bench.read(NEWS)).resets == {NEWS: "source"}
    assert (await bench.read(NEWS, after=gap.offset)).resets == {}


async def test_very_many_gaps_are_never_forgotten_unsafely(bench: Bench) -> None:
    start = bench.engine.broker.head(APP).offset
    for number in range(80):
        await bench.engine.broker.declare_gap(APP, f"c{number}", "source")
    for number in (0, 40, 79):
        page = await bench.read(ChannelName(f"c{number}"), after=start)
        assert list(page.resets.values()) == ["source"]


async def test_an_unknown_reason_for_a_gap_is_the_callers_error(bench: Bench) -> None:
    with pytest.raises(ValueError, match="not a reason"):
        await bench.engine.broker.declare_gap(APP, "*", "because")


async def test_a_reader_that_joins_history_to_live_sees_each_message_once(bench: Bench) -> None:
    """Promise 6, as the node uses it: listen, then read up to the head, while others publish without pause."""

    async def publisher() -> None:
        for number in range(60):
            await bench.say(NEWS, b"%d" % number)

    async def joiner() -> None:
        begin = len(bench.heard.messages())
        page = await bench.read(NEWS)
        told = [offset(m) for m in bench.heard.messages()]
        assert all(offset(m) <= page.head.offset for m in page.messages)
        assert page.head.offset <= (told[-1] if told else 0)
        live = [o for o in told[begin:] if o > page.head.offset]
        assert [offset(m) for m in page.messages] + live == told

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(publisher())
        for _ in range(40):
            await asyncio.create_task(joiner())


async def test_neither_page_nor_head_is_ahead_of_the_listener(kit: Kit) -> None:
    engine = kit.make()
    heads: list[tuple[int, int]] = []

    def listener(app: AppId, told: Sequence[Message | DeclaredGap]) -> None:
        newest = told[-1].position
        assert newest is not None
        heads.append((newest.offset, engine.broker.head(app).offset))

    engine.broker.listen(listener)
    await engine.open()
    tasks = [asyncio.create_task(engine.broker.publish(APP, [message(NEWS)])) for _ in range(30)]
    while not all(task.done() for task in tasks):
        head = engine.broker.head(APP)
        page = await engine.broker.read(APP, [NEWS], Position(head.epoch, 0))
        assert page.head.offset <= (heads[-1][0] if heads else 0)
        assert all(offset(m) <= page.head.offset for m in page.messages)
        await asyncio.sleep(0)
    assert all(head <= newest for newest, head in heads)
    await engine.close()
