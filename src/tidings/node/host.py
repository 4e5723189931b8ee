"""The node as HTTP endpoints see it (`protocols.http.Host`): publishing and asking who is where. Holds no route."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tidings.errors import EngineUnavailable, Refusal
from tidings.ids import AppId, ChannelName, UserId
from tidings.messages import Message, Position
from tidings.node.apps import App
from tidings.presence import Member
from tidings.protocols.http import Cached, ChannelView

if TYPE_CHECKING:
    from tidings.node.node import Node


class NodeHost:
    """Implements `protocols.http.Host` over one node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def app(self, app_id: str) -> App:
        return self._node.apps.by_id(app_id)

    def app_of(self, key: str) -> App:
        return self._node.apps.named(key)

    def now(self) -> float:
        return self._node.wall()

    def accept_signature(self, app: AppId, signature: str, expires: float, *, key: str | None = None) -> bool:
        tenant = self._node.apps.by_id(app)
        return tenant.accept_signature(signature, now=self.now(), expires=expires, key=key)

    async def publish(
        self, app: AppId, messages: Sequence[Message], *, key: str | None = None
    ) -> Sequence[Position | None]:
        """Check sizes, then append; messages of ephemeral channels are passed on without a place in the log."""
        tenant = self._node.apps.by_id(app)
        for message in messages:
            _check(tenant, message)
        self._take(tenant, len(messages))
        try:
            return await self._publish(tenant, messages, key)
        except Refusal:
            tenant.usage.give_back(len(messages), self.now())
            raise

    def _take(self, tenant: App, count: int) -> None:
        try:
            tenant.usage.take(tenant.quotas, count, self.now())
        except Refusal as refusal:
            self._node.metrics.refused.labels(tenant.id, refusal.name).inc()
            raise

    async def _publish(
        self, tenant: App, messages: Sequence[Message], key: str | None
    ) -> Sequence[Position | None]:
        app = tenant.id
        logged = [m for m in messages if not tenant.options(m.channel).ephemeral]
        positions: dict[str, Position] = {}
        if logged:
            try:
                published = await self._node.engine.broker.publish(app, logged, key=key)
            except EngineUnavailable as error:
                raise error.refusal() from error
            positions = {m.id: p for m, p in zip(logged, published.positions, strict=True)}
            if published.repeated:
                tenant.usage.give_back(len(logged), self.now())
            else:
                self._node.metrics.published.labels(app).inc(len(logged))
        for message in messages:
            if message.id not in positions:
                self._node.relay(tenant, message)
        return [positions.get(m.id) for m in messages]

    async def channels(self, app: AppId, prefix: str) -> Sequence[ChannelView]:
        tenant = self._node.apps.by_id(app)
        return [await self._view(tenant, name, count) for name, count in list(tenant.hub.occupied(prefix))]

    async def channel(self, app: AppId, name: ChannelName) -> ChannelView | None:
        tenant = self._node.apps.by_id(app)
        count = tenant.hub.subscribers(name)
        return await self._view(tenant, name, count) if count else None

    async def members(self, app: AppId, name: ChannelName) -> Sequence[Member]:
        return await self._node.members(self._node.apps.by_id(app), name)

    async def cached(self, app: AppId, name: ChannelName) -> Cached | None:
        tenant = self._node.apps.by_id(app)
        options, now = tenant.options(name), self._node.wall_ms()
        try:
            message = await self._node.engine.broker.latest(app, name) if options.cache else None
        except EngineUnavailable as error:
            raise error.refusal() from error
        if message is None or not options.is_fresh(message.time, now):
            return None
        return Cached(data=message.data, seconds=options.cache_seconds - (now - message.time) / 1000)

    def terminate(self, app: AppId, user: UserId) -> None:
        self._node.users.terminate(self._node.apps.by_id(app), user)

    async def _view(self, app: App, name: ChannelName, count: int) -> ChannelView:
        users = len(await self._node.members(app, name)) if app.options(name).presence else None
        return ChannelView(name=name, subscriptions=count, users=users)


def _check(app: App, message: Message) -> None:
    limits = app.limits
    if app.options(message.channel).owner == "":
        raise Refusal("bad_channel", field="channel", detail="names that begin with # are reserved")
    if len(message.channel) > limits.channel_name:
        raise Refusal("bad_channel", field="channel", limit=limits.channel_name)
    if len(message.event) > limits.event_name:
        raise Refusal("bad_event", field="name", limit=limits.event_name)
    if len(message.data) > limits.message_bytes:
        raise Refusal("message_too_large", field="data", limit=limits.message_bytes)
