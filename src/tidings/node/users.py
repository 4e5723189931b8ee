"""Who is signed in, on which sessions, and who watches whom. Holds this node's sessions; the engine holds everybody.

A user is online while the presence store knows a session of theirs in the user's own reserved channel, `#users-{id}`.
No client can subscribe to it, and no publisher can publish to it: it carries what nodes tell one another.

    joined, left     the user's first session came, the last went: told to those who watch
    client           with the event `end`: every node ends the user's sessions
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tidings.commands import UserGrant
from tidings.errors import Disconnect, Refusal
from tidings.ids import AppId, ChannelName, UserId, new_message_id
from tidings.messages import Kind, Message
from tidings.presence import Member
from tidings.pushes import WatchlistChanged

if TYPE_CHECKING:
    from tidings.node.apps import App
    from tidings.node.node import Node
    from tidings.node.session import Session

USERS: Final = "#users-"
"""Before a user's id: the reserved channel."""

END: Final = "end"


class Watch:
    """One session's watchlist: whom it watches, and whom it was told to be online.

    early: what happened while the first list was read; None afterwards. It is newer than what was read.
    """

    __slots__ = ("early", "online", "users")

    def __init__(self, users: tuple[UserId, ...]) -> None:
        self.users = users
        self.online: set[UserId] = set()
        self.early: dict[UserId, bool] | None = {}

    def change(self, user: UserId, *, online: bool) -> WatchlistChanged | None:
        """Note that a user came or went; what is to be told of it, if anything."""
        if self.early is not None:
            self.early[user] = online
            return None
        if (user in self.online) == online:
            return None
        if online:
            self.online.add(user)
            return WatchlistChanged(online=(user,))
        self.online.remove(user)
        return WatchlistChanged(offline=(user,))

    def begin(self, online: set[UserId]) -> WatchlistChanged | None:
        """The first list was read; what is to be told of it, if anything."""
        early, self.early = self.early or {}, None
        self.online = {user for user in self.users if early.get(user, user in online)}
        if not self.online:
            return None
        return WatchlistChanged(online=tuple(user for user in self.users if user in self.online))


Table = dict[tuple[AppId, UserId], dict["Session", None]]


class Users:
    """The signed-in users of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._sessions: Table = {}  # who is signed in where
        self._watchers: Table = {}  # who watches whom

    async def sign_in(self, session: Session, grant: UserGrant) -> None:
        """Make a session a user's. Signing in again as the same user renews their data.

        Raises Refusal `forbidden` when the session is another user's already, EngineUnavailable.
        """
        before = session.signed_in
        if before is not None and before.user != grant.user:
            raise Refusal("forbidden", field="user_data", detail="the connection is another user's already")
        session.signed_in = grant
        if before is not None:
            return
        _add(self._sessions, (session.app.id, grant.user), session)
        try:
            joined = await self._node.engine.presence.add(
                session.app.id, channel_of(grant.user), session.id, Member(grant.user), max_members=1
            )
        except BaseException:
            session.signed_in = None
            _remove(self._sessions, (session.app.id, grant.user), session)
            raise
        session.proven = True
        if joined.first:
            self._relay(session.app, grant.user, "joined")

    async def watch(self, session: Session, users: tuple[UserId, ...]) -> None:
        """Tell a session from now on who of these comes and goes; first, who is there. Replaces what it watched."""
        self._unwatch(session)
        if not users:
            return
        watch = session.watch = Watch(users)
        for user in users:
            _add(self._watchers, (session.app.id, user), session)
        presence = self._node.engine.presence
        online = {
            user for user in users if await presence.user_sessions(session.app.id, channel_of(user), user)
        }
        if session.watch is watch:
            self._say(session, watch.begin(online))

    def sign_out(self, session: Session) -> None:
        """A session has ended: forget it, and tell those who watch if it was the user's last."""
        self._unwatch(session)
        if session.signed_in is not None:
            _remove(self._sessions, (session.app.id, session.signed_in.user), session)
            self._node.spawn(self._gone(session, session.signed_in.user))

    def terminate(self, app: App, user: UserId) -> None:
        """Have every node end the connections that are signed in as a user."""
        self._relay(app, user, "client", END)

    def heard(self, app: App, message: Message) -> None:
        """A node has told something of a user."""
        user = message.user
        if user is None:
            return
        if message.kind == "client" and message.event == END:
            for session in list(self._sessions.get((app.id, user), ())):
                session.end(Disconnect("ended"))
        elif message.kind in ("joined", "left"):
            for session in list(self._watchers.get((app.id, user), ())):
                if session.watch is not None:
                    self._say(session, session.watch.change(user, online=message.kind == "joined"))

    async def _gone(self, session: Session, user: UserId) -> None:
        left = await self._node.engine.presence.remove(session.app.id, channel_of(user), session.id)
        if left is not None and left.last:
            self._relay(session.app, user, "left")

    def _unwatch(self, session: Session) -> None:
        watch, session.watch = session.watch, None
        if watch is not None:
            for user in watch.users:
                _remove(self._watchers, (session.app.id, user), session)

    def _say(self, session: Session, told: WatchlistChanged | None) -> None:
        if told is not None:
            session.say(told)

    def _relay(self, app: App, user: UserId, kind: Kind, event: str = "") -> None:
        message = Message(
            id=new_message_id(),
            channel=channel_of(user),
            event=event or kind,
            data=b"null",
            time=self._node.wall_ms(),
            kind=kind,
            user=user,
        )
        self._node.relay(app, message)


def channel_of(user: UserId) -> ChannelName:
    """The reserved channel in which a user is present while they are online."""
    return ChannelName(f"{USERS}{user}")


def _add(table: Table, key: tuple[AppId, UserId], session: Session) -> None:
    table.setdefault(key, {})[session] = None


def _remove(table: Table, key: tuple[AppId, UserId], session: Session) -> None:
    sessions = table.get(key)
    if sessions is not None:
        sessions.pop(session, None)
        if not sessions:
            del table[key]
