"""Apps: tenants with their keys, channel options and, on this node, their hub. Holds no session's state."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from tidings.errors import Disconnect, Refusal
from tidings.filters import matches
from tidings.hub.channel import ChannelOptions, Retention
from tidings.hub.hub import Hub
from tidings.hub.sendqueue import Outlet
from tidings.ids import AppId, ChannelName, SessionId
from tidings.messages import Message
from tidings.node.limits import Limits
from tidings.node.quotas import Quotas, Usage
from tidings.node.webhooks.settings import WebhookSettings

if TYPE_CHECKING:
    from tidings.node.session import Session

MAX_REMEMBERED_OPTIONS: Final = 10_000
"""Channel names whose options are remembered: working them out again is cheap, a hostile stream of names is not."""

MAX_REMEMBERED_SIGNATURES: Final = 200_000
"""Signatures of requests kept against replay: 300 a second over Pusher's window. Above it the oldest is forgotten."""


HONEST_REPEAT_SECONDS: Final = 2.0
"""Pusher's SDKs sign with a clock of whole seconds, so an app that sends one event twice in a second sends the same
signature twice. That is not a replay; the same bytes seconds later are."""


class _Accepted(msgspec.Struct, frozen=True):
    """A signature that was accepted: when, until when it is remembered, and with which idempotency key."""

    at: float
    expires: float
    key: str | None


MASK: Final = "••••••••"
"""Stands for a secret wherever settings are shown."""


class ChannelRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[channels]]` of the configuration: what channels that match are allowed beyond their name's defaults."""

    match: str
    require_auth: bool | None = None
    cache: bool | None = None
    cache_seconds: float | None = None
    ephemeral: bool | None = None
    history: Retention | None = None


class AppSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is configured of an app. `keys` maps key to secret, newest first."""

    id: AppId
    keys: Mapping[str, str]
    jwt_secret: str | None = None
    enabled: bool = True
    client_events: bool = True
    subscription_count: bool = False
    watchlist: bool = True
    require_sign_in: bool = False
    origins: tuple[str, ...] = ()
    channels: tuple[ChannelRule, ...] = ()
    limits: Limits = Limits()
    quotas: Quotas = Quotas()
    webhooks: tuple[WebhookSettings, ...] = ()

    def __repr__(self) -> str:
        """Without secrets: settings end up in logs and tracebacks."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        fields["keys"] = dict.fromkeys(self.keys, MASK)
        if self.jwt_secret is not None:
            fields["jwt_secret"] = MASK
        return f"AppSettings({', '.join(f'{name}={value!r}' for name, value in fields.items())})"


class App:
    """One tenant on this node.

    by_name: the options that a channel has by its name alone (`private-`, `presence-`, `cache-` …).
    counted: told of each channel's subscribers, before and after.
    """

    def __init__(
        self,
        settings: AppSettings,
        by_name: Callable[[str], ChannelOptions],
        schedule: Callable[[Hub], None],
        counted: Callable[[App, ChannelName, int, int], None] | None = None,
        on_fault: Callable[[App, Message, list[Outlet], Exception], None] | None = None,
    ) -> None:
        self.settings = settings
        self.hub = Hub(
            lambda: schedule(self.hub),
            counted=None if counted is None else partial(counted, self),
            on_fault=None if on_fault is None else partial(on_fault, self),
        )
        self.sessions: dict[SessionId, Session] = {}
        self.usage = Usage()
        self.waiting = 0  # polls
        self._by_name = by_name
        self._options: OrderedDict[str, ChannelOptions] = OrderedDict()
        self._signatures: OrderedDict[str, _Accepted] = OrderedDict()

    @property
    def id(self) -> AppId:
        return self.settings.id

    @property
    def keys(self) -> Mapping[str, str]:
        return self.settings.keys

    @property
    def secrets(self) -> Mapping[str, str]:
        return self.settings.keys

    @property
    def enabled(self) -> bool:
        return self.settings.enabled

    @property
    def limits(self) -> Limits:
        return self.settings.limits

    @property
    def client_events(self) -> bool:
        return self.settings.client_events

    @property
    def origins(self) -> tuple[str, ...]:
        return self.settings.origins

    @property
    def jwt_secret(self) -> str | None:
        return self.settings.jwt_secret

    @property
    def max_data_bytes(self) -> int:
        return self.settings.limits.message_bytes

    @property
    def max_channel_name(self) -> int:
        return self.settings.limits.channel_name

    @property
    def max_event_name(self) -> int:
        return self.settings.limits.event_name

    @property
    def max_channels(self) -> int:
        return self.settings.limits.publish_channels

    @property
    def max_batch(self) -> int:
        return self.settings.limits.batch

    @property
    def quotas(self) -> Quotas:
        return self.settings.quotas

    @property
    def connected(self) -> int:
        """Clients that take a place: sessions of all protocols, and polls that wait."""
        return len(self.sessions) + self.waiting

    def change(self, settings: AppSettings) -> None:
        """Go on by other settings. What a session was given when it came (buffer, frame size) stays with it."""
        if settings.limits != self.settings.limits:
            for session in self.sessions.values():
                session.events = None  # made anew at the next client event, by its new rate
        self.settings = settings
        self._options.clear()

    def options(self, channel: ChannelName) -> ChannelOptions:
        """What the channel allows and keeps: its name's defaults, then each matching rule in order."""
        options = self._options.get(channel)
        if options is None:
            options = apply_rules(self._by_name(channel), channel, self.settings.channels)
            self._options[channel] = options
            if len(self._options) > MAX_REMEMBERED_OPTIONS:
                self._options.popitem(last=False)
        return options

    def accept_signature(self, signature: str, *, now: float, expires: float, key: str | None = None) -> bool:
        """Note a request's signature until it expires; False when it was accepted before.

        With the same idempotency key it is a retry and True: the key makes it one message. Without one it is True for
        `HONEST_REPEAT_SECONDS`. Else it is a replay; another key does not help, because the key itself is not signed.
        """
        while self._signatures:
            oldest, first = next(iter(self._signatures.items()))
            if first.expires > now and len(self._signatures) < MAX_REMEMBERED_SIGNATURES:
                break
            del self._signatures[oldest]
        known = self._signatures.get(signature)
        if known is None:
            self._signatures[signature] = _Accepted(now, expires, key)
            return True
        if key is None and known.key is None:
            return now - known.at <= HONEST_REPEAT_SECONDS
        return key == known.key


def apply_rules(options: ChannelOptions, channel: str, rules: Iterable[ChannelRule]) -> ChannelOptions:
    """Lay the rules that match a channel over its options; the later rule wins."""
    for rule in rules:
        if not matches(rule.match, channel):
            continue
        given = {
            name: value
            for name in ("require_auth", "cache", "cache_seconds", "ephemeral", "history")
            if (value := getattr(rule, name)) is not None
        }
        options = msgspec.structs.replace(options, **given)
    return options


class Apps:
    """The apps of a node, by id and by key. They may come and go while it runs."""

    def __init__(self, apps: Iterable[App]) -> None:
        self._by_id: dict[AppId, App] = {}
        self._by_key: dict[str, App] = {}
        for app in apps:
            self.add(app)

    def __iter__(self) -> Iterator[App]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def default(self) -> App:
        """The first app: the one meant where a request names none. Raises Refusal `unknown_app` when there is none."""
        for app in self._by_id.values():
            return app
        raise Refusal("unknown_app", field="app", detail="this server has no app")

    def add(self, app: App) -> None:
        """Take an app in. Raises ValueError when its id or one of its keys is another's."""
        if app.id in self._by_id:
            raise ValueError(f"there is an app {app.id} already")
        self._claim(app, app.keys)
        self._by_id[app.id] = app

    def change(self, settings: AppSettings) -> App:
        """Give an app other settings and keys. Raises KeyError for no such app, ValueError for a key of another."""
        app = self._by_id[settings.id]
        self._claim(app, settings.keys)
        app.change(settings)
        return app

    def remove(self, app_id: AppId) -> App:
        """Take an app out; its sessions are the caller's matter. Raises KeyError."""
        app = self._by_id.pop(app_id)
        self._by_key = {key: owner for key, owner in self._by_key.items() if owner is not app}
        return app

    def _claim(self, app: App, keys: Iterable[str]) -> None:
        for key in keys:
            if self._by_key.get(key, app) is not app:
                raise ValueError(f"the key {key!r} belongs to another app")
        kept = {key: owner for key, owner in self._by_key.items() if owner is not app}
        self._by_key = kept | dict.fromkeys(keys, app)

    def get(self, app_id: str) -> App | None:
        return self._by_id.get(AppId(app_id))

    def by_id(self, app_id: str) -> App:
        """Raises Refusal `unknown_app` or `app_disabled`."""
        app = self._by_id.get(AppId(app_id))
        if app is None:
            raise Refusal("unknown_app", field="app_id")
        if not app.enabled:
            raise Refusal("app_disabled", field="app_id")
        return app

    def by_key(self, key: str) -> App:
        """Raises Disconnect `app_gone` or `app_off`."""
        app = self._by_key.get(key)
        if app is None:
            raise Disconnect("app_gone", field="key")
        if not app.enabled:
            raise Disconnect("app_off", field="key")
        return app

    def named(self, key: str | None) -> App:
        """The app of a key, or the default one. Raises Refusal `unknown_app` or `app_disabled`."""
        app = self.default if key is None else self._by_key.get(key)
        if app is None:
            raise Refusal("unknown_app", field="app")
        return self.by_id(app.id)
