"""What the memory engine keeps of one channel. Pure: the time comes in, and nobody is told of anything."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from tidings.engines.retention import Mark, is_over, raise_floor
from tidings.hub.channel import ChannelOptions
from tidings.messages import Message

COMPACT_AT = 64
"""Dropped messages that may still hold their list places, before half of the list must be empty to move it."""


class Shelf:
    """One channel's messages, oldest first, and its floor: the newest message that was dropped.

    last: offset of the newest message, kept or not; 0 when there never was one.
    """

    __slots__ = ("_cached", "_marks", "_messages", "_start", "floor", "newest", "options")

    def __init__(self, options: ChannelOptions, last: int) -> None:
        self.options = options
        self.floor = Mark(last, 0, 0)
        self.newest = self.floor
        self._messages: list[Message] = []
        self._marks: list[Mark] = []
        self._start = 0
        self._cached: Message | None = None

    def __len__(self) -> int:
        return len(self._messages) - self._start

    @property
    def last(self) -> int:
        return self.newest.offset

    @property
    def latest(self) -> Message | None:
        """The newest message: always of a latest-value channel, else while history holds it."""
        return self._messages[-1] if len(self) else self._cached

    def append(self, message: Message, offset: int, now: int) -> None:
        """Take a message that has its position, and drop what is then too much. now: milliseconds."""
        newest = self.newest
        self.newest = Mark(offset, newest.number + 1, newest.size + len(message.data), now)
        self._messages.append(message)
        self._marks.append(self.newest)
        if self.options.cache:
            self._cached = message
        self.trim(now)

    def trim(self, now: int) -> None:
        """Drop what retention no longer allows at `now`, in milliseconds."""
        if not len(self):
            return
        keep, oldest = self.options.history, self._marks[self._start]
        if oldest.at <= now - keep.age * 1000 or is_over(self.newest, self.floor, keep):
            kept = (self._marks[i] for i in range(self._start, len(self._marks)))
            self.floor = raise_floor(kept, self.floor, self.newest, keep, now)
            while self._start < len(self._marks) and self._marks[self._start].offset <= self.floor.offset:
                self._start += 1  # in a full channel one goes for each that comes: cheaper than searching
            self._compact()

    def after(self, offset: int, last: int) -> Iterator[tuple[int, Message]]:
        """What lies after an offset and up to `last`, with its offset."""
        for index in range(self._index(offset), len(self._marks)):
            if self._marks[index].offset > last:
                return
            yield self._marks[index].offset, self._messages[index]

    def _index(self, offset: int) -> int:
        return bisect_right(self._marks, offset, lo=self._start, key=lambda mark: mark.offset)

    def _compact(self) -> None:
        for index in range(self._start - 1, -1, -1):
            if self._messages[index] is _DROPPED:
                break
            self._messages[index] = _DROPPED
        if self._start > COMPACT_AT and self._start * 2 > len(self._messages):
            del self._messages[: self._start]
            del self._marks[: self._start]
            self._start = 0


_DROPPED = Message(id="", channel="", event="", data=b"", time=0)  # type: ignore[arg-type]
"""Stands where a dropped message stood, so that its data is freed at once."""
