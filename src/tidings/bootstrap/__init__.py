"""From a configuration to a running whole: engine, sources, routers, node, application, server.

The only place that knows every class. It decides what belongs together; it carries no byte itself.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from tidings.changes import Change
from tidings.config.rows import app_settings, entry_of
from tidings.config.settings import Config, ServerSettings, SourceSettings
from tidings.engines.base import Engine, OptionsOf
from tidings.engines.memory import MemoryEngine
from tidings.engines.memory.webhooks import MemoryStore
from tidings.engines.sqlite import SqliteEngine
from tidings.engines.sqlite.webhooks import SqliteStore, path_beside
from tidings.errors import ConfigError, SourceError, TidingsError
from tidings.hub.channel import DEFAULT_OPTIONS, ChannelOptions
from tidings.ids import AppId, ChannelName
from tidings.nearest import nearest
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
from tidings.sources.base import ChangeSource
from tidings.sources.router import ChangeRouter, Explained
from tidings.sources.rules import AnyRule, FunctionRule, columns_of_rules, faults_of_rules
from tidings.sources.sqlite import SqliteSource
from tidings.sources.sqlite.driver import Database, DatabaseError, Driver
from tidings.sources.sqlite.shapes import missing_table, read_shape
from tidings.sources.sqlite.triggers import TableShape
from tidings.tenants.follower import Follower
from tidings.tenants.table import AppsTable, Row

LATER: Final = ("redis", "rediss", "nats", "postgres", "postgresql")
"""Schemes that the contract names and this build has not."""

SQLITE: Final = "sqlite:///"

READ_MS: Final = 2_000
"""Milliseconds to wait for the application's lock while the columns are read."""

Columns = Mapping[str, Sequence[str]]


# ── engines


def make_engine(url: str, options: OptionsOf) -> Engine:
    """The engine that keeps the log at `url`, not yet open. Raises ConfigError for an address it does not know."""
    if url == "memory:":
        return MemoryEngine(options=options)
    return SqliteEngine(sqlite_path("engine.url", url, also="memory:"), options=options)


def sqlite_path(setting: str, url: str, *, also: str = "") -> str:
    """The file of a `sqlite:///` address: three slashes for a relative path, four for an absolute one.

    Raises ConfigError that names what there is; `also` is another address that would do.
    """
    path = url.removeprefix(SQLITE)
    known = " or ".join(filter(None, (also, f"{SQLITE}path")))
    if path != url and path:
        return path
    scheme = url.partition(":")[0]
    if scheme in LATER:
        raise ConfigError(f"{setting}: {scheme}: is not in this build yet; use {known}")
    raise ConfigError(f"{setting}: {url!r} is not an address that is known; use {known}")


# ── sources


class Feed(msgspec.Struct, frozen=True):
    """A source with the rules for its tables, and the app whose log it writes to."""

    app: AppId
    source: ChangeSource
    router: ChangeRouter


def make_feed(
    config: Config, at: int, functions: Sequence[FunctionRule] = (), *, sqlite: Driver = "auto"
) -> Feed:
    """Source number `at` with its router. Reads the tables' columns. Raises ConfigError, SourceError."""
    settings = config.sources[at]
    path = sqlite_path(f"sources[{at + 1}].url", settings.url)
    tables = tables_for(config, at, functions)
    columns = read_columns(path, tables, sqlite=sqlite)
    app = settings.app or config.apps[0].id
    limits = next(entry.limits for entry in config.apps if entry.id == app)
    router = ChangeRouter(rules_for(config, at, functions), columns, message_bytes=limits.message_bytes)
    source = SqliteSource(path, tables, name=source_name(settings), driver=sqlite)
    return Feed(AppId(app), source, router)


def rules_for(config: Config, at: int, functions: Sequence[FunctionRule] = ()) -> list[AnyRule]:
    """The rules of a source: those for its tables; where it names none, those for tables that no other names.

    Raises ConfigError when a rule's table is captured by no source.
    """
    rules: list[AnyRule] = [*config.rules, *functions]
    named = {table for source in config.sources for table in source.tables}
    strays = _strays(rules, named) if all(source.tables for source in config.sources) else []
    if strays:
        raise ConfigError("\n".join(_uncaptured(number, rule.table, named) for number, rule in strays))
    tables = config.sources[at].tables
    return [rule for rule in rules if (rule.table in tables if tables else rule.table not in named)]


def _strays(rules: Sequence[AnyRule], named: Collection[str]) -> list[tuple[int, AnyRule]]:
    """The rules whose table no source names, with their places from 1."""
    return [(number, rule) for number, rule in enumerate(rules, 1) if rule.table not in named]


def _uncaptured(number: int, table: str, named: Collection[str]) -> str:
    fix = (
        f"did you mean {near!r}?"
        if (near := nearest(table, named))
        else f"there are: {', '.join(sorted(named))}"
    )
    return (
        f"rules[{number}].table: no source captures table {table!r}; {fix} (or add it to a source's tables)"
    )


def tables_for(config: Config, at: int, functions: Sequence[FunctionRule] = ()) -> tuple[str, ...]:
    """The tables that a source captures: those it names, else those of its rules. Raises ConfigError for none."""
    rules = rules_for(config, at, functions)
    tables = config.sources[at].tables or tuple(dict.fromkeys(rule.table for rule in rules))
    if not tables:
        raise ConfigError(f"sources[{at + 1}]: nothing to capture; add [[rules]], or name its tables")
    return tables


def source_name(settings: SourceSettings) -> str:
    """The name of a source: the one set, else that of its file."""
    return settings.name or Path(settings.url).stem or "sqlite"


def read_columns(path: str, tables: Sequence[str], *, sqlite: Driver = "auto") -> Columns:
    """Each table's columns, read without changing the database. Raises SourceError that says what is missing."""
    return {table: shape.told for table, shape in read_shapes(path, tables, sqlite=sqlite).items()}


def read_shapes(path: str, tables: Sequence[str], *, sqlite: Driver = "auto") -> Mapping[str, TableShape]:
    """Each table's columns and key, read without changing the database. Raises SourceError for what is missing."""
    if not Path(path).exists():
        raise SourceError(
            f"there is no database {path}; correct the source's url, or create the database first"
        )
    try:
        # By the source's own driver: two SQLite libraries in one process would drop each other's locks on the file.
        db = Database(Path(path), create=False, busy_ms=READ_MS, driver=sqlite)
        try:
            db.run("PRAGMA query_only = 1")
            return {table: _shape(db, table) for table in tables}
        finally:
            db.close()
    except DatabaseError as error:
        raise SourceError(f"{path} cannot be read: {error}; is it an SQLite database?") from error


def _shape(db: Database, table: str) -> TableShape:
    shape = read_shape(db, table)
    if shape is None:
        raise missing_table(db, table)
    return shape


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
    faults = _tried(lambda: make_engine(config.engine_url, lambda app, channel: DEFAULT_OPTIONS))
    named = {table for source in config.sources for table in source.tables}
    strays = _strays(config.rules, named) if all(source.tables for source in config.sources) else []
    faults += [_uncaptured(number, rule.table, named) for number, rule in strays if config.sources]
    captured = msgspec.structs.replace(
        config, rules=tuple(rule for rule in config.rules if rule not in [stray for _, stray in strays])
    )
    columns: dict[str, Sequence[str]] = {}
    for at in range(len(config.sources)):
        faults += _faults_of_source(captured, at, columns, sqlite)
    for number, rule in enumerate(config.rules, 1):
        if rule.table in columns:
            faults += [
                fault.replace("rules[1]", f"rules[{number}]", 1) for fault in faults_of_rules([rule], columns)
            ]
    if config.apps_table is not None:
        faults += _faults_of_table(config, rows=rows)
    return list(dict.fromkeys(faults))


def _faults_of_table(config: Config, *, rows: bool) -> list[str]:
    """What is wrong with the table of apps and its rows, read once."""
    settings = config.apps_table
    assert settings is not None, "there is no table of apps"
    found: list[str] = []

    def read_all() -> None:
        table = AppsTable(sqlite_path("apps_table.url", settings.url), settings.table)
        try:
            found_rows = table.changed() or ()
            for row in found_rows if rows else ():
                wrong = _tried(lambda row=row: entry_of(row, config.limits))  # type: ignore[misc]
                found.extend(f"{settings.table} {row.get('id')!r}: {fault}" for fault in wrong)
        finally:
            table.close()

    return _tried(read_all) + found


def _faults_of_source(
    config: Config, at: int, columns: dict[str, Sequence[str]], sqlite: Driver
) -> Iterator[str]:
    """What is wrong with a source, each table by itself; the columns of those that are there go into `columns`."""
    try:
        path = sqlite_path(f"sources[{at + 1}].url", config.sources[at].url)
        tables = tables_for(config, at)
    except TidingsError as error:
        yield from str(error).splitlines()
        return
    for table in tables:
        try:
            columns |= read_columns(path, [table], sqlite=sqlite)
        except SourceError as error:
            places = [
                f"rules[{number}].table: " for number, r in enumerate(config.rules, 1) if r.table == table
            ]
            missing = str(error).startswith("there is no table")
            yield from (f"{place if missing else ''}{error}" for place in places or [""])


class Answer(msgspec.Struct, frozen=True):
    """What the rules make of a change. keyed: whether the table's primary key is known."""

    told: list[Explained]
    keyed: bool


def explain(config: Config, change: Change) -> Answer:
    """What each rule for its table would make of a change; nothing when there is none.

    The source that captures the table tells its columns and primary key. Where none does, the columns that the change
    and the rules name stand for the table's. Raises ConfigError, SourceError.
    """
    numbered = [(number, rule) for number, rule in enumerate(config.rules, 1) if rule.table == change.table]
    rules = [rule for _, rule in numbered]
    columns: Sequence[str] = [*(change.old or {}), *(change.new or {}), *columns_of_rules(rules)]
    for at in range(len(config.sources)):
        if change.table in tables_for(config, at):
            path = sqlite_path(f"sources[{at + 1}].url", config.sources[at].url)
            shape = read_shapes(path, [change.table])[change.table]
            columns, key = shape.told, change.key or tuple(shape.key)
            change = msgspec.structs.replace(change, key=key)
    told = ChangeRouter(rules, {change.table: columns}).explain(change)
    numbers = [number for number, _ in numbered]
    return Answer(
        [msgspec.structs.replace(one, rule=numbers[one.rule - 1]) for one in told], bool(change.key)
    )


def _tried(attempt: Callable[[], Any]) -> list[str]:
    try:
        attempt()
    except TidingsError as error:
        return str(error).splitlines()
    return []
