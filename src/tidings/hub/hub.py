"""Who listens to what in one app on this node, and the road of a message to them. Holds no rights and no log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from tidings.errors import Refusal
from tidings.filters import matcher
from tidings.hub.channel import Channel
from tidings.hub.fanout import Fanout, FanoutGroup, Framer
from tidings.hub.filtering import FilteredGroups
from tidings.hub.recovery import merge
from tidings.hub.sendqueue import Outlet
from tidings.hub.subscription import Event, HeldGap, Join
from tidings.ids import ChannelName
from tidings.messages import Message, Position
from tidings.pushes import Encoder
from tidings.row_filters import RowFilter

Counted = Callable[[ChannelName, int, int], None]
"""A channel, its subscribers before and after."""

OnFault = Callable[[Message, list[Outlet], Exception], None]
"""A message, those who could not be told it, and why."""


class Hub:
    """The channels and subscribers of one app in this process.

    schedule: called when something became pending; `flush` must then be called in the same turn of the loop.
    counted: told a channel and how many subscribers it had and has, each time one came or went.
    on_fault: told of a message that could not be put into the words of some subscribers' protocol, and who they are.
    """

    def __init__(
        self,
        schedule: Callable[[], None],
        *,
        counted: Counted | None = None,
        on_fault: OnFault | None = None,
    ) -> None:
        self.fanout = Fanout(schedule)
        self._counted = counted
        self._on_fault = on_fault
        self._channels: dict[ChannelName, Channel] = {}

    # ── joining and leaving

    def join(
        self,
        outlet: Outlet,
        channels: tuple[ChannelName, ...],
        encoder: Encoder,
        framer: Framer,
        *,
        excludes_sender: bool = False,
        filter: RowFilter | None = None,
    ) -> Join:
        """Begin to join channels: from here on nothing that is said there can be missed. filter: holds for them all.

        Follow with `complete`, or with `abandon`. Raises Refusal `already_subscribed` and then changes nothing.
        """
        for name in channels:
            if self.subscribed(outlet, name):
                raise Refusal("already_subscribed", field="channel", detail=f"already in {name}")
        if len(set(channels)) != len(channels):
            raise Refusal("bad_message", field="channels", detail="a channel is named twice")
        join = Join(outlet, channels, encoder, framer, excludes_sender=excludes_sender, filter=filter)
        for name in channels:
            channel = self._channels.get(name)
            if channel is None:
                channel = self._channels[name] = Channel(name)
            channel.joining.append(join)
            self._count(channel, 1)
        return join

    def complete(
        self, join: Join, history: Iterable[Message], *, after: int, head: int | None = None
    ) -> Sequence[Message]:
        """Go live. Returns what this session must be sent first: history merged with what was held back.

        The caller sends it in the same turn of the loop, before anything else, or the order is lost.
        head: the offset that the client is told, or was told, as the head of these channels; `after` when it is left
        out. Only those with a filter need it.
        """
        join.move(Event.COMPLETED)
        # What is pending in the groups lies before this moment and is also in `held`; newcomers must not get it twice.
        self.fanout.flush()
        merged = merge(history, join.held, after=after)
        join.held = []
        session = join.outlet.session
        if join.excludes_sender:
            merged = [m for m in merged if m.origin is None or m.origin.session != session]
        told = join.sift.told(merged)
        for name in join.channels:
            channel = self._channels[name]
            channel.joining.remove(join)
            if join.sift.filter is None:
                self._group(channel, join).add(join.outlet)
            else:
                self._add_filtered(channel, join, join.sift.filter, after if head is None else head)
        return told

    def abandon(self, join: Join) -> None:
        """Give a join up: nothing of it remains."""
        join.move(Event.LEFT)
        for name in join.channels:
            channel = self._channels[name]
            channel.joining.remove(join)
            self._release(channel)
        join.held = []

    def leave(self, outlet: Outlet, name: ChannelName) -> bool:
        """End a live subscription; False when there was none."""
        channel = self._channels.get(name)
        if channel is None:
            return False
        self.fanout.flush()  # what was said before leaving is still the leaver's
        if not (self._leave_filtered(channel, outlet) or self._leave_group(channel, outlet)):
            return False
        self._release(channel)
        return True

    # ── messages

    def deliver(self, message: Message) -> None:
        """Give a message to its channel's subscribers.

        O(groups), whatever the number of subscribers; of the groups with a filter only those are looked at that the
        index finds.
        """
        channel = self._channels.get(message.channel)
        if channel is None:
            return
        for group in channel.groups:
            self._put(group, message)
        if channel.filtered is not None:
            for group in channel.filtered.concerned(message):
                self._put(group, message)
        for join in channel.joining:
            join.hold(message)

    def interrupt(
        self, pattern: str, reason: str, position: Position
    ) -> list[tuple[ChannelName, list[Outlet]]]:
        """Note a declared gap: returns the live outlets to be told now; joins are told when they complete."""
        fits = matcher(pattern)
        for name, channel in self._channels.items():
            if channel.joining and fits(name):
                for join in channel.joining:
                    join.gaps[name] = HeldGap(reason, position)
        return self.matching(pattern)

    def flush(self) -> None:
        """Write out all that is pending."""
        self.fanout.flush()

    # ── questions

    def subscribed(self, outlet: Outlet, name: ChannelName) -> bool:
        """True when the outlet is live in the channel, or joining it."""
        channel = self._channels.get(name)
        if channel is None:
            return False
        return (
            any(outlet in group for group in channel.groups)
            or (channel.filtered is not None and channel.filtered.of(outlet) is not None)
            or any(join.outlet is outlet for join in channel.joining)
        )

    def subscribers(self, name: ChannelName) -> int:
        """How many sessions are in a channel here, joining ones included."""
        channel = self._channels.get(name)
        return 0 if channel is None else channel.subscribers

    def occupied(self, prefix: str = "") -> Iterator[tuple[ChannelName, int]]:
        """Channels with subscribers here whose names begin with `prefix`, and how many."""
        for name, channel in self._channels.items():
            if name.startswith(prefix):
                yield name, channel.subscribers

    def matching(self, pattern: str) -> list[tuple[ChannelName, list[Outlet]]]:
        """Live outlets per channel whose name fits a pattern."""
        fits = matcher(pattern)
        return [
            (name, [outlet for group in c.live() for outlet in group.members()])
            for name, c in self._channels.items()
            if fits(name)
        ]

    # ── inside

    def _group(self, channel: Channel, join: Join) -> FanoutGroup:
        for group in channel.groups:
            if (
                group.encoder.key == join.encoder.key
                and group.framer.key == join.framer.key
                and group.excludes_sender == join.excludes_sender
            ):
                return group
        group = FanoutGroup(join.encoder, join.framer, excludes_sender=join.excludes_sender)
        channel.groups.append(group)
        return group

    def _add_filtered(self, channel: Channel, join: Join, filter: RowFilter, head: int) -> None:
        if channel.filtered is None:
            channel.filtered = FilteredGroups()
        channel.filtered.add(
            join.outlet,
            join.encoder,
            join.framer,
            filter,
            excludes_sender=join.excludes_sender,
            known=max(head, join.sift.last.get(channel.name, 0)),
        )

    def _leave_group(self, channel: Channel, outlet: Outlet) -> bool:
        group = next((group for group in channel.groups if outlet in group), None)
        if group is None:
            return False
        group.remove(outlet)
        if not len(group):
            channel.groups.remove(group)
        return True

    def _leave_filtered(self, channel: Channel, outlet: Outlet) -> bool:
        if channel.filtered is None or not channel.filtered.remove(outlet):
            return False
        if not len(channel.filtered):
            channel.filtered = None
        return True

    def _put(self, group: FanoutGroup, message: Message) -> None:
        try:
            self.fanout.put(group, message)
        except Exception as error:
            # An encoder must not raise; if it does, only its own subscribers are concerned.
            if self._on_fault is None:
                raise
            self._on_fault(message, group.members(), error)

    def _release(self, channel: Channel) -> None:
        self._count(channel, -1)

    def _count(self, channel: Channel, change: int) -> None:
        before = channel.subscribers
        channel.subscribers += change
        if not channel.subscribers:
            del self._channels[channel.name]
        if self._counted is not None:
            self._counted(channel.name, before, channel.subscribers)
