"""What an error of SQLite means for the log: said in a sentence, and whether writing may be tried again. Pure."""

from __future__ import annotations

import os

import apsw
import msgspec

from tidings.errors import EngineUnavailable

FREE_BYTES = 1 << 20
"""Below this much free space an input/output error is told as a full disk: that is what to mend first."""

_FATAL = (apsw.CorruptError, apsw.NotADBError)
_COMMON = (
    apsw.FullError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.ReadOnlyError,
    apsw.IOError,
    apsw.CantOpenError,
    apsw.PermissionsError,
    apsw.NoMemError,
    *_FATAL,
)
_FSYNC = (apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC)


class Fault(msgspec.Struct, frozen=True):
    """What failed. full: for want of space. final: writing must not be tried again before a new start."""

    text: str
    full: bool = False
    final: bool = False

    def error(self) -> EngineUnavailable:
        """The error for whoever asked. A new one each time: a raised error holds its traceback."""
        return EngineUnavailable(self.text, full=self.full)


def is_common(error: BaseException) -> bool:
    """True for a fault of the disk or file, that hits whatever is written; False for one of what is written."""
    return isinstance(error, _COMMON)


def describe(error: BaseException, path: str, *, free: int) -> Fault:
    """Say what an error means. free: bytes free on the disk."""
    if isinstance(error, apsw.FullError) or (isinstance(error, apsw.IOError) and free < FREE_BYTES):
        return Fault(f"the disk under {path} is full; free space, nothing acknowledged is lost", full=True)
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return Fault(f"another program keeps {path} locked; close it (an open SQLite shell, a backup tool?)")
    if isinstance(error, _FATAL):
        return Fault(f"{path} is damaged ({error}); stop, then restore it from a backup", final=True)
    if isinstance(error, apsw.IOError) and getattr(error, "extendedresult", 0) in _FSYNC:
        # What the system failed to write it may forget: a later success would prove nothing about it.
        return Fault(
            f"the disk under {path} failed to keep what was written; check it, then restart", final=True
        )
    if isinstance(error, apsw.ReadOnlyError | apsw.PermissionsError | apsw.CantOpenError):
        return Fault(f"{path} cannot be written ({error}); check its owner, its mode and the mount")
    return Fault(f"{path} cannot be used just now ({error}); check the disk")


def free_bytes(path: str) -> int:
    """Space left for us on the file's disk, in bytes; a large number when the system does not tell."""
    try:
        told = os.statvfs(os.path.dirname(path))
    except OSError:
        return FREE_BYTES
    return told.f_bavail * told.f_frsize
