"""Bringing a session into channels: replay from the log, then live, without gap or repeat. Holds no rights.

*Joining*: the hub holds live messages back → the log is read page by page after the client's position → what was held
is merged → *live*, in one turn of the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from tidings.commands import Grant, Subscribe
from tidings.engines.base import Page
from tidings.hub.channel import ChannelOptions
from tidings.hub.rows import passes
from tidings.hub.subscription import Join
from tidings.hub.subscription import State as JoinState
from tidings.ids import ChannelName
from tidings.messages import Message, Position
from tidings.node.occurrences import Occurrence
from tidings.node.session import Membership, Session, State
from tidings.presence import Member
from tidings.pushes import CacheMiss, Delivered, Subscribed


async def bring_in(session: Session, grants: Mapping[ChannelName, Grant], command: Subscribe) -> None:
    """Join the channels that were granted, each from where its client left off.

    Channels with the same starting point go live together, because one cursor covers them. Raises EngineUnavailable,
    Refusal; then nothing of the join remains.
    """
    for after, channels in (await _by_start(session, tuple(grants), command.after)).items():
        if session.state is State.OPEN:
            await _Joining(session, channels, grants, command, after).run()


async def _by_start(
    session: Session, channels: Sequence[ChannelName], after: Position | None
) -> dict[Position | None, tuple[ChannelName, ...]]:
    """Sort channels by where to start: the cursor that came with the command, else the one the server holds."""
    starts: dict[Position | None, tuple[ChannelName, ...]] = {}
    for channel in channels:
        start = after
        if start is None and session.resume is not None:
            start = await session.resume.after(channel)
        starts[start] = (*starts.get(start, ()), channel)
    return starts


class _Joining:
    """One join under way."""

    def __init__(
        self,
        session: Session,
        channels: tuple[ChannelName, ...],
        grants: Mapping[ChannelName, Grant],
        command: Subscribe,
        after: Position | None,
    ) -> None:
        self.session = session
        self.node = session.node
        self.app = session.app
        self.channels = channels
        self.grants = grants
        self.command = command
        self.after = after
        self.members: dict[
            ChannelName, tuple[Member, ...]
        ] = {}  # presence channels entered, and who is there
        self.reset_at: dict[ChannelName, int] = {}  # channel → offset from which it is followed after a reset
        self.announced: int | None = None  # the head that was told before the replay

    async def run(self) -> None:
        session, protocol = self.session, self.session.protocol
        join: Join | None = None
        try:
            await self._enter()
            join = self.app.hub.join(
                session.outlet,
                self.channels,
                protocol.encoder,
                session.transport.framer,
                excludes_sender=protocol.excludes_sender,
                filter=self.command.filter,
            )
            await self._replay(join)
        finally:
            if join is not None and join.state is JoinState.JOINING:
                self.app.hub.abandon(join)
            for channel in self.members:  # whoever did not get in is not present either
                if channel not in session.channels:
                    self.node.spawn(self.node.absent(self.app, channel, session.id))

    async def _enter(self) -> None:
        """Note presence where the channel has it, before joining: nobody is told of their own arrival."""
        for channel in self.channels:
            member = self.grants[channel].member
            if member is not None and self._options(channel).presence:
                self.members[channel] = await self.node.present(self.app, channel, self.session.id, member)

    async def _replay(self, join: Join) -> None:
        session = self.session
        head = self.node.head(self.app)
        if self.after is None and session.resume is not None and session.resume.joining(self.channels, head):
            await self.node.engine.cursors.settle()
        if session.protocol.subscribed_first:
            self._announce(head)
            self.announced = head.offset
        latest, missing = await self._latest()
        page, given = Page(head=head), head
        if self.after is not None:
            page, given = await self._catch_up(join, self.after)
        if not session.protocol.subscribed_first:
            for channel in self.members:  # the list as it is now
                self.members[channel] = await self.node.members(self.app, channel)
        if (
            join.overflowed and self.after is None
        ):  # a burst meanwhile comes from the log, after what was there before
            early = [m for m in latest if m.position is not None and m.position <= head]
            self._greet(join, early, missing, set())
            latest, missing = [], []
        while join.overflowed and session.state is State.OPEN:
            self._send(join.sift.told(page.messages))
            page, given = await self._catch_up(join, _last(page, given))
        if session.state is State.OPEN:
            self._go_live(join, latest, missing, page, given)

    def _go_live(
        self,
        join: Join,
        latest: Sequence[Message],
        missing: Sequence[ChannelName],
        page: Page,
        given: Position,
    ) -> None:
        """All in one turn of the loop, or the order is lost."""
        session = self.session
        if not session.protocol.subscribed_first:  # comings and goings held back are in the list already
            join.held = [m for m in join.held if m.kind not in ("joined", "left")]
        self._tell_gaps(join)
        newer = {m.channel for m in (*page.messages, *join.held) if not m.ephemeral and self._passes(m)}
        self._greet(join, latest, missing, newer)
        join.held = [m for m in join.held if not self._covered(m)]
        history = [m for m in page.messages if not self._covered(m)]
        head = self.node.head(self.app)
        known = head.offset if self.announced is None else self.announced
        self._send(self.app.hub.complete(join, history, after=given.offset, head=known))
        self._note()
        if not session.protocol.subscribed_first:
            self._announce(head)

    async def _catch_up(self, join: Join, after: Position) -> tuple[Page, Position]:
        """Send pages of the log until the last one, which is returned unsent with the position before it."""
        given = after
        while True:
            join.read_again()
            page = await self.node.engine.broker.read(self.app.id, self._continuing(), given)
            self._tell_resets(page, overflowed=join.overflowed)
            if given.epoch != page.head.epoch or given.offset > page.head.offset:
                given = page.head  # every channel was reset to there
            if self.session.state is not State.OPEN or (page.complete and not join.overflowed):
                return page, given
            self._send(join.sift.told(page.messages))
            given = _last(page, given)
            await self.session.drained()
            if self.command.filter is not None:
                # Pages that a filter empties fill no buffer, so nothing else would wait.
                await asyncio.sleep(0)

    def _continuing(self) -> tuple[ChannelName, ...]:
        return tuple(channel for channel in self.channels if channel not in self.reset_at)

    def _tell_resets(self, page: Page, *, overflowed: bool) -> None:
        """Tell which channels cannot be continued. After an overflow those told before lost what was held: again."""
        resets = dict(page.resets)
        if overflowed:
            resets.update(dict.fromkeys(self.reset_at, "retention"))
        for channel in resets:
            self.reset_at[channel] = page.head.offset
        self.node.tell_resets(self.session, resets, page.head)

    def _tell_gaps(self, join: Join) -> None:
        """Tell the gaps that were declared while the channels were joining."""
        for channel, gap in join.gaps.items():
            self.reset_at[channel] = gap.position.offset
            self.node.tell_resets(self.session, {channel: gap.reason}, gap.position)

    def _covered(self, message: Message) -> bool:
        """True when a reset that was told covers the message already."""
        at = self.reset_at.get(message.channel)
        return at is not None and message.position is not None and message.position.offset <= at

    async def _latest(self) -> tuple[list[Message], list[ChannelName]]:
        """The last message of each latest-value channel, and the channels that have none."""
        found: list[Message] = []
        missing: list[ChannelName] = []
        for channel in self.channels:
            options = self._options(channel)
            if options.cache:
                message = await self.node.engine.broker.latest(self.app.id, channel)
                if message is None or not options.is_fresh(message.time, self.node.wall_ms()):
                    missing.append(channel)
                else:
                    found.append(message)
        return found, missing

    def _greet(
        self,
        join: Join,
        latest: Sequence[Message],
        missing: Sequence[ChannelName],
        newer: Collection[ChannelName],
    ) -> None:
        """Give a newcomer the last message, or say that there is none, where nothing newer is on its way.

        A last message that a filter keeps back is neither given nor missing: something is kept, though not for it.
        """
        for message in latest:
            if message.channel not in newer and self._is_new(message.channel):
                for told in join.sift.told([message]):
                    self.session.say(Delivered(message=told))
        for channel in missing:
            if channel not in newer and self._is_new(channel):
                self._miss(channel)

    def _passes(self, message: Message) -> bool:
        return passes(self.command.filter, message)

    def _is_new(self, channel: ChannelName) -> bool:
        """Whether the client has nothing of the channel to go on from."""
        return self.after is None or channel in self.reset_at

    def _miss(self, channel: ChannelName) -> None:
        self.session.say(CacheMiss(channel=channel))
        if self.node.observed:
            time = self.node.wall_ms()
            self.node.tell(Occurrence(kind="cache_miss", app=self.app.id, channel=channel, time=time))

    def _send(self, messages: Sequence[Message]) -> None:
        """Write messages for this session alone, encoded as its group would."""
        if not messages:
            return
        encode, frame = self.session.protocol.encoder.encode, self.session.transport.framer.frame
        self.session.outlet.send(b"".join(frame(encode(message)) for message in messages))
        self.node.metrics.replayed.labels(self.app.id).inc(len(messages))

    def _note(self) -> None:
        session = self.session
        head = self.node.head(self.app)
        for channel in self.channels:
            grant = self.grants[channel]
            session.channels[channel] = Membership(
                by_token=grant.by_token,
                user=grant.member.user if grant.member else grant.user,
                present=channel in self.members,
            )
            session.proven = session.proven or self._options(channel).require_auth
            if session.resume is not None:
                session.resume.joined(channel, head)

    def _announce(self, head: Position) -> None:
        for channel in self.channels:
            self.session.say(
                Subscribed(
                    channel=channel, head=head, members=self.members.get(channel), ref=self.command.ref
                )
            )

    def _options(self, channel: ChannelName) -> ChannelOptions:
        return self.app.options(channel)


def _last(page: Page, given: Position) -> Position:
    """The position of a page's last message; without one, where the page began."""
    if not page.messages:
        return given
    position = page.messages[-1].position
    return given if position is None else position
