"""A node's life as a server process: start, serve, drain at SIGTERM, end with 0. Holds no configuration."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import logging
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from tidings.errors import ConfigError
from tidings.node.node import Node
from tidings.server.carrier import CLOSE_SECONDS
from tidings.server.http import TidingsHttpProtocol
from tidings.server.websocket import TidingsWebSocketProtocol

log = logging.getLogger(__name__)

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

DRAIN_SECONDS: Final = 10.0
"""Over which clients are sent away, so that they do not come back all at once."""

BACKLOG: Final = 4096
"""Connections that may wait to be accepted: a reconnect storm after a restart comes at once."""

_HTTP_NAMES: Final = (
    "connection_made connection_lost data_received handle_websocket_upgrade on_message_begin on_url on_header "
    "on_headers_complete on_body on_message_complete on_response_complete _start_asgi_task _should_upgrade shutdown"
)
_WS_NAMES: Final = (
    "connection_made connection_lost data_received handle_connect send receive stop_keepalive send_500_response "
    "shutdown"
)
_SERVER_NAMES: Final = "startup main_loop shutdown capture_signals _serve"


def check_uvicorn() -> None:
    """Raises ConfigError when uvicorn's classes are no longer those that ours are built on."""
    for owner, names in (
        (HttpToolsProtocol, _HTTP_NAMES),
        (WebSocketsSansIOProtocol, _WS_NAMES),
        (uvicorn.Server, _SERVER_NAMES),
    ):
        missing = [name for name in names.split() if not callable(getattr(owner, name, None))]
        if missing:
            raise ConfigError(f"uvicorn {uvicorn.__version__}: {owner.__name__} lacks {missing}; use 0.54")
    for ours in (TidingsHttpProtocol, TidingsWebSocketProtocol):
        parameters = list(inspect.signature(ours.__mro__[1].__init__).parameters)  # type: ignore[misc]
        if parameters != ["self", "config", "server_state", "app_state", "_loop"]:
            raise ConfigError(f"uvicorn {uvicorn.__version__}: {ours.__mro__[1].__name__} takes {parameters}")


def uvicorn_config(app: Any, *, host: str = "127.0.0.1", port: int = 0, **settings: Any) -> uvicorn.Config:
    """uvicorn's settings with our classes in place. settings: more of uvicorn's own, such as the TLS files."""
    check_uvicorn()
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=TidingsHttpProtocol,
        ws=TidingsWebSocketProtocol,
        loop=loop_name(),
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # ours are read by the door, from proxies that are named
        server_header=False,
        ws_per_message_deflate=False,
        ws_max_size=1 << 20,
        backlog=BACKLOG,
        timeout_graceful_shutdown=int(CLOSE_SECONDS) + 1,
        **settings,
    )


def loop_name() -> str:
    """uvloop where it is installed."""
    try:
        import uvloop  # noqa: F401
    except ImportError:
        return "asyncio"
    return "uvloop"


class TidingsServer(uvicorn.Server):
    """uvicorn's server with a drain before its own end.

    A first signal drains, a second one ends at once. It never re-raises a signal: a drained server has ended well.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        node: Node,
        *,
        drain_seconds: float = DRAIN_SECONDS,
        started: Callable[[TidingsServer], None] | None = None,
    ) -> None:
        super().__init__(config)
        self._tell_started = started
        self._node = node
        self._drain_seconds = drain_seconds
        self._draining: asyncio.Task[None] | None = None

    @property
    def ports(self) -> list[int]:
        """The ports listened on, once `started`."""
        return [sock.getsockname()[1] for server in self.servers for sock in server.sockets]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._tell_started is not None:
            self._tell_started(self)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle signals in the loop, where a drain can begin."""
        loop = asyncio.get_running_loop()
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for number in SIGNALS:
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Begin to end; called again, end at once."""
        if self._draining is None and self.started:
            self._draining = asyncio.ensure_future(self._drain())
        else:
            self.should_exit = self.force_exit = True

    async def _drain(self) -> None:
        for server in self.servers:
            server.close()
        log.info("draining", extra={"seconds": self._drain_seconds, "connections": self._node.connections})
        try:
            await self._node.drain(self._drain_seconds)
        finally:
            self.should_exit = True


async def serve(
    node: Node,
    app: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    sockets: Sequence[socket.socket] | None = None,
    drain_seconds: float = DRAIN_SECONDS,
    started: Callable[[TidingsServer], None] | None = None,
    **settings: Any,
) -> None:
    """Start a node, serve it until a signal or `TidingsServer.stop`, drain, stop.

    sockets: ready ones instead of host and port. drain_seconds: over which clients are sent away.
    started: told when the server listens.
    Raises EngineError, SourceError, ConfigError; OSError when the address is taken.
    """
    config = uvicorn_config(app, host=host, port=port, **settings)
    server = TidingsServer(config, node, drain_seconds=drain_seconds, started=started)
    own = list(sockets) if sockets is not None else bind(host, port)
    await node.start()
    try:
        gc.collect()
        gc.freeze()  # what lives as long as the process need not be looked at again
        await server.serve(sockets=own)
    finally:
        await node.stop()


def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets for each address of a host. Raises OSError when the address is taken."""
    found: list[socket.socket] = []
    addresses = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, number, _, address in dict.fromkeys(addresses):
        sock = socket.socket(family, kind, number)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            sock.bind(address)
        except OSError:
            for other in (*found, sock):
                other.close()
            raise
        sock.setblocking(False)
        found.append(sock)
    return found


def run(node: Node, app: Any, **arguments: Any) -> int:
    """`serve` in a loop of its own; returns the exit code 0."""
    run_in_loop(serve(node, app, **arguments))
    return 0


def run_in_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run to its end in the fastest loop there is."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if loop_name() == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work)
