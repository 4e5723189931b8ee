"""From a row of the table of apps to the entry that `[[apps]]` would hold. Pure: reads no database.

Secrets are taken as they stand. In a file `env:NAME` and `file:/path` are references; from a table, which tenants may
have a hand in, they would open the server's own environment to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tidings.config.checks import faults_of_app
from tidings.config.layers import split
from tidings.config.loading import Faults
from tidings.config.reading import Reader
from tidings.config.settings import AppEntry
from tidings.ids import AppId
from tidings.node.apps import AppSettings, ChannelRule
from tidings.node.limits import Limits

JSON_COLUMNS: Final = frozenset({"keys", "limits", "quotas", "webhooks"})
FLAGS: Final = frozenset({"enabled", "client_events", "subscription_count", "watchlist", "require_sign_in"})
TEXTS: Final = frozenset({"id", "key", "secret", "jwt_secret"})
COLUMNS: Final = JSON_COLUMNS | FLAGS | TEXTS | {"origins"}
"""Columns that mean something; all but `id` may be missing, and others are passed over."""

MAX_COLUMN: Final = 64 << 10
"""Characters of one column: a row is a handful of settings."""


def entry_of(row: Mapping[str, Any], shared: Limits) -> AppEntry:
    """The entry of a row. shared: what its own limits are laid over. Raises Faults, one line for each."""
    faults: list[str] = []
    tree = {}
    for name, value in row.items():
        if name in COLUMNS and value is not None:
            tree[name] = _value(name, value, faults)
    if faults:
        raise Faults(faults)
    if isinstance(tree.get("limits", {}), Mapping):
        tree["limits"] = msgspec.structs.asdict(shared) | dict(tree.get("limits", {}))
    reader = Reader({})
    entry = reader.struct(AppEntry, tree, "")
    if reader.faults:
        raise Faults(reader.faults)
    if wrong := list(faults_of_app("row", entry)):
        raise Faults(wrong)
    assert isinstance(entry, AppEntry)
    return entry


def _value(name: str, value: Any, faults: list[str]) -> Any:
    """A column's value as TOML would have it: SQL knows neither lists nor, in SQLite, true and false."""
    if isinstance(value, str) and len(value) > MAX_COLUMN:
        faults.append(f"{name}: longer than {MAX_COLUMN} characters")
    elif name in FLAGS and value in (0, 1):
        return bool(value)
    elif name in TEXTS and isinstance(value, int):
        return str(value)  # an id of digits in a column without a type
    elif name == "origins" and isinstance(value, str) and not value.lstrip().startswith("["):
        return split(value)
    elif name in JSON_COLUMNS | {"origins"} and isinstance(value, str):
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError) as error:
            faults.append(f"{name}: not JSON: {error}")
    return value


def app_settings(entry: AppEntry, channels: tuple[ChannelRule, ...]) -> AppSettings:
    """An app as the node knows it."""
    return AppSettings(
        id=AppId(entry.id),
        keys=entry.pairs(),
        jwt_secret=entry.jwt_secret,
        enabled=entry.enabled,
        client_events=entry.client_events,
        subscription_count=entry.subscription_count,
        watchlist=entry.watchlist,
        require_sign_in=entry.require_sign_in,
        origins=entry.origins,
        channels=channels,
        limits=entry.limits,
        quotas=entry.quotas,
        webhooks=entry.webhooks,
    )
