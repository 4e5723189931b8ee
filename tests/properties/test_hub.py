"""The hub against a plain model: whatever the order of joins, leaves, bursts and full transports, each session gets
exactly the messages of its channels, once, in log order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from tests.unit.hub.builders import Showing, Wire, message
from tidings.hub.hub import Hub
from tidings.hub.subscription import Join, State
from tidings.ids import ChannelName

CHANNELS = ("a", "b", "c")
names = st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=3, unique=True)


class Reader:
    """One session of the model: what it must have been given, and what it was given."""

    def __init__(self, number: int) -> None:
        self.wire = Wire(f"{number}.0", limit=10**9)
        self.live: set[str] = set()
        self.expected: list[str] = []
        self.join: Join | None = None
        self.after = 0
        self.read_at = 0


class HubMachine(RuleBasedStateMachine):
    readers = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.scheduled = 0
        self.hub = Hub(self._schedule)
        self.log: list[tuple[int, str]] = []
        self.all: list[Reader] = []
        self.showing = Showing()

    def _schedule(self) -> None:
        self.scheduled += 1

    def _history(self, reader: Reader, channels: tuple[str, ...], upto: int) -> list[tuple[int, str]]:
        return [(o, c) for o, c in self.log if reader.after < o <= upto and c in channels]

    @rule(target=readers)
    def connect(self) -> Reader:
        reader = Reader(len(self.all) + 1)
        self.all.append(reader)
        return reader

    @rule(reader=readers, channels=names, back=st.integers(0, 5))
    def begin(self, reader: Reader, channels: list[str], back: int) -> None:
        wanted = tuple(ChannelName(c) for c in channels if c not in reader.live)
        if reader.join is not None or not wanted:
            return
        reader.after = max(0, len(self.log) - back)
        reader.join = self.hub.join(reader.wire.outlet, wanted, self.showing, self.showing)
        reader.read_at = len(self.log)

    @rule(reader=readers)
    def read_log(self, reader: Reader) -> None:
        reader.read_at = len(self.log)

    @rule(reader=readers)
    def complete(self, reader: Reader) -> None:
        join = reader.join
        if join is None:
            return
        page = [message(o, c) for o, c in self._history(reader, join.channels, reader.read_at)]
        merged = self.hub.complete(join, page, after=reader.after)
        reader.wire.outlet.send(b"".join(self.showing.frame(self.showing.encode(m)) for m in merged))
        reader.expected += [f"{c}{o};" for o, c in self._history(reader, join.channels, len(self.log))]
        reader.live.update(join.channels)
        reader.join = None

    @rule(reader=readers)
    def abandon(self, reader: Reader) -> None:
        if reader.join is not None:
            self.hub.abandon(reader.join)
            assert reader.join.state is State.LEFT
            reader.join = None

    @rule(reader=readers, channel=st.sampled_from(CHANNELS))
    def leave(self, reader: Reader, channel: str) -> None:
        assert self.hub.leave(reader.wire.outlet, ChannelName(channel)) == (channel in reader.live)
        reader.live.discard(channel)

    @rule(channel=st.sampled_from(CHANNELS), count=st.integers(1, 3))
    def deliver(self, channel: str, count: int) -> None:
        for _ in range(count):
            offset = len(self.log) + 1
            self.log.append((offset, channel))
            self.hub.deliver(message(offset, channel))
            for reader in self.all:
                if channel in reader.live:
                    reader.expected.append(f"{channel}{offset};")

    @rule()
    def flush(self) -> None:
        self.hub.flush()

    @rule(reader=readers)
    def pause(self, reader: Reader) -> None:
        reader.wire.outlet.pause()

    @rule(reader=readers)
    def resume(self, reader: Reader) -> None:
        reader.wire.outlet.resume()

    @rule(reader=readers, armed=st.booleans())
    def pause_at_next_write(self, reader: Reader, *, armed: bool) -> None:
        reader.wire.on_write = reader.wire.outlet.pause if armed else None

    @invariant()
    def nobody_is_ahead_or_out_of_order(self) -> None:
        for reader in self.all:
            assert "".join(reader.expected).startswith(reader.wire.text)

    def teardown(self) -> None:
        self.hub.flush()
        for reader in self.all:
            reader.wire.on_write = None
            reader.wire.outlet.resume()
            assert reader.wire.text == "".join(reader.expected)
            if reader.join is not None:
                self.hub.abandon(reader.join)
            for channel in list(reader.live):
                self.hub.leave(reader.wire.outlet, ChannelName(channel))
            assert not reader.wire.outlet.groups
        assert list(self.hub.occupied()) == []


HubMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestHub = HubMachine.TestCase
