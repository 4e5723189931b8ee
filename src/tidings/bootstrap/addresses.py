"""Addresses of engines and databases: what stands in front of the colon, and which file is meant. Opens nothing."""

from __future__ import annotations

from typing import Final

from tidings.config.urls import without_password
from tidings.errors import ConfigError

SQLITE: Final = "sqlite:///"

POSTGRES: Final = ("postgresql://", "postgres://")

LATER: Final = ("redis", "rediss", "nats")
"""Schemes that the contract names and this build has not."""


def is_postgres(url: str) -> bool:
    """Whether an address is that of a Postgres database."""
    return url.startswith(POSTGRES)


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
    raise ConfigError(f"{setting}: {without_password(url)!r} is not an address that is known; use {known}")
