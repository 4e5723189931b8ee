"""Secrets kept elsewhere: `env:NAME` and `file:/path` in place of a secret. Reads them; checks and prints none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tidings.config.settings import SECRET_NAMES, URL_NAMES

MAX_SECRET: Final = 4096
"""Characters of a secret file that are read: more is the wrong file."""


def resolve(tree: Any, environ: Mapping[str, str], faults: list[str], at: str = "") -> Any:
    """The tree with each secret that is a reference replaced by what it refers to.

    What cannot be found is noted in `faults`, with the reference and never the secret.
    """
    if isinstance(tree, Mapping):
        return {name: _member(name, value, environ, faults, at) for name, value in tree.items()}
    if isinstance(tree, list):
        return [resolve(item, environ, faults, f"{at}[{index}]") for index, item in enumerate(tree, 1)]
    return tree


def _member(name: str, value: Any, environ: Mapping[str, str], faults: list[str], at: str) -> Any:
    path = f"{at}.{name}" if at else name
    if name in SECRET_NAMES and isinstance(value, Mapping):
        return {inner: _secret(text, environ, faults, f"{path}.{inner}") for inner, text in value.items()}
    if name in SECRET_NAMES or name in URL_NAMES:
        return _secret(value, environ, faults, path)
    return resolve(value, environ, faults, path)


def _secret(value: Any, environ: Mapping[str, str], faults: list[str], path: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return look_up(value, environ)
    except LookupError as error:
        faults.append(f"{path}: {error.args[0]}")
        return value


def look_up(secret: str, environ: Mapping[str, str]) -> str:
    """The secret itself, or what it refers to. Raises LookupError that says what is not there."""
    kind, _, name = secret.partition(":")
    if kind == "env" and name:
        if not environ.get(name):
            raise LookupError(f"{secret}: the environment variable {name} is not set")
        return environ[name]
    if kind == "file" and name:
        try:
            with Path(name).open(encoding="utf-8") as file:
                found = file.read(MAX_SECRET).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise LookupError(f"{secret}: the file cannot be read ({_why(error)})") from error
        if not found:
            raise LookupError(f"{secret}: the file is empty")
        return found
    return secret


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is not text"
