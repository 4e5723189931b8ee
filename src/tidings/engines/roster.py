"""Presence within one process: who is in which channel. Kept in memory; it speaks to no other node."""

from __future__ import annotations

import msgspec

from tidings.errors import Refusal
from tidings.ids import AppId, ChannelName, SessionId, UserId
from tidings.presence import Joined, Left, Member


class _Room(msgspec.Struct):
    """One channel's people. members and counts are keyed by user, oldest first."""

    users: dict[SessionId, UserId] = {}
    members: dict[UserId, Member] = {}
    counts: dict[UserId, int] = {}

    def drop(self, session: SessionId) -> Left | None:
        user = self.users.pop(session, None)
        if user is None:
            return None
        self.counts[user] -= 1
        if self.counts[user]:
            return Left(last=False, member=self.members[user])
        del self.counts[user]
        return Left(last=True, member=self.members.pop(user))


class LocalRoster:
    """A `PresenceStore` for engines whose node stands alone. Atomic because no method awaits.

    Bounded by its callers: a session takes a place only while it is connected, `max_members` bounds a channel.
    """

    def __init__(self) -> None:
        self._rooms: dict[tuple[AppId, ChannelName], _Room] = {}

    async def add(
        self, app: AppId, channel: ChannelName, session: SessionId, member: Member, *, max_members: int
    ) -> Joined:
        """Note an arrival. A session that comes again under another user gives up its former one.

        max_members: users that the channel may hold. Raises Refusal `presence_full` and then changes nothing.
        """
        room = self._rooms.get((app, channel)) or _Room()
        first = member.user not in room.counts
        if first and len(room.counts) >= max_members:
            raise Refusal("presence_full", limit=max_members)
        if room.users.get(session) != member.user:
            room.drop(session)
            room.users[session] = member.user
            room.counts[member.user] = room.counts.get(member.user, 0) + 1
        room.members[member.user] = member
        self._rooms[(app, channel)] = room
        return Joined(first=first, members=tuple(room.members.values()))

    async def remove(self, app: AppId, channel: ChannelName, session: SessionId) -> Left | None:
        """Note a departure; None when the session was not there."""
        room = self._rooms.get((app, channel))
        if room is None:
            return None
        left = room.drop(session)
        if not room.users:
            del self._rooms[(app, channel)]
        return left

    async def members(self, app: AppId, channel: ChannelName) -> tuple[Member, ...]:
        """Everybody in the channel, one entry per user, oldest first."""
        room = self._rooms.get((app, channel))
        return () if room is None else tuple(room.members.values())

    async def user_sessions(self, app: AppId, channel: ChannelName, user: UserId) -> int:
        """How many sessions a user has in a channel."""
        room = self._rooms.get((app, channel))
        return 0 if room is None else room.counts.get(user, 0)
