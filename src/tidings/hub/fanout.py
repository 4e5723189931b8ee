"""Fan-out groups: subscribers who get identical bytes. A message is encoded once and framed once for all of them.

Also the port `Framer`; the server fits it by shape. Holds no timer: when to call `Fanout.flush` is the node's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol

from tidings.hub.sendqueue import Outlet, Write
from tidings.ids import SessionId
from tidings.messages import Message
from tidings.pushes import Encoder


class Framer(Protocol):
    """Payload → bytes as they go to the transport. Pure; equal keys must give equal bytes."""

    @property
    def key(self) -> Hashable: ...

    def frame(self, payload: bytes) -> bytes: ...


class FanoutGroup:
    """The subscribers of one channel that share an encoder and a framer.

    A member is in exactly one of three places. `singles`: subscribed to this channel alone and keeping up; the joined
    bytes of a flush are written to it in the plain loop. `multis`: on several channels and keeping up; its bytes are
    put in log order over all its channels first. `slow`: its transport is full; the bytes go into its queue.
    """

    __slots__ = (
        "_writes",
        "encoder",
        "excludes_sender",
        "framer",
        "multis",
        "pending",
        "singles",
        "skips",
        "slow",
    )

    def __init__(self, encoder: Encoder, framer: Framer, *, excludes_sender: bool) -> None:
        self.encoder = encoder
        self.framer = framer
        self.excludes_sender = excludes_sender
        self.singles: dict[Outlet, None] = {}
        self.multis: dict[Outlet, None] = {}
        self.slow: dict[Outlet, None] = {}
        self.pending: list[bytes] = []  # frames of this flush, in log order
        self.skips: list[tuple[int, SessionId]] = []  # (index in `pending`, who does not get it)
        self._writes: list[Write] | None = (
            None  # the plain loop's list; replaced, never changed, so a write may pause
        )

    def __len__(self) -> int:
        return len(self.singles) + len(self.multis) + len(self.slow)

    def __contains__(self, outlet: object) -> bool:
        return outlet in self.singles or outlet in self.multis or outlet in self.slow

    def members(self) -> list[Outlet]:
        """All of them, in no order."""
        return [*self.singles, *self.multis, *self.slow]

    def add(self, outlet: Outlet) -> None:
        """Make an outlet a member; its other groups learn when it is now on several channels."""
        outlet.groups[self] = None
        if len(outlet.groups) == 2:
            for group in outlet.groups:
                group._place(outlet)
        else:
            self._place(outlet)

    def remove(self, outlet: Outlet) -> None:
        """End a membership; its remaining group learns when it is now alone."""
        outlet.groups.pop(self, None)
        self._forget(outlet)
        if len(outlet.groups) == 1:
            for group in outlet.groups:
                group._place(outlet)

    def slow_down(self, outlet: Outlet) -> None:
        """The outlet's transport is full."""
        self._place(outlet)

    def speed_up(self, outlet: Outlet) -> None:
        """The outlet's transport has room again."""
        self._place(outlet)

    def put(self, message: Message) -> bytes:
        """Encode and frame one message for the coming flush."""
        return self.hold(self.framer.frame(self.encoder.encode(message)), message)

    def hold(self, frame: bytes, message: Message) -> bytes:
        """Keep a message's frame for the coming flush."""
        if self.excludes_sender and message.origin is not None and message.origin.session is not None:
            self.skips.append((len(self.pending), message.origin.session))
        self.pending.append(frame)
        return frame

    def writes(self) -> list[Write]:
        """The bound writes of the plain loop."""
        if self._writes is None:
            self._writes = [outlet.write for outlet in self.singles]
        return self._writes

    def _forget(self, outlet: Outlet) -> None:
        if outlet in self.singles:
            del self.singles[outlet]
            self._writes = None
        self.multis.pop(outlet, None)
        self.slow.pop(outlet, None)

    def _place(self, outlet: Outlet) -> None:
        self._forget(outlet)
        if outlet.paused:
            self.slow[outlet] = None
        elif len(outlet.groups) > 1:
            self.multis[outlet] = None
        else:
            self.singles[outlet] = None
            self._writes = None


class Fanout:
    """What is pending in this process, and the one place that writes it out.

    `schedule` is called when something becomes pending; whoever it tells calls `flush` in the same turn of the loop.
    That adds no waiting, and a burst becomes one write per subscriber.
    """

    __slots__ = ("_dirty", "_order", "_schedule", "flushes", "frames")

    def __init__(self, schedule: Callable[[], None]) -> None:
        self._schedule = schedule
        self._dirty: dict[FanoutGroup, None] = {}
        self._order: list[tuple[FanoutGroup, int]] = []  # (group, index of its frame), in log order
        self.flushes = 0
        self.frames = 0  # frames made since the start, for the metrics

    def put(self, group: FanoutGroup, message: Message) -> None:
        """Add a message to what is pending for a group."""
        at = len(group.pending)
        group.put(message)  # first: an encoder that raises leaves nothing half noted
        if not self._dirty:
            self._schedule()
        self._dirty[group] = None
        self._order.append((group, at))
        self.frames += 1

    def flush(self) -> None:
        """Write all that is pending: once per subscriber, in log order over all its channels."""
        if not self._dirty:
            return
        dirty, order = self._dirty, self._order
        self._dirty, self._order = {}, []
        self.flushes += 1
        # First those who need an order of their own: a write of the plain loop may pause its outlet, which moves it to
        # `slow`, and it would then be given the same frames a second time.
        if any(group.multis or group.slow for group in dirty):
            _write_in_order(order)
        for group in dirty:
            if group.skips:
                _write_with_skips(group)
            else:
                data = b"".join(group.pending) if len(group.pending) > 1 else group.pending[0]
                for write in group.writes():
                    write(data)
        for group in dirty:
            group.pending = []
            group.skips = []


def _write_with_skips(group: FanoutGroup) -> None:
    """The plain loop, when some message must not reach the session that sent it."""
    data = b"".join(group.pending)
    skipping = {session for _, session in group.skips}
    for outlet in list(group.singles):
        if outlet.session not in skipping:
            outlet.write(data)
            continue
        skipped = {index for index, session in group.skips if session == outlet.session}
        own = b"".join(frame for index, frame in enumerate(group.pending) if index not in skipped)
        if own:
            outlet.write(own)


def _write_in_order(order: list[tuple[FanoutGroup, int]]) -> None:
    """Collect per outlet what several channels have pending, then hand it over once."""
    touched: dict[Outlet, None] = {}
    for group, index in order:
        frame = group.pending[index]
        skipped = next((session for at, session in group.skips if at == index), None) if group.skips else None
        for members in (group.multis, group.slow):
            for outlet in members:
                if outlet.session != skipped:
                    outlet.pending.append(frame)
                    touched[outlet] = None
    for outlet in touched:
        data = b"".join(outlet.pending)
        outlet.pending = []
        outlet.send(data)
