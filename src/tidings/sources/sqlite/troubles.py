"""What can be wrong with a captured file, told to whoever runs the server. When to try again is not decided here."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tidings.sources.sqlite.driver import DatabaseError, Trouble

_TROUBLES: Final[dict[Trouble, str]] = {
    "busy": "the database is locked by another program; end its long transaction",
    "readonly": "the database or its folder cannot be written; give this user the right to write both",
    "not_a_database": "the file is not a SQLite database, or it is encrypted; check the path",
    "damaged": "the database is damaged; run `PRAGMA integrity_check` and restore a backup",
    "cannot_open": "the database cannot be opened; check that it exists and that this user may write there",
    "full": "the disk is full; free space",
}


def explain(error: Exception, path: Path) -> str:
    """What is wrong with the file and what to do, for a person."""
    if isinstance(error, DatabaseError):
        return f"{path}: {_TROUBLES.get(error.trouble, str(error))}"
    if isinstance(error, FileNotFoundError):
        return f"{path}: the database is not there; put it back, or correct the path"
    if isinstance(error, PermissionError):
        return f"{path}: {_TROUBLES['readonly']}"
    return f"{path}: {error}"


def is_busy(error: Exception) -> bool:
    return isinstance(error, DatabaseError) and error.trouble == "busy"
