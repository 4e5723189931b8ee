"""One reader at a time for a captured file: a lock that the system frees when the process dies. Knows no SQLite."""

from __future__ import annotations

import fcntl
import os


class ReaderLock:
    """An advisory lock on a small file beside the database.

    Not on the database itself: closing any descriptor of it would drop SQLite's own locks in this process.
    """

    def __init__(self, path: str) -> None:
        self._path = path + "-tidings-lock"
        self._fd: int | None = None

    def acquire(self) -> bool:
        """Try to become the reader; False while another has it. Raises OSError when the file cannot be made."""
        if self._fd is not None:
            return True
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def release(self) -> None:
        """Give it up; nothing when it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
