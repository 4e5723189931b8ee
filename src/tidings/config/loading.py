"""Reads the whole configuration: layers, secrets, types, checks. Tells all faults at once; opens nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tidings.config.checks import faults_of
from tidings.config.layers import Layer, Origin, overlay, read_environment, read_file
from tidings.config.reading import Reader
from tidings.config.references import resolve
from tidings.config.settings import AppEntry, Config
from tidings.errors import ConfigError


class Loaded(msgspec.Struct, frozen=True):
    """A configuration and, for each path of it that was set, where it came from."""

    config: Config
    origins: Mapping[str, Origin] = {}


class Faults(ConfigError):
    """All that is wrong with a configuration, one line each in `lines`.

    readable: the configuration without the tables that could not be read, for whoever looks for further faults.
    """

    def __init__(self, lines: list[str], readable: Config | None = None) -> None:
        self.lines = lines
        self.readable = readable
        super().__init__("\n".join(lines))


def load(*, file: Path | None, environ: Mapping[str, str], flags: Layer | None = None) -> Loaded:
    """Read file, environment and flags, the later over the earlier.

    file: None for `TIDINGS_CONFIG`, else `tidings.toml` where it exists. Raises Faults, or ConfigError for a file or
    variable that cannot be read at all.
    """
    if file is None and environ.get("TIDINGS_CONFIG"):
        file = Path(environ["TIDINGS_CONFIG"])
    layer = overlay([read_file(file), read_environment(environ), flags or Layer()])
    return Loaded(read(layer, environ), layer.origins)


def read(layer: Layer, environ: Mapping[str, str]) -> Config:
    """The configuration that a layer describes. Raises Faults."""
    reader = Reader(layer.origins)
    tree = resolve(layer.tree, environ, reader.faults)
    config: Config
    config, broken = reader.whole(Config, tree)
    faults = [*reader.faults, *(fault for fault in faults_of(config) if _is_own(fault, broken))]
    if faults:
        raise Faults(faults, _without_followers(config, broken))
    return msgspec.structs.replace(config, apps=_with_shared_limits(config, tree.get("apps", ())))


def _is_own(fault: str, broken: frozenset[str]) -> bool:
    """False for a fault that is only there because a table it looks into could not be read."""
    return not ("apps" in broken and fault.startswith("sources[") and ".app:" in fault)


def _without_followers(config: Config, broken: frozenset[str]) -> Config:
    """Sources and rules are looked at together, or not at all."""
    return msgspec.structs.replace(config, sources=(), rules=()) if broken & {"sources", "rules"} else config


def _with_shared_limits(config: Config, trees: Sequence[Mapping[str, Any]]) -> tuple[AppEntry, ...]:
    """`[limits]` is what an app's own limits are laid over; after the checks, or each fault were told twice."""
    return tuple(
        msgspec.structs.replace(
            app,
            limits=msgspec.structs.replace(
                config.limits, **{name: getattr(app.limits, name) for name in tree.get("limits", ())}
            ),
        )
        for app, tree in zip(config.apps, trees, strict=True)
    )
