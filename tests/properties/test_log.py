"""The log against a plain model: whatever is published, repeated, dropped or killed, a reader gets all or is told."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from tests.engines.crashes import leave_as_killed
from tests.engines.harness import Clock, Heard, Options
from tidings.engines.base import Engine
from tidings.engines.memory import MemoryEngine
from tidings.engines.sqlite import SqliteEngine
from tidings.errors import Refusal
from tidings.filters import matches
from tidings.hub.channel import ChannelOptions, Retention
from tidings.ids import AppId, ChannelName
from tidings.messages import Message, Position

APPS = (AppId("a"), AppId("b"))
CHANNELS = tuple(ChannelName(name) for name in ("plain", "few", "small", "young", "latest"))
PATTERNS = ("*", "few", "y*", "nothing")
KEEPS = {
    "few": Retention(count=3),
    "small": Retention(bytes=15),
    "young": Retention(age=100),
    "latest": Retention(count=2, age=100),
}

FOREVER = 10.0**9

T = TypeVar("T")


@dataclass
class ModelChannel:
    """Every message that ever was, and the newest offset that must have been dropped."""

    all: list[tuple[int, bytes, float]] = field(default_factory=list)
    floor: int = 0

    def drop(self, keep: Retention, now: float) -> None:
        self.floor = max(self.floor, self.floor_at(keep, now))

    def floor_at(self, keep: Retention, now: float) -> int:
        floor, kept = self.floor, [entry for entry in self.all if entry[0] > self.floor]
        while kept and (
            len(kept) > keep.count
            or (sum(len(data) for _, data, _ in kept) > keep.bytes and len(kept) > 1)
            or int(kept[0][2] * 1000) <= int(now * 1000) - keep.age * 1000
        ):
            floor = kept.pop(0)[0]
        return floor


@dataclass
class ModelApp:
    """One app's truth."""

    channels: dict[ChannelName, ModelChannel] = field(
        default_factory=lambda: {name: ModelChannel() for name in CHANNELS}
    )
    keys: dict[str, tuple[list[tuple[ChannelName, bytes]], tuple[Position, ...]]] = field(
        default_factory=dict
    )
    gaps: list[tuple[int, str]] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    head: int = 0


class LogMachine(RuleBasedStateMachine):
    """Steps that a life may bring. `kind` says over which engine."""

    kind = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.lives = 0
        self.loop = asyncio.new_event_loop()
        self.clock, self.options = Clock(), Options()
        for name, keep in KEEPS.items():
            self.options.of[name] = ChannelOptions(history=keep, cache=name == "latest")
        self.model: dict[AppId, ModelApp] = {}
        self.start()

    def do(self, step: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(step)

    def make(self) -> Engine:
        if self.kind == "memory":
            return MemoryEngine(options=self.options, clock=self.clock)
        path = self.folder / str(self.lives) / "log.db"
        return SqliteEngine(path, options=self.options, clock=self.clock)

    def start(self) -> None:
        self.engine = self.make()
        self.heard = Heard()
        self.engine.broker.listen(self.heard)
        self.do(self.engine.open())
        if self.kind == "memory" or not self.model:
            self.model = {app: ModelApp() for app in APPS}
        for app in self.model.values():
            app.told = []

    def teardown(self) -> None:
        self.do(self.engine.close())
        self.do(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.folder)

    # ── steps

    @rule(
        app=st.sampled_from(APPS),
        said=st.lists(st.tuples(st.sampled_from(CHANNELS), st.integers(0, 999999)), min_size=1, max_size=6),
        key=st.sampled_from([None, None, "k1", "k2", "k3"]),
    )
    def publish(self, app: AppId, said: list[tuple[ChannelName, int]], key: str | None) -> None:
        model, content = self.model[app], [(channel, b"%d" % number) for channel, number in said]
        messages = [
            Message(id=f"m{n}", channel=c, event="e", data=data, time=0)
            for n, (c, data) in enumerate(content)
        ]
        known = model.keys.get(key) if key is not None else None
        try:
            published = self.do(self.engine.broker.publish(app, messages, key=key))
        except Refusal:
            assert known is not None
            assert known[0] != content
            return
        if known is not None:
            assert published.repeated
            assert (content, published.positions) == known
            return
        assert not published.repeated
        if key is not None:
            model.keys[key] = content, published.positions
        self.note(model, content, [position.offset for position in published.positions])

    def note(self, model: ModelApp, content: Sequence[tuple[ChannelName, bytes]], offsets: list[int]) -> None:
        assert offsets == list(range(offsets[0], offsets[0] + len(content)))
        assert offsets[0] > model.head
        model.head = offsets[-1]
        model.told += offsets
        for (name, data), offset in zip(content, offsets, strict=True):
            model.channels[name].all.append((offset, data, self.clock.now))
        for name in {name for name, _ in content}:
            # By count and bytes at once; by age whenever the engine comes to it.
            model.channels[name].drop(replace(KEEPS.get(name, Retention()), age=FOREVER), self.clock.now)

    @rule(app=st.sampled_from(APPS), pattern=st.sampled_from(PATTERNS))
    def declare_gap(self, app: AppId, pattern: str) -> None:
        model = self.model[app]
        position = self.do(self.engine.broker.declare_gap(app, pattern, "source"))
        assert position.offset > model.head
        model.head = position.offset
        model.told.append(position.offset)
        model.gaps.append((position.offset, pattern))

    @rule(seconds=st.sampled_from([1, 30, 99, 100, 101]))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule()
    def reopen(self) -> None:
        self.do(self.engine.close())
        self.start()

    @precondition(lambda self: self.kind == "sqlite")
    @rule()
    def kill(self) -> None:
        """What a killed process leaves: its files as they are, with a write-ahead log that nobody folded in."""
        killed = self.engine
        before = self.folder / str(self.lives)
        self.lives += 1
        after = self.folder / str(self.lives)
        leave_as_killed(before, after)
        self.start()
        self.do(killed.close())

    @rule(
        app=st.sampled_from(APPS),
        channels=st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=5, unique=True),
        back=st.integers(0, 30),
        most=st.integers(1, 7),
        size=st.integers(1, 40),
    )
    def read(self, app: AppId, channels: list[ChannelName], back: int, most: int, size: int) -> None:
        begin = cursor = max(0, self.model[app].head - back)
        found: list[tuple[int, bytes]] = []
        resets: set[ChannelName] = set()
        while True:
            position = Position(self.engine.broker.head(app).epoch, cursor)
            asked = [channel for channel in channels if channel not in resets]
            page = self.do(self.engine.broker.read(app, asked, position, max_messages=most, max_bytes=size))
            assert page.head.offset == self.model[app].head
            resets |= set(page.resets)
            for message in page.messages:
                assert message.position is not None
                assert message.channel not in resets
                cursor = message.position.offset
                found.append((cursor, message.data))
            if page.complete:
                break
            assert page.messages
        self.judge(self.model[app], set(channels), begin, resets, found)

    def judge(
        self,
        model: ModelApp,
        channels: set[ChannelName],
        begin: int,
        resets: set[ChannelName],
        found: list[tuple[int, bytes]],
    ) -> None:
        """All that lies after the cursor was given, but on channels that were reset; and those had to be, or might."""
        truth: list[tuple[int, bytes]] = []
        for name in channels:
            channel = model.channels[name]
            gone = any(begin < offset and matches(pattern, name) for offset, pattern in model.gaps)
            must = begin < model.head and (gone or begin < channel.floor)
            may = must or begin < channel.floor_at(KEEPS.get(name, Retention()), self.clock.now)
            assert name in resets or not must
            assert name not in resets or may
            if name not in resets:
                truth += [(offset, data) for offset, data, _ in channel.all if offset > begin]
        assert [entry for entry in found if entry in set(truth)] == sorted(truth)

    @rule(app=st.sampled_from(APPS))
    def look_at_latest(self, app: AppId) -> None:
        latest = self.do(self.engine.broker.latest(app, ChannelName("latest")))
        everything = self.model[app].channels[ChannelName("latest")].all
        assert (latest and latest.data) == (everything[-1][1] if everything else None)

    # ── always

    @invariant()
    def the_listener_was_told_everything_once_in_order(self) -> None:
        for name, model in self.model.items():
            told = [told.position for told in self.heard.by_app.get(name, [])]
            assert [position.offset for position in told if position] == model.told

    @invariant()
    def previous_is_the_message_before(self) -> None:
        for name, model in self.model.items():
            before = {
                entry[0]: (channel.all[n - 1][0] if n else None)
                for channel in model.channels.values()
                for n, entry in enumerate(channel.all)
            }
            for message in self.heard.messages(name):
                assert message.position is not None
                assert message.previous == before[message.position.offset]


class SqliteLogMachine(LogMachine):
    kind = "sqlite"


@pytest.mark.parametrize("machine", [LogMachine, SqliteLogMachine])
def test_the_log_and_the_model_agree(machine: type[LogMachine]) -> None:
    checks = settings(
        max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=checks)
