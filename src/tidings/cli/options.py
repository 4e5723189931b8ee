"""The flags that several commands share: their types with help texts, and what they make of the configuration."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from cyclopts import Parameter

from tidings.cli import WrongUsage
from tidings.cli.local_app import find_app
from tidings.config.layers import Origin, read_flags
from tidings.config.loading import Loaded, load
from tidings.config.settings import AppEntry
from tidings.errors import ConfigError

ConfigFile = Annotated[
    Path | None,
    Parameter(help="Settings to read; without it `tidings.toml` where it exists. [env: TIDINGS_CONFIG]"),
]
Host = Annotated[str | None, Parameter(help="Address to listen on; default 127.0.0.1. [env: TIDINGS_HOST]")]
Port = Annotated[int | None, Parameter(help="TCP port; default 8000. [env: TIDINGS_PORT]")]
Data = Annotated[
    Path | None,
    Parameter(help="Folder for the log and the keys; default ./tidings-data. [env: TIDINGS_DATA]"),
]
Engine = Annotated[
    str | None,
    Parameter(help="What keeps the log: `memory:` or `sqlite:///path`. [env: TIDINGS_ENGINE]"),
]
Sources = Annotated[
    list[str] | None,
    Parameter(
        name="--source",
        negative=(),
        help="Database whose rows to follow: `postgresql://user@host/database`, `sqlite:///app.db`, or `env:NAME` of"
        " a variable that holds one. May repeat. [env: TIDINGS_SOURCE]",
    ),
]
Apps = Annotated[
    list[str] | None,
    Parameter(name="--app", negative=(), help="An app, ID:KEY:SECRET. May repeat. [env: TIDINGS_APP]"),
]
Url = Annotated[
    str | None,
    Parameter(help="Address of the server; default: port 8000 of this computer, or as configured."),
]

EVERYWHERE: Final = frozenset({"0.0.0.0", "::", "", "*"})
"""Addresses to listen on that nobody can call."""

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ServerFlags:
    """What a server can be given on the command line; `config` shows and checks the same."""

    config: ConfigFile = None
    host: Host = None
    port: Port = None
    data: Data = None
    engine: Engine = None
    source: Sources = None
    app: Apps = None

    def load(self) -> Loaded:
        """The configuration in force under these flags. Raises ConfigError."""
        return load_settings(
            config=self.config,
            host=self.host,
            port=self.port,
            data=self.data,
            engine=self.engine,
            source=self.source,
            app=self.app,
        )


def load_settings(
    *,
    config: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    data: Path | None = None,
    engine: str | None = None,
    source: list[str] | None = None,
    app: list[str] | None = None,
) -> Loaded:
    """The configuration in force under these flags. Raises ConfigError."""
    flags = read_flags(
        host=host,
        port=port,
        data=None if data is None else str(data),
        engine=engine,
        sources=source or (),
        apps=app or (),
    )
    return load(file=config, environ=os.environ, flags=flags)


def with_app(loaded: Loaded, app: AppEntry) -> Loaded:
    """The same configuration with an app from the data folder."""
    origin = Origin(f"data folder {loaded.config.server.data}")
    limited = msgspec.structs.replace(app, limits=loaded.config.limits)
    return Loaded(
        msgspec.structs.replace(loaded.config, apps=(limited,)),
        {**loaded.origins, **{f"apps[1].{name}": origin for name in ("id", "key", "secret", "jwt_secret")}},
    )


def with_kept_app(loaded: Loaded) -> Loaded:
    """The configuration, with the app of the data folder when it names none and there is one."""
    if loaded.config.apps:
        return loaded
    found = find_app(Path(loaded.config.server.data))
    return loaded if found is None else with_app(loaded, found)


def first_app(loaded: Loaded) -> AppEntry:
    """The app to act for. Raises ConfigError when there is none."""
    apps = with_kept_app(loaded).config.apps
    if not apps:
        raise ConfigError(
            f"no app: name one with --app ID:KEY:SECRET, or run beside the data folder of the server"
            f" (looked in {loaded.config.server.data}; --data names another)"
        )
    return apps[0]


def server_url(url: str | None, loaded: Loaded) -> str:
    """The address that was given, else where a server with this configuration would listen here.

    Without a scheme it is http. Raises WrongUsage for what is no address of a server.
    """
    if url is not None:
        return _checked(url if _URL.match(url) else f"http://{url}").rstrip("/")
    server = loaded.config.server
    return f"http://{callable_host(server.host)}:{server.port}"


def callable_host(host: str) -> str:
    """The host by which this computer can call a server that listens on `host`, as it stands in a URL."""
    name = "127.0.0.1" if host in EVERYWHERE else host
    return f"[{name}]" if ":" in name else name


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise WrongUsage(f"--url {url}: it is no address of a server; give one such as http://127.0.0.1:8000")
    return url
