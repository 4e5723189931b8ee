"""One server process: apps with their hubs, an engine, sources, sessions. Holds no wire format and opens no socket."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from tidings.engines.base import DeclaredGap, Engine
from tidings.errors import Disconnect, Refusal
from tidings.hub.channel import ChannelOptions
from tidings.hub.hub import Hub
from tidings.hub.sendqueue import Outlet
from tidings.ids import AppId, ChannelName, ClientId, SessionId, UserId, new_message_id
from tidings.messages import Kind, Message, Origin, Position
from tidings.node.apps import App, Apps, AppSettings
from tidings.node.authorizer import Authorizer, Visitor
from tidings.node.clients import Clients
from tidings.node.counts import Counts
from tidings.node.dispatcher import Dispatcher
from tidings.node.host import NodeHost
from tidings.node.keeper import Keeper
from tidings.node.limits import Limits
from tidings.node.metrics import Metrics
from tidings.node.occurrences import Observer, Occurrence, OccurrenceKind
from tidings.node.polling import Polled, poll
from tidings.node.pump import Pump
from tidings.node.quotas import check_connections
from tidings.node.resume import Resume
from tidings.node.session import Session, Transport
from tidings.node.snapshots import Snapshots
from tidings.node.users import USERS, Users
from tidings.presence import Member
from tidings.protocols.base import WireProtocol
from tidings.pushes import Reset, Welcome
from tidings.row_filters import RowFilter
from tidings.sources.base import ChangeSource

if TYPE_CHECKING:
    from tidings.sources.router import ChangeRouter

log = logging.getLogger(__name__)


ENDED_AT_ONCE: Final = 100
"""Sessions of a removed app that are ended in one turn of the loop."""


class Companion(Protocol):
    """Something that lives as long as a node does."""

    async def start(self) -> None:
        """Raises EngineError when it cannot; the node then does not start."""
        ...

    async def stop(self) -> None: ...


class Node:
    """Joins apps, engine, sources and sessions.

    by_name: the options a channel has by its name alone. wall: seconds since the Unix epoch. clock: monotonic seconds.
    """

    def __init__(
        self,
        apps: Sequence[AppSettings],
        engine: Engine,
        *,
        by_name: Callable[[str], ChannelOptions],
        authorizer: Authorizer | None = None,
        limits: Limits | None = None,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = Counts(self)
        self.users = Users(self)
        self._by_name = by_name
        self.apps = Apps(self._app(settings) for settings in apps)
        self.engine = engine
        self.limits = limits or Limits()
        self.authorizer = authorizer or Authorizer()
        self.dispatcher = Dispatcher(self)
        self.host = NodeHost(self)
        self.metrics = Metrics()
        self.wall = wall
        self.clock = clock
        self.draining = False
        self.connections = 0
        self.polls: set[asyncio.Event] = set()  # polls that wait
        self.clients = Clients(engine.cursors, clock)
        self.holding: set[Session] = set()  # sessions whose client has its cursor held here
        self.keeper = Keeper(self)
        self.snapshots = Snapshots(self)
        self._observers: list[Observer] = []
        self._companions: list[Companion] = []
        self._pumps: list[Pump] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    # ── life

    def add_source(self, app: AppId, source: ChangeSource, router: ChangeRouter) -> None:
        """Have a source's changes go to an app's log. Before `start`."""
        self._pumps.append(Pump(app, source, router, self.engine.broker, self.metrics))

    def attach(self, companion: Companion) -> None:
        """Have something start after the engine is open and stop before it closes. Before `start`."""
        self._companions.append(companion)

    def observe(self, observer: Observer) -> None:
        """Have somebody told of what happens in the apps. Before `start`."""
        self._observers.append(observer)

    @property
    def observed(self) -> bool:
        """Whether anybody is told: ask before making an occurrence."""
        return bool(self._observers)

    def tell(self, occurrence: Occurrence) -> None:
        """Tell the observers; a fault of one is logged and disturbs nobody."""
        for observer in self._observers:
            try:
                observer(occurrence)
            except Exception:
                log.exception("observer_failed")

    # ── apps that come and go

    def _app(self, settings: AppSettings) -> App:
        return App(settings, self._by_name, self._schedule, self.counts.changed, self._on_fault)

    async def put_app(self, settings: AppSettings) -> None:
        """Take an app in, or give one that is here other settings; what is switched off loses its clients.

        Raises ValueError when a key belongs to another app; nothing is changed then.
        """
        if self.apps.get(settings.id) is None:
            self.apps.add(self._app(settings))
            return
        app = self.apps.change(settings)
        if not app.enabled:
            await self._end_all(app, Disconnect("app_off"))

    async def remove_app(self, app_id: AppId) -> None:
        """Take an app out and end its clients; its log stays. Raises KeyError."""
        app = self.apps.remove(app_id)
        self.metrics.forget_app(app_id)
        for woken in self.polls:  # those of the app find that it is gone, the others wait on
            woken.set()
        await self._end_all(app, Disconnect("app_gone"))

    async def _end_all(self, app: App, disconnect: Disconnect) -> None:
        """End all of an app's sessions, letting other apps have their turn in between."""
        for at, session in enumerate(list(app.sessions.values())):
            session.end(disconnect)
            if at % ENDED_AT_ONCE == ENDED_AT_ONCE - 1:
                await asyncio.sleep(0)

    # ── start and stop

    async def start(self) -> None:
        """Open the engine and the sources, then follow them. Raises EngineError, SourceError."""
        self._loop = asyncio.get_running_loop()
        self.engine.broker.listen(self._on_messages)
        try:
            await self.engine.open()
            for companion in self._companions:
                await companion.start()
            for pump in self._pumps:
                await pump.open()
                self.spawn(pump.run())
        except BaseException:
            await self.stop()  # all or nothing: a second try finds everything closed
            raise
        self.spawn(self.keeper.run())

    async def drain(self, seconds: float) -> None:
        """Take no new clients; send away those that are here, spread over `seconds`.

        Clients of the Pusher protocol come back at once and without jitter, so the spread must be ours.
        """
        self.draining = True
        for woken in self.polls:
            woken.set()
        sessions = [session for app in self.apps for session in app.sessions.values()]
        pause, begun = seconds / max(1, len(sessions)), asyncio.get_running_loop().time()
        for at, session in enumerate(sessions):
            session.end(Disconnect("draining", after=pause * (len(sessions) - at)))
            ahead = begun + at * pause - asyncio.get_running_loop().time()
            if ahead > 0.001:
                await asyncio.sleep(ahead)

    async def stop(self) -> None:
        """End tasks, close sources and engine. What was acknowledged is in the log."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        sources = [pump.source.close for pump in self._pumps]
        companions = [companion.stop for companion in reversed(self._companions)]
        for end in (*sources, *companions, self.engine.close):
            try:
                await end()
            except Exception:  # what cannot be closed must not keep the others open, the log least of all
                log.exception("close_failed")

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether this node hears its log and its sources are in step; and the particulars (for /readyz)."""
        engine = self.engine.health()
        sources = {pump.source.name: pump.source.health() for pump in self._pumps}
        faults = {pump.source.name: pump.fault for pump in self._pumps if pump.fault}
        ok = engine.ok and not self.draining and not faults and all(h.ok for h in sources.values())
        return ok, {
            "ready": ok,
            "draining": self.draining,
            "engine": {"name": self.engine.name, "ok": engine.ok, "detail": engine.detail},
            "sources": {
                name: {
                    "ok": health.ok and name not in faults,
                    "detail": faults.get(name) or health.detail,
                    "lag": health.lag,
                    "behind_bytes": health.behind,
                    "retained_bytes": health.retained,
                    "last_commit": health.last_commit,
                }
                for name, health in sources.items()
            },
        }

    def pumps_of(self, app: App) -> list[Pump]:
        """The sources that write to an app's log."""
        return [pump for pump in self._pumps if pump.app == app.id]

    def note_sources(self) -> None:
        """Put how the sources are into the metrics: they change while nothing is captured, too."""
        for pump in self._pumps:
            self.metrics.note_source(pump.source.name, pump.source.health())

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine as a task that the node owns: it is cancelled at `stop`, and its faults are logged."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return int(self.wall() * 1000)

    # ── clients

    def connect(self, app: App, protocol: WireProtocol, transport: Transport, visitor: Visitor) -> Session:
        """Let a client in and welcome it.

        Raises Disconnect `draining` or `over_capacity`, Refusal `bad_token` for its token; nothing has been written
        then.
        """
        if self.draining:
            raise Disconnect("draining")
        if self.connections >= self.limits.connections:
            raise Disconnect("over_capacity")
        if self.apps.get(app.id) is not app:  # it went while the handshake was under way
            raise Disconnect("app_gone")
        if not app.enabled:
            raise Disconnect("app_off")
        self._check_quota(app)
        identity = None
        if visitor.token is not None:
            identity = self.authorizer.identify(app, visitor.token, self.wall())
        session = Session(self, app, protocol, transport, visitor)
        session.identity = identity
        session.proven = identity is not None
        if visitor.client is not None and not protocol.one_way:  # a one-way client resumes by its own cursor
            session.resume = Resume(session, ClientId(visitor.client))
            self.holding.add(session)
        app.sessions[session.id] = session
        self.connections += 1
        self.metrics.connections.labels(app.id, protocol.name).inc()
        session.say(
            Welcome(
                session=session.id,
                cursor=self.head(app),
                activity_timeout=app.limits.activity_seconds,
                user=identity.user if identity else None,
            )
        )
        return session

    def _check_quota(self, app: App) -> None:
        try:
            check_connections(app.quotas, app.connected)
        except Disconnect as disconnect:
            self.metrics.refused.labels(app.id, disconnect.name).inc()
            raise

    def forget(self, session: Session) -> None:
        """A session has ended: take it out of everything."""
        if session.app.sessions.pop(session.id, None) is None:
            return
        self.connections -= 1
        self.holding.discard(session)
        self.users.sign_out(session)
        if session.resume is not None:
            session.resume.release()
        self.metrics.connections.labels(session.app.id, session.protocol.name).dec()
        for channel, membership in list(session.channels.items()):
            session.app.hub.leave(session.outlet, channel)
            if membership.present:
                self.spawn(self.absent(session.app, channel, session.id))
        session.channels.clear()

    async def check(self, app: App, visitor: Visitor, channels: Sequence[ChannelName]) -> None:
        """Raise Refusal unless all these channels may be read by this visitor."""
        identity = (
            self.authorizer.identify(app, visitor.token, self.wall()) if visitor.token is not None else None
        )
        for channel in channels:
            await self.authorizer.subscribe(app, visitor, identity, channel, None, SessionId("0.0"))

    async def poll(
        self,
        app: App,
        visitor: Visitor,
        channels: Sequence[ChannelName],
        after: Position | None,
        wait: float,
        filter: RowFilter | None = None,
    ) -> Polled:
        """What lies after a cursor on some channels, waiting up to `wait` seconds for something.

        Without a cursor: the present one and no messages. Raises Refusal, EngineUnavailable.
        """
        await self.check(app, visitor, channels)
        return await poll(self, app, tuple(channels), after, min(wait, self.limits.poll_seconds), filter)

    # ── messages

    def head(self, app: App) -> Position:
        """The newest position that this node has heard."""
        return self.engine.broker.head(app.id)

    def relay(self, app: App, message: Message) -> None:
        """Pass an ephemeral message on to every node."""
        self.metrics.relayed.labels(app.id).inc()
        self.engine.broker.relay(app.id, message)

    def tell_resets(self, session: Session, resets: Mapping[ChannelName, str], cursor: Position) -> None:
        """Tell a session which channels it must read anew, one `reset` for each reason."""
        by_reason: dict[str, list[ChannelName]] = {}
        for channel, reason in resets.items():
            by_reason.setdefault(reason, []).append(channel)
        for reason, channels in by_reason.items():
            self.metrics.resets.labels(session.app.id, reason).inc(len(channels))
            session.say(Reset(channels=tuple(channels), reason=reason, cursor=cursor))

    def _on_messages(self, app_id: AppId, items: Sequence[Message | DeclaredGap]) -> None:
        app = self.apps.get(app_id)
        if app is None:  # an app that was taken out of the configuration; its log stays
            return
        for item in items:
            if isinstance(item, Message):
                if item.kind != "event" and item.channel.startswith(USERS):
                    self.users.heard(app, item)
                else:
                    app.hub.deliver(item)
            else:
                self._on_gap(app, item)

    def _on_gap(self, app: App, gap: DeclaredGap) -> None:
        for channel, outlets in app.hub.interrupt(gap.pattern, gap.reason, gap.position):
            for outlet in outlets:
                session = app.sessions.get(outlet.session)
                if session is None:
                    outlet.send(b"")  # a poll that waits: it reads again and finds the reset
                else:
                    self.tell_resets(session, {channel: gap.reason}, gap.position)

    def _on_fault(self, app: App, message: Message, outlets: list[Outlet], error: Exception) -> None:
        """A message could not be encoded for some sessions: they are told to read its channel anew."""
        log.error("message_unreadable", exc_info=error, extra={"app": app.id, "message": message.id})
        if message.position is None:
            return
        for outlet in outlets:
            session = app.sessions.get(outlet.session)
            if session is not None:
                self.tell_resets(session, {message.channel: "unreadable"}, message.position)

    def _schedule(self, hub: Hub) -> None:
        """Something is pending: write it out in this turn of the loop. It adds no waiting."""
        assert self._loop is not None, "the node has not been started"
        self._loop.call_soon(hub.flush)
        self.keeper.confirm_soon()

    # ── presence

    async def present(
        self, app: App, channel: ChannelName, session: SessionId, member: Member
    ) -> tuple[Member, ...]:
        """Note an arrival and tell the others, if it is the user's first. Returns the members now."""
        if len(member.info) > app.limits.member_bytes:
            raise Refusal("member_too_large", field="user_info", limit=app.limits.member_bytes)
        joined = await self.engine.presence.add(
            app.id, channel, session, member, max_members=app.limits.presence_members
        )
        if joined.first:
            self.relay(app, self._presence(channel, "joined", member, session))
            self._tell_member("member_added", app, channel, member)
        return joined.members

    async def absent(self, app: App, channel: ChannelName, session: SessionId) -> None:
        """Note a departure and tell the others, if it was the user's last session."""
        left = await self.engine.presence.remove(app.id, channel, session)
        if left is not None and left.last:
            self.relay(app, self._presence(channel, "left", left.member, session))
            self._tell_member("member_removed", app, channel, left.member)

    async def members(self, app: App, channel: ChannelName) -> tuple[Member, ...]:
        """Everybody present in a channel."""
        return await self.engine.presence.members(app.id, channel)

    def _tell_member(self, kind: OccurrenceKind, app: App, channel: ChannelName, member: Member) -> None:
        if self.observed:
            self.tell(
                Occurrence(kind=kind, app=app.id, channel=channel, time=self.wall_ms(), user=member.user)
            )

    def _presence(self, channel: ChannelName, kind: Kind, member: Member, session: SessionId) -> Message:
        return Message(
            id=new_message_id(),
            channel=channel,
            event=kind,
            data=member.info,
            time=self.wall_ms(),
            kind=kind,
            origin=Origin(session=session),
            user=UserId(member.user),
        )

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", exc_info=error)
