"""Subscribers with a row filter: their groups, the index by which a message finds them, and their `previous`.

Holds no way of reading a row (`rows`) and no grammar (`row_filters`).

A filter must not look like a loss. A client takes `previous` above the last offset it knows of a channel for a gap, so
whoever has a filter is told `previous` among the messages that passed it. Two places state it:

- `Sift`, what one session is sent alone (history, what was held back). The first message says None, "nothing before
  it": what the client knows is not known here. Its cursor will not do, for it covers other channels too: a client that
  last heard of this channel at 5 and of another at 7 comes back with 7, and a `previous` of 7 would look to it like a
  gap. Nothing is hidden by None: reading began at the client's own cursor, so there is no loss to be seen there.
- `FilteredGroup`, what all its members are sent. It begins at what its first member knows: the head it was told, or
  the last message it was given. From then on it is the last message that passed, which every member either received
  or was brought beyond by the head it was told when it joined. A newcomer who was told a lower head than the one at
  which the group began lowers it (`begin_no_later`): nothing has passed in between, or it was given that too.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence

import msgspec

from tidings.hub.fanout import FanoutGroup, Framer
from tidings.hub.rows import lets_pass, passes, rows_of
from tidings.hub.sendqueue import Outlet
from tidings.ids import ChannelName
from tidings.messages import Message
from tidings.pushes import Encoder
from tidings.row_filters import OPAQUE, Row, RowFilter, key_of


class Sift:
    """What of history one session with a filter is told. Without a filter all of it, as it is."""

    __slots__ = ("filter", "last")

    def __init__(self, filter: RowFilter | None) -> None:
        self.filter = filter
        self.last: dict[ChannelName, int] = {}  # offset of the last message told, by channel

    def told(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Those that pass, with their `previous` among themselves. Call with messages in log order, each once."""
        if self.filter is None:
            return messages
        return [self._restated(message) for message in messages if passes(self.filter, message)]

    def _restated(self, message: Message) -> Message:
        if message.position is None:
            return message
        previous = self.last.get(message.channel)
        self.last[message.channel] = message.position.offset
        return msgspec.structs.replace(message, previous=previous)


class _Frames:
    """The frames of the message that a channel's groups are given just now.

    Filters that let the same messages pass have the same `previous`, and so the same bytes.
    """

    __slots__ = ("_made", "_message")

    def __init__(self) -> None:
        self._message: Message | None = None
        self._made: dict[Hashable, bytes] = {}

    def of(self, group: FilteredGroup, message: Message) -> bytes:
        """The frame of a message for a group, made once for all whose bytes are equal."""
        if message is not self._message:
            self._message, self._made = message, {}
        key = (group.encoder.key, group.framer.key, group.previous)
        frame = self._made.get(key)
        if frame is None:
            restated = msgspec.structs.replace(message, previous=group.previous)
            frame = self._made[key] = group.framer.frame(group.encoder.encode(restated))
        return frame


class FilteredGroup(FanoutGroup):
    """The subscribers of one channel that share encoder, framer and filter.

    previous: offset of the last message that passed, or of where the group began. frames: shared by the channel's
    groups.
    """

    __slots__ = ("_frames", "filter", "previous")

    def __init__(
        self,
        encoder: Encoder,
        framer: Framer,
        filter: RowFilter,
        previous: int,
        frames: _Frames,
        *,
        excludes_sender: bool,
    ) -> None:
        super().__init__(encoder, framer, excludes_sender=excludes_sender)
        self.filter = filter
        self.previous = previous
        self._frames = frames

    def begin_no_later(self, known: int) -> None:
        """A member comes who knows the channel up to `known`."""
        self.previous = min(self.previous, known)

    def put(self, message: Message) -> bytes:
        """Encode and frame one message that passed."""
        if message.position is None:
            return super().put(message)
        frame = self.hold(self._frames.of(self, message), message)
        self.previous = message.position.offset
        return frame


_Groups = dict[FilteredGroup, None]


class FilteredGroups:
    """The filtered groups of one channel.

    A filter with an equality is found through its column and value, whatever the number of groups; its other
    conditions are judged then. The others are judged one by one.
    """

    __slots__ = ("_by_column", "_by_key", "_by_value", "_frames", "_of", "_scanned")

    def __init__(self) -> None:
        self._frames = _Frames()
        self._by_key: dict[Hashable, FilteredGroup] = {}
        self._of: dict[Outlet, FilteredGroup] = {}
        self._by_value: dict[str, dict[Hashable, _Groups]] = {}  # column → key of a value → groups
        self._by_column: dict[str, _Groups] = {}  # the same groups: for rows that do not tell the column
        self._scanned: _Groups = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def all(self) -> Collection[FilteredGroup]:
        """Every group."""
        return list(self._by_key.values())  # members may leave while these are told

    def of(self, outlet: Outlet) -> FilteredGroup | None:
        """The group that an outlet is in."""
        return self._of.get(outlet)

    def add(
        self,
        outlet: Outlet,
        encoder: Encoder,
        framer: Framer,
        filter: RowFilter,
        *,
        excludes_sender: bool,
        known: int,
    ) -> None:
        """Make an outlet a member of its group. known: the offset up to which its client knows the channel."""
        key = (encoder.key, framer.key, excludes_sender, filter)
        group = self._by_key.get(key)
        if group is None:
            group = FilteredGroup(
                encoder, framer, filter, known, self._frames, excludes_sender=excludes_sender
            )
            self._by_key[key] = group
            self._enter(group)
        else:
            group.begin_no_later(known)
        group.add(outlet)
        self._of[outlet] = group

    def remove(self, outlet: Outlet) -> bool:
        """End a membership; False when there was none."""
        group = self._of.pop(outlet, None)
        if group is None:
            return False
        group.remove(outlet)
        if not len(group):
            del self._by_key[group.encoder.key, group.framer.key, group.excludes_sender, group.filter]
            self._withdraw(group)
        return True

    def concerned(self, message: Message) -> Collection[FilteredGroup]:
        """The groups whose filter lets a message pass, each once. Reads the message's data at most once."""
        if message.kind != "event":
            return self.all()
        rows = rows_of(message.data)
        near = self._near(rows)
        near.update(self._scanned)
        return [group for group in near if lets_pass(group.filter, rows)]

    def _near(self, rows: Iterable[Row]) -> _Groups:
        """The groups that the index finds: all that may match by their indexed column."""
        found: _Groups = {}
        for column, by_value in self._by_value.items():
            for row in rows:
                key = key_of(row[column]) if column in row else OPAQUE
                if key is OPAQUE:
                    found.update(self._by_column[column])
                elif key is not None:
                    found.update(by_value.get(key, ()))
        return found

    def _enter(self, group: FilteredGroup) -> None:
        equality = group.filter.equality()
        if equality is None:
            self._scanned[group] = None
            return
        column, keys = equality
        self._by_column.setdefault(column, {})[group] = None
        by_value = self._by_value.setdefault(column, {})
        for key in keys:
            by_value.setdefault(key, {})[group] = None

    def _withdraw(self, group: FilteredGroup) -> None:
        equality = group.filter.equality()
        if equality is None:
            del self._scanned[group]
            return
        column, keys = equality
        by_value, by_column = self._by_value[column], self._by_column[column]
        for key in keys:
            del by_value[key][group]
            if not by_value[key]:
                del by_value[key]
        del by_column[group]
        if not by_column:
            del self._by_value[column], self._by_column[column]
