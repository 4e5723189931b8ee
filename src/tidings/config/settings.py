"""Every setting as frozen data, by the names of `tidings.toml`. Holds no reading and no rule between settings.

docs/reference/configuration.md is made from these structs: a field's docstring is its description there.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from tidings.config.urls import without_password
from tidings.node.apps import MASK, ChannelRule
from tidings.node.limits import Limits
from tidings.node.quotas import Quotas
from tidings.node.webhooks.settings import WebhookSettings
from tidings.sources.rules import Rule

SECRET_NAMES: Final = frozenset({"secret", "jwt_secret", "headers"})
"""Settings that are never printed, and that may be references: `env:NAME` or `file:/path`. Of `headers`, each value."""

URL_NAMES: Final = frozenset({"url"})
"""Settings that may hold a password within: shown without it, and may be references too."""

LOG_FILE: Final = "log.db"
"""The default engine's file in the data folder."""

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: no key beyond its fields, and no secret in its `repr`."""

    def __repr__(self) -> str:
        shown = (f"{name}={_shown(name, getattr(self, name))}" for name in self.__struct_fields__)
        return f"{type(self).__name__}({', '.join(shown)})"


def _shown(name: str, value: Any) -> str:
    if name in SECRET_NAMES and value is not None:
        return MASK
    return repr(without_password(value) if name in URL_NAMES and isinstance(value, str) else value)


class ServerSettings(_Table, frozen=True):
    """Where the server listens and how it ends."""

    host: str = "127.0.0.1"
    """Address to listen on. `0.0.0.0` or `::` for all: then put a proxy with TLS in front."""
    port: Port = 8000
    """TCP port."""
    data: str = "tidings-data"
    """Folder of the default log and of the app that is made when none is configured."""
    drain_seconds: Seconds = 10.0
    """Seconds over which clients are sent away after SIGTERM, so that they do not all come back at once."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose `X-Forwarded-For` is believed."""
    allowed_hosts: tuple[str, ...] = ()
    """Names that the `Host` header may hold, `*` as wildcard; empty: any."""
    path_prefix: str = ""
    """The path in front of ours, such as `/live`, cut off by a proxy or not; signatures are over the whole path."""
    log_format: Literal["auto", "console", "json"] = "auto"
    """How the server writes its own log on standard error; `auto`: console on a terminal, else JSON."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe entries that are written."""


class EngineSettings(_Table, frozen=True):
    """What keeps the log."""

    url: str | None = None
    """`memory:` or `sqlite:///path`. Without it: `log.db` in the data folder."""


class SourceSettings(_Table, frozen=True):
    """A database whose committed rows become messages by the rules."""

    url: str
    """`sqlite:///file.db` (four slashes for an absolute path) or `postgresql://user@host/database`; `env:NAME` and
    `file:/path` read it from elsewhere, and no command shows a password in it."""
    tables: tuple[str, ...] = ()
    """Tables to capture, `sales.orders` outside of public; empty: those that the rules name. The outbox always."""
    name: str | None = None
    """What metrics, logs, message ids and the replication slot call it; without it: the file's or database's name."""
    app: str | None = None
    """Id of the app whose log gets the messages; without it: the first app."""
    old_rows: Literal["required", "known"] = "required"
    """Where Postgres does not tell the row before a change: `required` refuses rules that need it. `known` does with
    what is told: an update goes to the new channel alone, and a delete whose channel is not known is `reset`."""
    max_behind_bytes: Annotated[int, msgspec.Meta(ge=1)] = 256 << 20
    """Postgres: bytes of its log that may wait for us before the node is not ready."""
    max_retained_bytes: Annotated[int, msgspec.Meta(ge=1)] = 4 << 30
    """Postgres: bytes of its log that it may keep for us before the node is not ready."""


class KeyPair(_Table, frozen=True):
    """A key and its secret."""

    key: str
    """Public: clients name it to say which app they mean."""
    secret: str
    """Signs. `env:NAME` or `file:/path` read it from elsewhere."""


class AppEntry(_Table, frozen=True):
    """An app: one tenant with its own log, keys and limits."""

    id: str
    """In paths and logs: letters, digits, `_`, `-`. Pusher's SDKs want digits."""
    key: str | None = None
    """Public: clients name it to say which app they mean."""
    secret: str | None = None
    """Signs for `key`. `env:NAME` or `file:/path` read it from elsewhere."""
    keys: tuple[KeyPair, ...] = ()
    """More keys, all valid at once: for changing a key without a break."""
    jwt_secret: str | None = None
    """Checks tokens (HS256). Without it tokens are refused."""
    jwks_url: str | None = None
    """Where to fetch keys that check tokens. Accepted, and without effect in this version."""
    enabled: bool = True
    """Off: its clients and requests are refused, its log stays."""
    client_events: bool = True
    """Whether clients may send `client-` events on private and presence channels."""
    subscription_count: bool = False
    """Tell the subscribers of a channel that is no presence channel how many they are, each time that changes."""
    watchlist: bool = True
    """Tell signed-in users which of those they watch come and go."""
    require_sign_in: bool = False
    """Whether to end a connection that within `sign_in_seconds` has neither signed in nor joined a channel by proof."""
    origins: tuple[str, ...] = ()
    """Web origins that may connect, `*` as wildcard; empty: any, and with cookies only the server's own."""
    webhooks: tuple[WebhookSettings, ...] = ()
    """URLs that are told what happens in the app."""
    limits: Limits = Limits()
    """Bounds of this app where they differ from `[limits]`."""
    quotas: Quotas = Quotas()
    """What this app may use of the node: connections, messages a day."""

    def pairs(self) -> dict[str, str]:
        """Key to secret, the one to sign with first."""
        first = {self.key: self.secret} if self.key is not None and self.secret is not None else {}
        return first | {pair.key: pair.secret for pair in self.keys}


class AppsTable(_Table, frozen=True):
    """A SQL table of apps, read again while the server runs. Apps of `[[apps]]` stand beside it and win over it."""

    url: str
    """`sqlite:///file.db`: three slashes for a relative path, four for an absolute one."""
    table: str = "tidings_apps"
    """Name of the table; its columns are in docs/how-to/several-apps.md."""
    poll_seconds: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 2.0
    """Seconds between looks: within that a change takes effect."""


class Config(_Table, frozen=True):
    """The whole of `tidings.toml`."""

    server: ServerSettings = ServerSettings()
    engine: EngineSettings = EngineSettings()
    sources: tuple[SourceSettings, ...] = ()
    apps: tuple[AppEntry, ...] = ()
    apps_table: AppsTable | None = None
    """Where further apps stand, if anywhere."""
    channels: tuple[ChannelRule, ...] = ()
    rules: tuple[Rule, ...] = ()
    limits: Limits = Limits()
    """Bounds of the node, and of each app that does not state its own."""

    @property
    def engine_url(self) -> str:
        """The address of the engine: the one set, else the file in the data folder."""
        return self.engine.url or f"sqlite:///{self.server.data.rstrip('/')}/{LOG_FILE}"


def app_from_flag(text: str) -> dict[str, Any]:
    """`ID:KEY:SECRET` as an entry of `[[apps]]`. The secret may hold colons, as `env:NAME` does.

    Raises ValueError for another form; its text does not repeat the secret.
    """
    parts = text.split(":", 2)
    if len(parts) != 3 or not all(parts):
        raise ValueError("an app is given as ID:KEY:SECRET, such as 1001:my-key:my-secret")
    return dict(zip(("id", "key", "secret"), parts, strict=True))
