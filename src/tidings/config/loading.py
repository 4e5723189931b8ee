"""Reads the whole configuration: layers, secrets, types, checks. Tells all faults at once; opens nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tidings.config.checks import faults_of
from tidings.config.layers import Layer, Origin, overlay, read_environment, read_file
from tidings.config.reading import Reader
from tidings.config.references import resolve
from tidings.config.settings import Config
from tidings.errors import ConfigError


class Loaded(msgspec.Struct, frozen=True):
    """A configuration and, for each path of it that was set, where it came from."""

    config: Config
    origins: Mapping[str, Origin] = {}


class Faults(ConfigError):
    """All that is wrong with a configuration, one line each in `lines`."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
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
    tree = resolve(_with_shared_limits(layer.tree), environ, reader.faults)
    config: Config = reader.struct(Config, tree, "")
    if reader.faults:
        raise Faults(reader.faults)
    if faults := faults_of(config):
        raise Faults(faults)
    return config


def _with_shared_limits(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """`[limits]` is what an app's own limits are laid over."""
    shared, apps = tree.get("limits"), tree.get("apps")
    if not isinstance(shared, Mapping) or not isinstance(apps, list):
        return tree
    return {**tree, "apps": [_with_limits(app, shared) for app in apps]}


def _with_limits(app: Any, shared: Mapping[str, Any]) -> Any:
    if not isinstance(app, Mapping) or not isinstance(app.get("limits", {}), Mapping):
        return app
    return {**app, "limits": {**shared, **app.get("limits", {})}}
