"""The file beside the log: it lets one process in, and remembers what shows that the log is one unbroken life. No SQL.

The mark is written after each commit and not forced to disk. It can therefore be behind the log, and never before it,
unless the log lost commits. It names the log's file, because a backup brings its own mark back with it: what tells a
log that was set back, together with all beside it, is that it is a copy.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import struct
import time
from typing import Final, NamedTuple, Self

from tidings.errors import EngineError

TOUCHED_SECONDS: Final = 60.0
"""How much later than the mark says its file may have been written. The two are one moment, but after a loss of power:
then content may be as much older than its time as the system takes to write back, about half of this."""

_MARK: Final = re.compile(rb"([0-9a-f]{8}) ([0-9]{20}) ([0-9a-f]{16}\.[0-9a-f]{8}) ([0-9]{13})\n")
MARK_BYTES: Final = 70

_READS: Final = 0x4000_0000 if platform.machine().startswith(("ppc", "mips", "sparc")) else 0x8000_0000
_GENERATION: Final = _READS | struct.calcsize("l") << 16 | ord("v") << 8 | 1
"""FS_IOC_GETVERSION of Linux: a number that a file system gives with each use of an inode's number."""


class Mark(NamedTuple):
    """How far the log had come. serial: of its last commit. file: the `identity` of the log's file. time: when this was
    written, in ms since the Unix epoch."""

    epoch: str
    serial: int
    file: str
    time: int

    def encode(self) -> bytes:
        """As it stands in the file: always as long."""
        return b"%s %020d %s %013d\n" % (self.epoch.encode(), self.serial, self.file.encode(), self.time)

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """None for what is none."""
        found = _MARK.fullmatch(data)
        if found is None:
            return None
        epoch, serial, file, written = (part.decode() for part in found.groups())
        return cls(epoch, int(serial), file, int(written))


def identity(path: str) -> str:
    """What tells a file from all copies of it: its inode and that one's generation, which is 0 where the system or the
    file system keeps none. A copy may then be given the number of a file that was removed.

    It stays through renames, changes of owner and mode, and restarts of the machine. Raises OSError.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        number = os.fstat(file).st_ino
        try:
            (generation,) = struct.unpack_from("=I", fcntl.ioctl(file, _GENERATION, bytes(8)))
        except OSError:
            generation = 0
    finally:
        os.close(file)
    return f"{number & (1 << 64) - 1:016x}.{generation:08x}"


def why_broken(mark: Mark | None, touched: float, *, epoch: str, serial: int, file: str) -> str:
    """Why it cannot be proved that a log goes on where it was left; empty when it can. Decides; looks at no file.

    mark: what stands beside it. touched: when that was written last, in seconds. The rest is of the log as found.
    """
    if mark is None:
        return "the file beside it is missing or unreadable"
    if mark.epoch != epoch:
        return "the file beside it is of another log"
    if mark.serial > serial:
        return f"{mark.serial} commits were noted and {serial} are there"
    if mark.file != file:
        return "it is a copy"
    if touched - mark.time / 1000 > TOUCHED_SECONDS:
        return "the file beside it was written by somebody else"
    return ""


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
        try:
            self._identity = identity(path)
        except OSError as error:
            self.release()
            raise EngineError(
                f"{path} cannot be read ({error.strerror}); check its owner and mode"
            ) from error

    def read(self) -> Mark | None:
        """What was noted last; None when there is no readable mark. Raises OSError."""
        return Mark.decode(os.pread(self._file, MARK_BYTES + 1, 0))

    def check(self, epoch: str, serial: int) -> str:
        """Why the log as found does not go on where it was left; empty when it does. Raises EngineError."""
        try:
            mark, touched = self.read(), os.fstat(self._file).st_mtime
        except OSError as error:
            raise EngineError(f"{self.path} cannot be read ({error.strerror}); check the disk") from error
        return why_broken(mark, touched, epoch=epoch, serial=serial, file=self._identity)

    def write(self, epoch: str, serial: int) -> bool:
        """Note a commit. One that cannot be noted is still a commit: the mark is then behind the log."""
        mark = Mark(epoch, serial, self._identity, int(time.time() * 1000))
        try:
            return os.pwrite(self._file, mark.encode(), 0) == MARK_BYTES
        except OSError:
            return False

    def begin(self, epoch: str, serial: int) -> None:
        """Note how the log was found, and have it on disk: without a mark the next start begins a new epoch."""
        if not self.write(epoch, serial):
            return  # and leave what there is as it is
        try:
            os.ftruncate(self._file, MARK_BYTES)
            _force(self._file)
            folder = os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError:
            pass

    def release(self) -> None:
        """Let the next process in. Idempotent. The file stays: removing it would race with a newcomer."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _force(file: int) -> None:
    """To the disk; on macOS through the drive's own cache as well."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)
    else:
        os.fsync(file)
