"""What must hold between settings, each of which is well formed by itself. Opens nothing and knows no adapter."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from tidings.config.settings import AppEntry, Config
from tidings.config.webhooks import faults_of_webhooks
from tidings.hub.channel import Retention
from tidings.ids import APP_ID_PATTERN
from tidings.node.limits import Limits

KEY_PATTERN: Final = re.compile(r"[A-Za-z0-9_.\-]{1,128}\Z")
"""A key stands in a path and before a colon in signatures."""

MAY_BE_ZERO: Final = frozenset({"connects_per_second"})
"""Bounds that zero switches off: behind a proxy every client may come from one address."""

_PATH_PREFIX: Final = re.compile(r"(/[A-Za-z0-9_.~\-]+)+\Z")


def faults_of(config: Config) -> list[str]:
    """Every fault, one line each, beginning with the setting."""
    return [
        *_faults_of_server(config),
        *_faults_of_apps(config.apps),
        *_faults_of_sources(config),
        *_faults_of_channels(config),
        *_not_above_zero("limits", config.limits),
    ]


def notices_of(config: Config) -> list[str]:
    """What is no fault and yet not what somebody may expect."""
    notices = [
        f"apps[{at}].{name}: accepted, but without effect in this version"
        for at, app in enumerate(config.apps, 1)
        for name, is_used in (("jwks_url", app.jwks_url is not None),)
        if is_used
    ]
    if config.rules and not config.sources:
        notices.append("rules: they have no effect without a source; add [[sources]] or --source")
    if config.sources and not config.rules:
        notices.append("sources: without [[rules]] no row change becomes a message")
    return notices


def _faults_of_server(config: Config) -> Iterator[str]:
    prefix = config.server.path_prefix
    if prefix and _PATH_PREFIX.match(prefix) is None:
        yield f"server.path_prefix: {prefix!r}: expected a path such as /live, without a slash at its end"
    for proxy in config.server.trusted_proxies:
        if not _is_network(proxy):
            yield f"server.trusted_proxies: {proxy!r}: expected an address or a network such as 10.0.0.0/8"
    if not config.server.data:
        yield "server.data: expected the name of a folder"


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _faults_of_apps(apps: tuple[AppEntry, ...]) -> Iterator[str]:
    for at, app in enumerate(apps, 1):
        yield from faults_of_app(f"apps[{at}]", app)
    yield from _twice("apps", "id", (app.id for app in apps))
    yield from _twice("apps", "key", (key for app in apps for key in _keys(app)))


def faults_of_app(name: str, app: AppEntry) -> Iterator[str]:
    """Every fault of one app by itself. name: of the setting that holds it."""
    if APP_ID_PATTERN.match(app.id) is None:
        yield f"{name}.id: {app.id!r}: expected 1 to 64 letters, digits, _ or -"
    if (app.key is None) != (app.secret is None):
        yield f"{name}: key and secret belong together, and one of them is missing"
    elif not app.pairs():
        yield f"{name}: no key; give key and secret, or keys"
    yield from _faults_of_keys(name, app)
    yield from faults_of_webhooks(f"{name}.webhooks", app.webhooks)
    yield from _not_above_zero(f"{name}.limits", app.limits)
    for quota in ("connections", "messages_per_day"):
        if getattr(app.quotas, quota) < 0:
            yield f"{name}.quotas.{quota}: expected a number above zero, or zero for no quota"


def _faults_of_keys(name: str, app: AppEntry) -> Iterator[str]:
    for key, secret in app.pairs().items():
        if KEY_PATTERN.match(key) is None:
            yield f"{name}: key {key!r}: expected 1 to 128 letters, digits, _, - or ."
        if not secret:
            yield f"{name}: the secret of key {key!r} is empty"
    if app.jwt_secret == "":
        yield f"{name}.jwt_secret: it is empty"


def _keys(app: AppEntry) -> list[str]:
    return [*([app.key] if app.key is not None else []), *(pair.key for pair in app.keys)]


def _faults_of_sources(config: Config) -> Iterator[str]:
    ids = {app.id for app in config.apps}
    for at, source in enumerate(config.sources, 1):
        if source.app is None and not ids and config.apps_table is not None:
            yield f"sources[{at}].app: there is no [[apps]] to write to; a source cannot write to an app of apps_table"
        if source.app is not None and source.app not in ids:
            known = ", ".join(sorted(ids)) or "none"
            yield f"sources[{at}].app: no app has the id {source.app!r}; known are {known}"
    yield from _twice("sources", "name", (source.name for source in config.sources if source.name))


def _faults_of_channels(config: Config) -> Iterator[str]:
    for at, rule in enumerate(config.channels, 1):
        if not rule.match:
            yield f"channels[{at}].match: it is empty; * stands for every channel"
        if rule.history is not None:
            yield from _not_above_zero(f"channels[{at}].history", rule.history)


def _not_above_zero(name: str, bounds: Limits | Retention) -> Iterator[str]:
    """A bound of zero or less lets nothing through: it is a slip, not a wish."""
    for field, value in msgspec.structs.asdict(bounds).items():
        if value <= 0 and not (field in MAY_BE_ZERO and value == 0):
            yield f"{name}.{field}: {value}: expected a number above zero"


def _twice(table: str, field: str, values: Iterable[str]) -> Iterator[str]:
    for value, count in Counter(values).items():
        if count > 1:
            yield f"{table}: the {field} {value!r} is given {count} times; each must be its own"
