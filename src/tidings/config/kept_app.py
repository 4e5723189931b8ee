"""The app that is made when none is configured: kept in a file of its own, for its owner's eyes only.

Holds no opinion on where that file lies: `tidings serve` has a data folder, library mode the engine's file.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

import msgspec

from tidings.config.settings import AppEntry
from tidings.errors import ConfigError

FIRST_ID: Final = "1001"
"""Digits, because the official SDKs insist on them. Fixed, since the log on disk belongs to it."""


class _Kept(msgspec.Struct, frozen=True):
    """What the file holds."""

    id: str
    key: str
    secret: str
    jwt_secret: str


def make_app() -> AppEntry:
    """An app with random secrets, kept nowhere."""
    return AppEntry(
        id=FIRST_ID,
        key=secrets.token_hex(10),
        secret=secrets.token_hex(20),
        jwt_secret=secrets.token_hex(32),
    )


def find_kept(path: Path, *, elsewhere: str) -> AppEntry | None:
    """The app kept in a file; None when there is none. elsewhere: what to do when this place is not the right one.

    Raises ConfigError when the file cannot be read.
    """
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; check its owner, or {elsewhere}") from error
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"{path} is damaged ({error}); restore it, or remove it to get a new app"
        ) from error
    return AppEntry(**msgspec.structs.asdict(kept))


def obtain_kept(path: Path, *, elsewhere: str) -> AppEntry:
    """The app kept in a file, made with random secrets at the first call, as is its folder.

    Raises ConfigError when the file cannot be read or written.
    """
    found = find_kept(path, elsewhere=elsewhere)
    if found is not None:
        return found
    made = make_app()
    kept = _Kept(made.id, str(made.key), str(made.secret), str(made.jwt_secret))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, msgspec.json.format(msgspec.json.encode(kept), indent=2))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; {elsewhere}") from error
    return made


def _write(path: Path, text: bytes) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
