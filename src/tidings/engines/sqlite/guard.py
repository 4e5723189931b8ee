"""The file beside the log: it lets one process in, and remembers how far the log had come. It knows no SQL.

The mark is written after each commit and not forced to disk. It can therefore be behind the log, and never before it,
unless the log lost commits: a torn file, a backup put in its place. Then continuity cannot be proved.
"""

from __future__ import annotations

import fcntl
import os
import re

from tidings.errors import EngineError

_MARK = re.compile(rb"([0-9a-f]{8}) ([0-9]{20})\n")


class Guard:
    """An exclusive lock, held until `release` or the end of the process, however it ends.

    Raises EngineError when another process has it, or when the file cannot be made.
    """

    def __init__(self, path: str) -> None:
        self.path = f"{path}-lock"
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EngineError(
                f"{self.path} cannot be made ({error.strerror}); check the folder's mode"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise EngineError(
                f"{path} is in use by another process, which holds {self.path}; "
                "stop the other server, or wait for it if it is ending; for a second app choose another --data"
            ) from error
        except OSError as error:
            os.close(self._file)
            raise EngineError(f"{self.path} cannot be locked ({error.strerror}); use a local disk") from error

    def read(self) -> tuple[str, int] | None:
        """The epoch and the number of the last commit noted; None when there is no readable mark."""
        found = _MARK.fullmatch(os.pread(self._file, 64, 0))
        return None if found is None else (found[1].decode(), int(found[2]))

    def write(self, epoch: str, serial: int) -> None:
        """Note a commit. A mark that cannot be written costs the check, not the log."""
        try:
            os.pwrite(self._file, b"%s %020d\n" % (epoch.encode(), serial), 0)
        except OSError:
            pass

    def release(self) -> None:
        """Let the next process in. Idempotent. The file stays: removing it would race with a newcomer."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
