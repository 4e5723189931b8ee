"""The app that is made when none is configured: kept in the data folder, for its owner's eyes only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

import msgspec

from tidings.config.settings import AppEntry
from tidings.errors import ConfigError

FILE: Final = "app.json"

FIRST_ID: Final = "1001"
"""Digits, because the official SDKs insist on them."""


class _Kept(msgspec.Struct, frozen=True):
    """What the file holds."""

    id: str
    key: str
    secret: str
    jwt_secret: str


def find_app(data: Path) -> AppEntry | None:
    """The app kept in a data folder; None when there is none. Raises ConfigError when its file cannot be read."""
    path = data / FILE
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}; check its owner, or choose another --data"
        ) from error
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"{path} is damaged ({error}); restore it, or remove it to get a new app"
        ) from error
    return AppEntry(**msgspec.structs.asdict(kept))


def obtain_app(data: Path) -> AppEntry:
    """The app kept in a data folder, made with random secrets at the first call.

    Raises ConfigError when the folder cannot be written.
    """
    found = find_app(data)
    if found is not None:
        return found
    kept = _Kept(FIRST_ID, secrets.token_hex(10), secrets.token_hex(20), secrets.token_hex(32))
    make_folder(data)
    try:
        _write(data / FILE, msgspec.json.format(msgspec.json.encode(kept), indent=2))
    except OSError as error:
        raise ConfigError(_unwritable(data, error)) from error
    return AppEntry(**msgspec.structs.asdict(kept))


def make_folder(data: Path) -> None:
    """Make the data folder where it is missing. Raises ConfigError when that cannot be done or it is not writable."""
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(_unwritable(data, error)) from error
    if not os.access(data, os.W_OK | os.X_OK):
        raise ConfigError(f"cannot write to the data folder {data}; choose another with --data")


def _unwritable(data: Path, error: OSError) -> str:
    return f"cannot write to the data folder {data}: {error.strerror}; choose another with --data"


def _write(path: Path, text: bytes) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
