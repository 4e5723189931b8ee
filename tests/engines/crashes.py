"""What a killed process leaves of its log, in another folder, so that one process can go on after many deaths."""

from __future__ import annotations

import shutil
from pathlib import Path

from tidings.engines.sqlite.guard import Mark, identity

FILES = ("log.db", "log.db-wal", "log.db-lock")


def leave_as_killed(folder: Path, to: Path) -> None:
    """Copy the files of an open log as they are, with a write-ahead log that nobody folded in.

    The mark is made out to the copy, which stands for the same file: else it would be known for what it is.
    """
    to.mkdir()
    for name in FILES:
        if (folder / name).exists():
            shutil.copy(folder / name, to / name)
    lock = to / "log.db-lock"
    if lock.exists() and (mark := Mark.decode(lock.read_bytes())) is not None:
        lock.write_bytes(mark._replace(file=identity(str(to / "log.db"))).encode())
