"""From a configuration to a running whole: engine, sources, routers, node, application, server.

The only place that knows every class. It decides what belongs together; it carries no byte itself.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tidings.bootstrap.addresses import sqlite_path
from tidings.bootstrap.feeds import make_feed
from tidings.bootstrap.questions import explain, faults_of_apps_table, faults_of_sources, tried
from tidings.config.rows import app_settings, entry_of
from tidings.config.settings import Config, ServerSettings
from tidings.engines.base import Engine, OptionsOf
from tidings.engines.memory import MemoryEngine
from tidings.engines.memory.webhooks import MemoryStore
from tidings.engines.sqlite import SqliteEngine
from tidings.engines.sqlite.webhooks import SqliteStore, path_beside
from tidings.errors import ConfigError
from tidings.hub.channel import DEFAULT_OPTIONS, ChannelOptions
from tidings.ids import AppId, ChannelName
from tidings.node.apps import AppSettings
from tidings.node.node import Node
from tidings.node.webhooks.sender import Sender
from tidings.node.webhooks.service import Webhooks
from tidings.node.webhooks.store import Store
from tidings.protocols.pusher.api import ROUTES
from tidings.protocols.pusher.names import default_options
from tidings.protocols.pusher.signatures import sign_webhook
from tidings.protocols.pusher.webhooks_api import webhook_routes
from tidings.server import lifecycle
from tidings.server.app import TidingsApp, create_app
from tidings.sources.rules import FunctionRule
from tidings.sources.sqlite.driver import Driver
from tidings.tenants.follower import Follower
from tidings.tenants.table import AppsTable, Row

__all__ = [
    "Assembly",
    "assemble",
    "check",
    "claim",
    "explain",
    "make_engine",
    "make_follower",
    "make_node",
    "make_webhooks",
    "options_by_name",
    "serve",
]


# ── engines


def make_engine(url: str, options: OptionsOf) -> Engine:
    """The engine that keeps the log at `url`, not yet open. Raises ConfigError for an address it does not know."""
    if url == "memory:":
        return MemoryEngine(options=options)
    return SqliteEngine(sqlite_path("engine.url", url, also="memory:"), options=options)


# ── the node and what stands before it


class Assembly(msgspec.Struct, frozen=True):
    """The parts that belong together, not yet started."""

    config: Config
    node: Node
    app: TidingsApp


def assemble(
    config: Config, *, functions: Sequence[FunctionRule] = (), extra: Any = None, sqlite: Driver = "auto"
) -> Assembly:
    """Put a node and its ASGI application together. extra: an ASGI application for the paths that are not ours.

    sqlite: the library to open sources with. It must be the one that this process writes the same files with, or they
    drop each other's locks; `auto` asks what has been imported.

    Opens nothing but the sources' databases, for their columns. Raises ConfigError, SourceError.
    """
    if not config.apps and config.apps_table is None:
        raise ConfigError("apps: there is none; add [[apps]] or --app ID:KEY:SECRET")
    node = make_node(config)
    for at in range(len(config.sources)):
        feed = make_feed(config, at, functions, sqlite=sqlite)
        node.add_source(feed.app, feed.source, feed.router)
    if config.apps_table is not None:
        node.attach(make_follower(config, node, sqlite=sqlite))
    webhooks = make_webhooks(node)
    app = create_app(
        node,
        routes=(*ROUTES, *webhook_routes(webhooks)),
        extra=extra,
        hosts=config.server.allowed_hosts,
        trusted_proxies=config.server.trusted_proxies,
    )
    return Assembly(config, node, app)


def make_node(config: Config) -> Node:
    """The node with its engine and apps, without sources. Raises ConfigError."""
    node: Node

    def options(app: AppId, channel: ChannelName) -> ChannelOptions:
        tenant = node.apps.get(app)
        return DEFAULT_OPTIONS if tenant is None else tenant.options(channel)

    node = Node(
        [app_settings(entry, config.channels) for entry in config.apps],
        make_engine(config.engine_url, options),
        by_name=options_by_name,
        limits=config.limits,
    )
    return node


def make_webhooks(node: Node) -> Webhooks:
    """The webhooks of a node, attached to it: kept where and as long as the log is."""
    engine = node.engine
    store: Store = MemoryStore()
    if isinstance(engine, SqliteEngine):
        store = SqliteStore(path_beside(engine.path))
    webhooks = Webhooks(node, store, lambda: Sender(sign_webhook))
    node.observe(webhooks.observe)
    node.attach(webhooks)
    return webhooks


def make_follower(config: Config, node: Node, *, sqlite: Driver = "auto") -> Follower:
    """What keeps the node's apps as the table of apps has them. Raises ConfigError for an address it does not know."""
    settings = config.apps_table
    assert settings is not None, "there is no table of apps"
    path = sqlite_path("apps_table.url", settings.url)

    def read(row: Row) -> AppSettings:
        return app_settings(entry_of(row, config.limits), config.channels)

    return Follower(
        node,
        AppsTable(path, settings.table, driver=sqlite),
        read,
        fixed=[AppId(entry.id) for entry in config.apps],
        poll=settings.poll_seconds,
    )


def options_by_name(name: str) -> ChannelOptions:
    """What a channel allows by its name alone. The names are Pusher's, and hold on every protocol."""
    return msgspec.convert(default_options(name), ChannelOptions, from_attributes=True)


def claim(server: ServerSettings) -> list[socket.socket]:
    """Take the server's address before anything else is made. Raises ConfigError when that cannot be."""
    try:
        return lifecycle.bind(server.host, server.port)
    except OSError as error:
        raise ConfigError(_unbound(server.host, server.port, error)) from error


async def serve(
    assembly: Assembly,
    *,
    sockets: Sequence[socket.socket] | None = None,
    started: Callable[[], None] | None = None,
) -> None:
    """Serve until a signal, drain, stop. started: told when the server listens. sockets: what `claim` gave.

    Raises EngineError, SourceError; ConfigError when the address cannot be listened on.
    """
    server = assembly.config.server
    claimed = list(sockets) if sockets is not None else claim(server)
    try:
        await lifecycle.serve(
            assembly.node,
            assembly.app,
            sockets=claimed,
            drain_seconds=server.drain_seconds,
            started=None if started is None else lambda _: started(),
            root_path=server.path_prefix,
        )
    finally:
        for sock in claimed:
            sock.close()


def _unbound(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = f"--port {port + 206 if port < 65_000 else 8206}"
        return (
            f"port {port} of {host} is in use by another program; choose another with --port, such as {other}"
        )
    if error.errno == errno.EACCES:
        return f"port {port} needs rights that this user lacks; choose one above 1023 with --port"
    return f"cannot listen on {host}:{port}: {error.strerror or error}; check --host and --port"


# ── questions that need the parts


def check(config: Config, *, sqlite: Driver = "auto", rows: bool = True) -> list[str]:
    """Every fault that only the parts can see: addresses, databases, rules against tables. Nothing is changed.

    rows: also those of single rows of the apps table, which at start concern their own app alone.
    """
    faults = tried(lambda: make_engine(config.engine_url, lambda app, channel: DEFAULT_OPTIONS))
    faults += faults_of_sources(config, sqlite)
    if config.apps_table is not None:
        faults += faults_of_apps_table(config, rows=rows)
    return list(dict.fromkeys(faults))
