"""The layers a configuration is made of (file, environment, flags) and how one lies over the other. Checks no value."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from tidings.config.settings import app_from_flag
from tidings.errors import ConfigError

DEFAULT_FILE: Final = Path("tidings.toml")
"""Read when it exists and no other file is named."""

PREFIX: Final = "TIDINGS_"

SHORT_NAMES: Final[Mapping[str, str]] = {
    "HOST": "server.host",
    "PORT": "server.port",
    "DATA": "server.data",
    "ENGINE": "engine.url",
    "SOURCE": "sources",
    "APP": "apps",
}
"""Variables named like flags, and the setting that each one is. `TIDINGS_CONFIG` names the file."""

_OF_ORCHESTRATOR: Final = re.compile(r"TIDINGS_(SERVICE_|PORT_[0-9])")
"""Kubernetes gives these to every container beside a service called `tidings`; they are not meant for us."""


class Origin(msgspec.Struct, frozen=True):
    """Where a value came from. `text`: its values are all texts and are read leniently (environment)."""

    name: str
    text: bool = False


class Layer(msgspec.Struct, frozen=True):
    """Settings from one place: a tree as TOML gives it, and for each path of it the origin."""

    tree: Mapping[str, Any] = {}
    origins: Mapping[str, Origin] = {}


def read_file(path: Path | None) -> Layer:
    """The layer of a TOML file; of `tidings.toml` when none is named, or none at all where that is missing.

    Raises ConfigError when a named file cannot be read, or is not TOML.
    """
    if path is None:
        if not DEFAULT_FILE.exists():
            return Layer()
        path = DEFAULT_FILE
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; check --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    return Layer(tree, {at: Origin(f"file {path}") for at in paths_of(tree)})


def read_environment(environ: Mapping[str, str]) -> Layer:
    """The layer of the variables that begin with `TIDINGS_`; `__` stands for the dot in a setting's name.

    Raises ConfigError when TIDINGS_APP is not of the form of `--app`.
    """
    tree: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name == f"{PREFIX}CONFIG" or _of_orchestrator(name, environ[name]):
            continue
        setting = setting_of(name)
        branch = {setting: environ[name]} if "." not in setting else _nest(setting, environ[name])
        if setting == "sources":
            branch = {"sources": [{"url": url} for url in split(environ[name])]}
        elif setting == "apps":
            branch = {"apps": [_app(text, name) for text in split(environ[name])]}
        tree = merge(tree, branch)
        origins |= {at: Origin(f"env {name}", text=True) for at in paths_of(branch)}
    return Layer(tree, origins)


def setting_of(variable: str) -> str:
    """The dotted name of the setting that an environment variable means."""
    short = variable.removeprefix(PREFIX)
    return SHORT_NAMES.get(short) or short.lower().replace("__", ".")


def read_flags(
    *,
    host: str | None = None,
    port: int | None = None,
    data: str | None = None,
    engine: str | None = None,
    sources: Sequence[str] = (),
    apps: Sequence[str] = (),
) -> Layer:
    """The layer of the flags that were given. Raises ConfigError for an app that is not ID:KEY:SECRET."""
    server = {"host": host, "port": port, "data": data}
    tree: dict[str, Any] = {}
    if given := {name: value for name, value in server.items() if value is not None}:
        tree["server"] = given
    if engine is not None:
        tree["engine"] = {"url": engine}
    if sources:
        tree["sources"] = [{"url": url} for url in sources]
    if apps:
        tree["apps"] = [_app(text, "--app") for text in apps]
    flags = {setting: f"flag --{name.lower()}" for name, setting in SHORT_NAMES.items()}
    return Layer(tree, {at: Origin(flags[_longest(at, flags)]) for at in paths_of(tree)})


def overlay(layers: Sequence[Layer]) -> Layer:
    """One layer out of many: the later one wins, table by table; a list is taken whole from the last that has it."""
    tree: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for layer in layers:
        tree = merge(tree, layer.tree)
        lists = {at for at in layer.origins if "[" not in at and isinstance(_at(layer.tree, at), list)}
        origins = {at: o for at, o in origins.items() if at.split("[")[0] not in lists}
        origins |= layer.origins
    return Layer(tree, origins)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one tree over another. Tables merge; everything else is replaced."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            value = merge(under, value)
        merged[name] = value
    return merged


def paths_of(tree: Any, at: str = "") -> Iterator[str]:
    """Every path in a tree: `server`, `server.port`, `apps`, `apps[1].key` …"""
    if at:
        yield at
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from paths_of(value, f"{at}.{name}" if at else name)
    elif isinstance(tree, list):
        for index, value in enumerate(tree, 1):
            yield from paths_of(value, f"{at}[{index}]")


def split(text: str) -> list[str]:
    """The parts of a comma-separated text, without blanks and empty ones."""
    return [part for part in (part.strip() for part in text.split(",")) if part]


def _app(text: str, where: str) -> dict[str, Any]:
    try:
        return app_from_flag(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def _of_orchestrator(name: str, value: str) -> bool:
    return _OF_ORCHESTRATOR.match(name) is not None or (name == "TIDINGS_PORT" and value.startswith("tcp://"))


def _nest(setting: str, value: str) -> dict[str, Any]:
    branch: Any = value
    for name in reversed(setting.split(".")):
        branch = {name: branch}
    return dict(branch)


def _longest(at: str, flags: Mapping[str, str]) -> str:
    """The flag's setting that lies at `at`, above it or below it."""
    bare = at.split("[")[0]
    return next(setting for setting in flags if setting == bare or setting.startswith(f"{bare}."))


def _at(tree: Mapping[str, Any], path: str) -> Any:
    value: Any = tree
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
