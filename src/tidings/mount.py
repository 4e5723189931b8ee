"""Tidings inside somebody's own ASGI application: the object to mount, to publish through and to ask for rights.

It runs the node that `tidings serve` runs. It decides nothing itself: configuration is read as from a file, and
bootstrap puts the parts together.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from tidings.bootstrap import assemble
from tidings.bootstrap.addresses import SQLITE
from tidings.config.kept_app import FIRST_ID, make_app, obtain_kept
from tidings.config.layers import Layer
from tidings.config.loading import read
from tidings.config.settings import AppEntry, app_from_flag
from tidings.errors import ConfigError, Disconnect, LocalProtocolError
from tidings.filters import template_pattern
from tidings.ids import AppId, SessionId, new_message_id
from tidings.messages import Message, Origin, Position, encode_data
from tidings.protocols.pusher.names import validate_channel, validate_event
from tidings.server import asgi
from tidings.server.answers import refusal_response
from tidings.server.leaving import Leaving
from tidings.sources.rules import FunctionRule

LIBRARY_APP: Final = FIRST_ID
"""Id of the app when none is named."""

STEP_SECONDS: Final = 0.01
"""Between two looks whether all clients have gone."""

KEPT_APP: Final = ".app.json"
"""Ends the name of the file, beside the engine's own, that keeps the app when none is named."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
HookT = TypeVar("HookT", bound=Callable[..., Awaitable[Any]])


class Application:
    """What is mounted. An object of its own: uvicorn takes a bound method for an application of ASGI 2."""

    def __init__(self, live: Tidings) -> None:
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._live._answer(scope, receive, send)


class Tidings:
    """A live server to mount into an ASGI application.

    engine: its URL, as `--engine`. apps: `ID:KEY:SECRET` or what a `[[apps]]` table holds; without any, one app with
    random secrets is made: kept beside the engine's file (mode 0600), or with `memory:` for the life of this object.
    rules, sources, channels, limits, server: as in `tidings.toml`; a rule may also be a function with its table
    (`FunctionRule`).
    Raises ConfigError that tells every fault.

        live = Tidings("sqlite:///live.db")
        app.mount("/live", live.asgi)
    """

    def __init__(
        self,
        engine: str = "memory:",
        *,
        apps: Iterable[str | Mapping[str, Any]] = (),
        rules: Iterable[Mapping[str, Any] | FunctionRule] = (),
        sources: Iterable[str | Mapping[str, Any]] = (),
        channels: Iterable[Mapping[str, Any]] = (),
        limits: Mapping[str, Any] | None = None,
        server: Mapping[str, Any] | None = None,
    ) -> None:
        entries = [_app(app) for app in apps] or [_own_app(engine)]
        given = list(rules)
        tree = {
            "engine": {"url": engine},
            "apps": entries,
            "rules": [rule for rule in given if not isinstance(rule, FunctionRule)],
            "sources": [{"url": source} if isinstance(source, str) else dict(source) for source in sources],
            "channels": list(channels),
            "limits": dict(limits or {}),
            "server": dict(server or {}),
        }
        self.config = read(Layer(tree), os.environ)
        functions = [rule for rule in given if isinstance(rule, FunctionRule)]
        self._assembly = assemble(self.config, functions=functions)
        self._lock = asyncio.Lock()
        self._running = False
        self._stopped = False
        self._leaving = Leaving(self._end_streams)

    @property
    def apps(self) -> Sequence[AppEntry]:
        """The apps with their keys, the made one too: a page needs the key, a signing back end the secret."""
        return self.config.apps

    @property
    def asgi(self) -> Application:
        """The ASGI application to mount, with every protocol.

        It starts and stops with the host's lifespan where the host passes that on, else at the first request.
        """
        return Application(self)

    def authorize(self, pattern: str) -> Callable[[HookT], HookT]:
        """Let a function decide who may join channels like `private-family-{family_id}`.

        It is called as `await hook(visitor, family_id=…)` and returns True or a user id for yes, False or None for no.
        visitor: what the connection brought along: headers (cookies), token, peer. Raises ConfigError, also for a hook
        that cannot be called so.
        """

        def add(hook: HookT) -> HookT:
            _check_hook(pattern, hook)
            self._assembly.node.authorizer.add_hook(pattern, hook)
            return hook

        return add

    async def publish(
        self,
        channel: str,
        event: str,
        data: Any,
        *,
        key: str | None = None,
        app: str | None = None,
        skip: str | None = None,
    ) -> Position | None:
        """Append a message to the log and return its position; it is kept then, and on its way.

        data: anything JSON can hold, or a model with `model_dump_json`. key: idempotency key; the same one again is the
        same message. app: id, when there are several. skip: socket id of the connection that does not get it.
        Returns the message's position; None on an ephemeral channel, which keeps nothing.
        Raises Refusal: a bad name, too large, `key_reused`, `unavailable`; TypeError for data that JSON cannot hold;
        LocalProtocolError after `stop`.
        """
        await self.start()
        node = self._assembly.node
        message = Message(
            id=new_message_id(),
            channel=validate_channel(channel),
            event=validate_event(event),
            data=encode_data(data),
            time=node.wall_ms(),
            origin=Origin(session=SessionId(skip)) if skip else None,
        )
        tenant = AppId(app) if app is not None else node.apps.default.id
        (position,) = await node.host.publish(tenant, [message], key=None if key is None else f"mount:{key}")
        return position

    async def start(self) -> None:
        """Open engine and sources. Idempotent. Raises EngineError, SourceError, ConfigError.

        After `stop` it raises LocalProtocolError.
        """
        if self._running:
            return
        async with self._lock:
            if self._stopped:
                raise LocalProtocolError("this Tidings was stopped, and that is final; make a new one")
            if not self._running:
                await self._assembly.node.start()
                self._running = True
                self._leaving.listen()

    async def stop(self) -> None:
        """Send clients away with the word to come back, then close. Idempotent; it cannot be started again."""
        async with self._lock:
            self._stopped = True
            if self._running:
                self._running = False
                self._leaving.close()
                await self._assembly.node.drain(0)
                await self._assembly.node.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if self._stopped:
            await _answer_gone(scope, receive, send)
            return
        await self.start()
        self._leaving.listen()  # the host may have set its handlers since
        await self._assembly.app(scope, receive, send)

    async def _end_streams(self) -> None:
        """The process is told to end: send clients away before the host waits for them, or closes them without a word.

        Returns when they have gone.
        """
        if self._running:
            node = self._assembly.node
            await node.drain(0)
            while node.polls or any(app.sessions for app in node.apps):  # noqa: ASYNC110  # each ends in its own task
                await asyncio.sleep(STEP_SECONDS)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _app(app: str | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(app, str):
        return dict(app)
    try:
        return app_from_flag(app)
    except ValueError as error:
        raise ConfigError(f"apps: {error}") from error


def _own_app(engine: str) -> dict[str, Any]:
    """The app when none is named. It lasts as long as the log does: pages and back ends hold its keys."""
    path = engine.removeprefix(SQLITE)
    if path in ("", engine):
        app = make_app()
    else:
        app = obtain_kept(
            Path(path + KEPT_APP), elsewhere='name the app yourself with apps=["ID:KEY:SECRET"]'
        )
    return {name: getattr(app, name) for name in ("id", "key", "secret", "jwt_secret")}


def _check_hook(pattern: str, hook: Callable[..., Any]) -> None:
    """Raises ConfigError for a hook that cannot be called with a visitor and the names of its pattern."""
    names = template_pattern(pattern).groupindex
    try:
        inspect.signature(hook).bind(None, **dict.fromkeys(names))
    except TypeError as error:
        call = ", ".join(("visitor", *(f"{name}=…" for name in names)))
        raise ConfigError(
            f"authorize({pattern!r}): {getattr(hook, '__name__', 'the hook')} is called as ({call}): {error}"
        ) from error


async def _answer_gone(scope: Scope, receive: Receive, send: Send) -> None:
    """To whoever comes after the end: come back later, to whatever stands here then."""
    response = refusal_response(Disconnect("draining"))
    if scope["type"] == "websocket":
        await asgi.reject(response, scope, receive, send)
    else:
        await asgi.respond(response, scope["method"], send)
