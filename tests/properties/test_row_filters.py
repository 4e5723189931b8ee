"""Filtered subscriptions against a plain model: each gets exactly what judging every message for it alone would give,
once and in order; and a client that keeps the rule of `previous` sees every real gap and never a false one."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.unit.hub.builders import Wire, change, row_message
from tidings.hub.hub import Hub
from tidings.hub.rows import passes
from tidings.hub.subscription import Join
from tidings.ids import ChannelName
from tidings.messages import Message
from tidings.row_filters import RowFilter

CHANNELS = ("a", "b")
FILTERS = (
    None,
    "p=eq.1",
    "p=eq.2",
    "p=in.(1,2)",
    "p=eq.1,q=eq.x",
    "p=gt.1",
    "q=like.x%",
    "p=neq.1",
    "p=is.null",
    "q=isdistinct.x",
)
names = st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=2, unique=True)
ROWS = (
    {"p": 1},
    {"p": 2},
    {"p": 3, "q": "x"},
    {"p": 1.0, "q": "x"},
    {"p": "1", "q": "xy"},
    {"p": None},
    {"q": "y"},
)
ODD: tuple[object, ...] = ({"p": [1]}, {"p": True, "q": None}, {}, None, 7, "text", [1])
rows = st.sampled_from(ROWS)
data = (
    rows
    | st.sampled_from(ODD)
    | st.builds(lambda new: change("INSERT", new=new), rows)
    | st.builds(lambda new, old: change("UPDATE", new=new, old=old), rows, rows)
    | st.builds(lambda new: change("UPDATE", new=new), rows)
    | st.builds(lambda old: change("DELETE", old=old), rows)
)
MEMBERS = 3
members = st.integers(0, MEMBERS - 1)


class Wording:
    """Encoder and framer: `M a 5 3;` is message 5 of channel a, before it 3."""

    key = "w"

    def __init__(self, letter: str = "M") -> None:
        self._letter = letter

    def encode(self, message: Message) -> bytes:
        assert message.position is not None
        previous = "-" if message.previous is None else message.previous
        return f"{self._letter} {message.channel} {message.position.offset} {previous}".encode()

    def frame(self, payload: bytes) -> bytes:
        return payload + b";"


REPLAY = Wording("R")  # told to one session alone; a live message may be lost on the way, these are not


class Client:
    """One session and the client at its other end, who keeps the rule of house section 5."""

    def __init__(self, number: int) -> None:
        self.wire = Wire(f"{number}.0", limit=10**9)
        self.filters: dict[str, RowFilter | None] = {}  # of the channels that are live
        self.expected: list[tuple[str, int]] = []
        self.join: Join | None = None
        self.after = 0
        self.head: int | None = None  # told before the replay
        self.got: list[tuple[str, int]] = []
        self.last: dict[str, int] = {}
        self.cursor: int | None = None
        self.lose = False
        self.lost: set[str] = set()
        self._read = 0

    def consume(self) -> None:
        """Take what has arrived."""
        frames = b"".join(self.wire.written).decode().split(";")[:-1]
        for frame in frames[self._read :]:
            letter, channel, *numbers = frame.split()
            if letter == "S":
                self._subscribed(channel, int(numbers[0]))
            else:
                offset, previous = int(numbers[0]), None if numbers[1] == "-" else int(numbers[1])
                self._message(channel, offset, previous, live=letter == "M")
        self._read = len(frames)

    def _subscribed(self, channel: str, head: int) -> None:
        self.last[channel] = max(head, self.last.get(channel, 0))
        self.cursor = max(head, self.cursor or 0)
        self.lost.discard(channel)  # it begins anew there

    def _message(self, channel: str, offset: int, previous: int | None, *, live: bool) -> None:
        self.got.append((channel, offset))
        if live and self.lose:
            self.lose = False
            self.lost.add(channel)
            return
        last = self.last.get(channel)
        if last is not None:
            assert offset > last, "a repeat"
            gap = previous is not None and previous > last
            assert not gap or channel in self.lost, f"a false gap: {previous} above {last}"
            assert gap or channel not in self.lost or not live, "a real gap that is not seen"
        self.lost.discard(channel)  # read again from `last`
        self.last[channel] = offset
        self.cursor = offset


class FilterMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.hub = Hub(lambda: None)
        self.log: list[Message] = []
        self.newest: dict[str, int] = {}
        self.all = [Client(number) for number in range(1, MEMBERS + 1)]
        self.wording = Wording()

    def _between(self, client: Client, join: Join, after: int, upto: int) -> list[Message]:
        return [m for m in self.log[after:upto] if m.channel in join.channels]

    @rule(
        member=members,
        channels=names,
        text=st.sampled_from(FILTERS),
        early=st.booleans(),
        at_once=st.booleans(),
    )
    def begin(
        self, member: int, channels: list[str], text: str | None, *, early: bool, at_once: bool
    ) -> None:
        """early: the head is told before anything else, and there is no cursor."""
        client = self.all[member]
        wanted = tuple(ChannelName(c) for c in channels if c not in client.filters)
        if client.join is not None or not wanted:
            return
        self.hub.flush()
        client.wire.outlet.resume()
        client.consume()
        wish = None if text is None else RowFilter.parse(text)
        client.join = self.hub.join(client.wire.outlet, wanted, self.wording, self.wording, filter=wish)
        head = len(self.log)
        client.after = head if early or client.cursor is None else client.cursor
        client.head = head if early else None
        if early:
            self._tell(client, head)
        if at_once:
            self._complete(client)

    def _tell(self, client: Client, head: int) -> None:
        assert client.join is not None
        for channel in client.join.channels:
            client.wire.outlet.send(f"S {channel} {head};".encode())

    @rule(member=members)
    def page(self, member: int) -> None:
        """A page of history is sent while more is to come."""
        client = self.all[member]
        if client.join is None or client.after >= len(self.log):
            return
        self.hub.flush()  # a replay may overtake what is pending on other channels; here it is easier not to
        upto = client.after + (len(self.log) - client.after + 1) // 2
        page = self._between(client, client.join, client.after, upto)
        self._send(client, client.join.sift.told(page))
        client.expected += self._passing(client.join, page)
        client.after = upto

    def _passing(self, join: Join, messages: list[Message]) -> list[tuple[str, int]]:
        return [
            (m.channel, m.position.offset) for m in messages if m.position and passes(join.sift.filter, m)
        ]

    def _send(self, client: Client, messages: Any) -> None:
        client.wire.outlet.send(b"".join(REPLAY.frame(REPLAY.encode(m)) for m in messages))

    @rule(member=members)
    def complete(self, member: int) -> None:
        self._complete(self.all[member])

    def _complete(self, client: Client) -> None:
        join, head = client.join, len(self.log)
        if join is None:
            return
        missed = self._between(client, join, client.after, head)
        half = missed[: len(missed) // 2]  # the rest was held back
        known = head if client.head is None else client.head
        self._send(
            client,
            self.hub.complete(join, missed if client.head is None else half, after=client.after, head=known),
        )
        client.expected += self._passing(join, missed)
        if client.head is None:
            self._tell(client, head)
        client.filters.update(dict.fromkeys(join.channels, join.sift.filter))
        client.join = None

    @rule(member=members)
    def abandon(self, member: int) -> None:
        client = self.all[member]
        if client.join is not None:
            self.hub.abandon(client.join)
            client.join = None

    @rule(member=members, channel=st.sampled_from(CHANNELS))
    def leave(self, member: int, channel: str) -> None:
        client = self.all[member]
        assert self.hub.leave(client.wire.outlet, ChannelName(channel)) == (channel in client.filters)
        client.filters.pop(channel, None)

    @rule(channel=st.sampled_from(CHANNELS), told=st.lists(data, min_size=1, max_size=5))
    def deliver(self, channel: str, told: list[object]) -> None:
        for each in told:
            offset = len(self.log) + 1
            message = row_message(offset, each, channel, previous=self.newest.get(channel))
            self.newest[channel] = offset
            self.log.append(message)
            self.hub.deliver(message)
            for client in self.all:
                if channel in client.filters and passes(client.filters[channel], message):
                    client.expected.append((channel, offset))

    @rule()
    def flush(self) -> None:
        self.hub.flush()
        for client in self.all:
            client.consume()

    @rule(member=members)
    def pause(self, member: int) -> None:
        client = self.all[member]
        client.wire.outlet.pause()

    @rule(member=members)
    def resume(self, member: int) -> None:
        client = self.all[member]
        client.wire.outlet.resume()

    @rule(member=members)
    def lose(self, member: int) -> None:
        """The next live message does not arrive."""
        client = self.all[member]
        client.lose = True

    def teardown(self) -> None:
        self.hub.flush()
        for client in self.all:
            client.wire.outlet.resume()
            client.consume()
            assert client.got == client.expected
            if client.join is not None:
                self.hub.abandon(client.join)
            for channel in list(client.filters):
                self.hub.leave(client.wire.outlet, ChannelName(channel))
            assert not client.wire.outlet.groups
        assert list(self.hub.occupied()) == []


FilterMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestRowFilters = FilterMachine.TestCase
