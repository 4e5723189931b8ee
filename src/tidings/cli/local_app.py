"""Where `tidings serve` keeps the app that is made when none is configured: in the data folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tidings.config.kept_app import find_kept, obtain_kept
from tidings.config.settings import AppEntry
from tidings.errors import ConfigError

FILE: Final = "app.json"

_ELSEWHERE: Final = "choose another with --data"


def find_app(data: Path) -> AppEntry | None:
    """The app kept in a data folder; None when there is none. Raises ConfigError when its file cannot be read."""
    return find_kept(data / FILE, elsewhere=_ELSEWHERE)


def obtain_app(data: Path) -> AppEntry:
    """The app kept in a data folder, made with random secrets at the first call.

    Raises ConfigError when the folder cannot be written.
    """
    found = find_app(data)
    if found is None:
        make_folder(data)
    return found or obtain_kept(data / FILE, elsewhere=_ELSEWHERE)


def make_folder(data: Path) -> None:
    """Make the data folder where it is missing. Raises ConfigError when that cannot be done or it is not writable."""
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot write to the data folder {data}: {error.strerror}; {_ELSEWHERE}"
        ) from error
    if not os.access(data, os.W_OK | os.X_OK):
        raise ConfigError(f"cannot write to the data folder {data}; {_ELSEWHERE}")
