"""Runs a client's commands: checks them, asks the authorizer, moves hub and engine, answers. One command at a time.

Holds no state of its own. Every refusal goes back to the client in its protocol's words; no exception leaves here.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from tidings.commands import (
    Authenticate,
    Command,
    Grant,
    Publish,
    SignIn,
    Subscribe,
    Track,
    Unsubscribe,
    Untrack,
)
from tidings.errors import Disconnect, EngineUnavailable, Refusal, Unsubscription
from tidings.filters import matches
from tidings.ids import ChannelName, new_message_id, new_trail
from tidings.messages import Message, Origin
from tidings.node.joining import bring_in
from tidings.node.limits import RateLimiter
from tidings.node.occurrences import Occurrence
from tidings.node.session import State
from tidings.presence import Member
from tidings.pushes import Accepted, SignedIn, Unsubscribed

if TYPE_CHECKING:
    from tidings.node.apps import App
    from tidings.node.node import Node
    from tidings.node.session import Session

log = logging.getLogger(__name__)


class Dispatcher:
    """Executes commands on behalf of sessions of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def execute(self, session: Session, command: Command) -> None:
        """Run one command to its end and answer it."""
        try:
            await self._execute(session, command)
        except Disconnect as disconnect:
            session.end(disconnect)
        except Exception as error:
            self._answer_no(session, command, told(error))

    def _answer_no(self, session: Session, command: Command, refusal: Refusal) -> None:
        """Refuse a command in the protocol's words: for a Subscribe, each channel that the session is not in."""
        name, ref = type(command).__name__.lower(), getattr(command, "ref", None)
        if isinstance(command, Subscribe):
            for channel in command.channels:
                if channel not in session.channels:
                    session.refuse(name, refusal, channel=channel, ref=ref)
        else:
            session.refuse(name, refusal, channel=getattr(command, "channel", None), ref=ref)

    async def _execute(self, session: Session, command: Command) -> None:
        match command:
            case SignIn():
                await self._sign_in(session, command)
            case Subscribe():
                await self._subscribe(session, command)
            case Unsubscribe():
                await self._unsubscribe(session, command)
            case Publish(client=True):
                self._client_event(session, command)
            case Publish():
                await self._publish(session, command)
            case Track():
                await self._track(session, command)
            case Untrack():
                await self._untrack(session, command)
            case Authenticate():
                await self._authenticate(session, command)

    # ── subscribing

    async def _subscribe(self, session: Session, command: Subscribe) -> None:
        limits = session.app.limits
        if len(session.channels) + len(command.channels) > limits.connection_channels:
            raise Refusal("too_many_channels", field="channel", limit=limits.connection_channels)
        grants: dict[ChannelName, Grant] = {}
        for channel in command.channels:
            try:
                grants[channel] = await self._allow(session, channel, command)
            except Refusal as refusal:  # a channel that is refused does not take the others with it
                session.refuse("subscribe", refusal, channel=channel, ref=command.ref)
        if grants and session.state is State.OPEN:
            allowed = msgspec.structs.replace(command, channels=tuple(grants))
            try:
                await bring_in(session, grants, allowed)
            except Exception as error:
                self._answer_no(session, allowed, told(error))

    async def _allow(self, session: Session, channel: ChannelName, command: Subscribe) -> Grant:
        if len(channel) > session.app.limits.channel_name:
            raise Refusal("bad_channel", field="channel", limit=session.app.limits.channel_name)
        if channel in session.channels:
            raise Refusal("already_subscribed", field="channel", detail=f"already in {channel}")
        return await self._node.authorizer.subscribe(
            session.app,
            session.visitor,
            session.identity,
            channel,
            command.credential,
            session.id,
            session.signed_in,
        )

    async def _unsubscribe(self, session: Session, command: Unsubscribe) -> None:
        for channel in command.channels:
            if channel not in session.channels:
                refusal = Refusal("not_subscribed", field="channel", detail=f"not in {channel}")
                session.refuse("unsubscribe", refusal, channel=channel, ref=command.ref)
                continue
            await self.drop(session, channel)
            if session.resume is not None:
                session.resume.left(channel)
            session.say(Unsubscribed(channel=channel, ref=command.ref))

    async def drop(self, session: Session, channel: ChannelName) -> None:
        """Take a session out of a channel, its presence first, so that the others are told."""
        membership = session.channels.pop(channel, None)
        session.app.hub.leave(session.outlet, channel)
        if membership is not None and membership.present:
            await self._node.absent(session.app, channel, session.id)

    # ── publishing

    def _client_event(self, session: Session, command: Publish) -> None:
        app = session.app
        if not app.client_events:
            raise Refusal("client_events_off", field="event")
        membership = session.channels.get(command.channel)
        if membership is None:
            raise Refusal("not_subscribed", field="channel", detail=f"not in {command.channel}")
        if not app.options(command.channel).client_events:
            raise Refusal(
                "client_events_off", field="channel", detail="only private and presence channels take them"
            )
        if len(command.data) > app.limits.client_event_bytes:
            raise Refusal("message_too_large", field="data", limit=app.limits.client_event_bytes)
        if session.events is None:
            session.events = RateLimiter(app.limits.client_events_per_second)
        if not session.events.allow(self._node.clock()):
            limit = int(app.limits.client_events_per_second)
            raise Refusal("rate_limited", field="event", detail="client events a second", limit=limit)
        app.usage.take(app.quotas, 1, self._node.wall())
        message = Message(
            id=new_message_id(),
            channel=command.channel,
            event=command.event,
            data=command.data,
            time=self._node.wall_ms(),
            kind="client",
            origin=Origin(session=session.id),
            user=membership.user if membership.present else None,
        )
        self._node.relay(app, message)
        if self._node.observed:
            self._node.tell(_client_event_of(app, session, message))
        if command.ref is not None:
            session.say(Accepted(command="publish", ref=command.ref))

    async def _publish(self, session: Session, command: Publish) -> None:
        self._node.authorizer.publish(session.identity, command.channel)
        message = Message(
            id=new_message_id(),
            channel=command.channel,
            event=command.event,
            data=command.data,
            time=self._node.wall_ms(),
            origin=Origin(session=session.id),
            trail=new_trail(),
        )
        # A name space of their own: a client that guesses the key of a captured change must not be able to suppress it.
        key = None if command.key is None else f"client:{command.key}"
        positions = await self._node.host.publish(session.app.id, [message], key=key)
        session.say(Accepted(command="publish", ref=command.ref, position=positions[0]))

    # ── presence

    async def _track(self, session: Session, command: Track) -> None:
        membership = session.channels.get(command.channel)
        user = session.identity.user if session.identity else None
        if membership is None:
            raise Refusal("not_subscribed", field="channel", detail=f"not in {command.channel}")
        if user is None:
            raise Refusal(
                "not_authenticated", field="channel", detail="being present needs a token with a user"
            )
        if not session.app.options(command.channel).presence:
            raise Refusal("not_presence", field="channel")
        if membership.present and membership.user != user:  # the former user leaves, and the others are told
            membership.present = False
            await self._node.absent(session.app, command.channel, session.id)
        await self._node.present(session.app, command.channel, session.id, Member(user, command.info))
        if session.channels.get(command.channel) is not membership:  # the session left meanwhile
            await self._node.absent(session.app, command.channel, session.id)
            return
        membership.user, membership.present = user, True
        session.say(Accepted(command="track", ref=command.ref))

    async def _untrack(self, session: Session, command: Untrack) -> None:
        membership = session.channels.get(command.channel)
        if membership is None or not membership.present:
            raise Refusal("not_subscribed", field="channel", detail=f"not present in {command.channel}")
        membership.present = False
        await self._node.absent(session.app, command.channel, session.id)
        session.say(Accepted(command="untrack", ref=command.ref))

    # ── users

    async def _sign_in(self, session: Session, command: SignIn) -> None:
        app, users = session.app, self._node.users
        grant = command.credential.verify(app.secrets, session.id)
        await users.sign_in(session, grant)
        session.say(SignedIn(user=grant.user, data=grant.data, ref=command.ref))
        if app.settings.watchlist:
            if grant.watchlist_cut:
                limit = len(grant.watchlist)
                session.refuse("signin", Refusal("watchlist_too_long", field="watchlist", limit=limit))
            await users.watch(session, grant.watchlist)

    # ── tokens

    async def _authenticate(self, session: Session, command: Authenticate) -> None:
        identity = self._node.authorizer.identify(session.app, command.token, self._node.wall())
        session.identity = identity
        session.proven = True
        lost = [
            channel
            for channel, membership in session.channels.items()
            if membership.by_token and not any(matches(p, channel) for p in identity.subscribe)
        ]
        for channel in lost:
            await self.drop(session, channel)
            session.say(Unsubscribed(channel=channel, reason=Unsubscription("revoked")))
        session.say(Accepted(command="token", ref=command.ref))


def _client_event_of(app: App, session: Session, message: Message) -> Occurrence:
    return Occurrence(
        kind="client_event",
        app=app.id,
        channel=message.channel,
        time=message.time,
        user=message.user,
        session=session.id,
        event=message.event,
        data=message.data,
    )


def told(error: Exception) -> Refusal:
    """What a client is told of an error that ended its command. A fault of ours or of a hook's is logged, not shown."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, EngineUnavailable):
        return error.refusal()
    log.error("command_failed", exc_info=error)
    return Refusal("unavailable", detail="the command failed inside the server")
